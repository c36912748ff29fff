//! The open caches of a program, by alias.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cache_core::{Cache, Ping, Result};
use futures::future::join_all;

use crate::config::{config_error, listed, suggestion};

/// The caches of a program, by alias, as its configuration opened them.
///
/// A program holds one, and hands out clones: all are the same caches. There
/// is no global.
///
/// ```
/// use cache_sdk::{Caches, Timeout};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_sdk::Result<()> {
/// let caches = Caches::from_toml(r#"
///     [caches.default]
///     backend = "mem"
///     timeout = "10m"
///
///     [caches.sessions]
///     backend = "mem"
///     timeout = "forever"
/// "#).await?;
///
/// let sessions = caches.get("sessions")?;
/// sessions.aset("session:1", "Ada", Timeout::Default).await?;
/// assert_eq!(caches.aliases().collect::<Vec<_>>(), ["default", "sessions"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Caches(Arc<BTreeMap<String, Cache>>);

impl Caches {
    pub(crate) fn new(caches: BTreeMap<String, Cache>) -> Self {
        Self(Arc::new(caches))
    }

    /// The cache of this alias.
    ///
    /// # Errors
    ///
    /// [`Config`](cache_core::ErrorKind::Config) if there is none; it lists
    /// those that there are.
    pub fn get(&self, alias: &str) -> Result<Cache> {
        self.0.get(alias).cloned().ok_or_else(|| {
            let similar = suggestion(alias, self.aliases());
            config_error(format!(
                "there is no alias `{alias}`; there are {}{similar}",
                listed(self.aliases())
            ))
        })
    }

    /// The cache of the alias `default`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn default(&self) -> Result<Cache> {
        self.get("default")
    }

    /// The names of all aliases, sorted.
    pub fn aliases(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    /// Asks all stores at once whether they are there.
    pub async fn aping(&self) -> BTreeMap<&str, Result<Ping>> {
        let answers = self.0.iter().map(async |(alias, cache)| (alias.as_str(), cache.aping().await));
        join_all(answers).await.into_iter().collect()
    }

    /// Closes all caches, at the end of the program; later calls through any
    /// handle are [`Closed`](cache_core::ErrorKind::Closed).
    ///
    /// # Errors
    ///
    /// The first that arose; all the others are closed nonetheless.
    pub async fn aclose_all(&self) -> Result<()> {
        let outcomes = join_all(self.0.values().map(Cache::aclose)).await;
        outcomes.into_iter().collect()
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.aliases()).finish()
    }
}
