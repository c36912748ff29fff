//! The short ways to open caches.

use std::path::Path;

use cache_core::Result;

use crate::builder::CachesBuilder;
use crate::caches::Caches;

impl Caches {
    /// Builds caches from any mixture of sources.
    pub fn builder() -> CachesBuilder {
        CachesBuilder::new()
    }

    /// Opens what stands under `caches` in a TOML file, with the environment
    /// on top (see [`CachesBuilder::env`]).
    ///
    /// # Errors
    ///
    /// As [`CachesBuilder::open`].
    pub async fn from_toml_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().toml_file(path).env().open().await
    }

    /// Opens what stands under `caches` in a TOML text, without the environment.
    ///
    /// # Errors
    ///
    /// As [`CachesBuilder::open`].
    pub async fn from_toml(text: &str) -> Result<Self> {
        Self::builder().toml(text).open().await
    }

    /// Opens the aliases of a JSON file, under `caches` or a bare map, with the
    /// environment on top. What `json.dumps(settings.CACHES)` of a Django
    /// project writes is one.
    ///
    /// # Errors
    ///
    /// As [`CachesBuilder::open`].
    pub async fn from_json_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().json_file(path).env().open().await
    }

    /// Opens the aliases of a JSON text, under `caches` or a bare map, without
    /// the environment. `CACHES` of a Django project is one:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_sdk::Result<()> {
    /// let caches = cache_sdk::Caches::from_json(
    ///     r#"{"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}"#,
    /// ).await?;
    /// assert!(caches.default()?.aping().await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`CachesBuilder::open`].
    pub async fn from_json(text: &str) -> Result<Self> {
        Self::builder().json(text).open().await
    }
}
