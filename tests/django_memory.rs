//! The conformance suite on memory that is loaded from Django's spelling.

use std::process::ExitCode;

#[cfg(feature = "mem")]
fn main() -> ExitCode {
    use cache_testkit::{Subject, Suite};

    Suite::new().subject(Subject::new("locmem", locmem::open).owns_store()).run()
}

/// There is no memory to load.
#[cfg(not(feature = "mem"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}

#[cfg(feature = "mem")]
mod locmem {
    use std::sync::{Arc, Mutex};

    use cache_mem::MemBackend;
    use cache_sdk::core::DjangoSpelling;
    use cache_sdk::{AsyncCache, Backend, Caches, Context, Opened, Result, Setting, SettingValue, Settings};
    use cache_testkit::Setup;

    const PATH: &str = "django.core.cache.backends.locmem.LocMemCache";

    /// With room for the cases of many entries: Django's 300 would not do.
    const CACHES: &str = r#"{"default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "unique-snowflake",
        "TIMEOUT": 300,
        "OPTIONS": {"MAX_ENTRIES": 100000000, "CULL_FREQUENCY": 3}
    }}"#;

    /// The store that the configuration opens, on the clock and with the
    /// counters of the case.
    pub(super) async fn open(setup: Setup) -> Arc<dyn AsyncCache> {
        let opened = Arc::default();
        let watched = Watched { context: setup.context().clone(), opened: Arc::clone(&opened) };
        let builder = Caches::builder().clock(setup.clock()).backend_named(PATH, watched).json(CACHES);
        let _caches = builder.open().await.expect("it is fine");
        let store = opened.lock().expect("nobody panicked").take();
        store.expect("the alias was opened")
    }

    /// `mem`, with the stores that it opens.
    #[derive(Debug)]
    struct Watched {
        context: Context,
        opened: Arc<Mutex<Option<Arc<dyn AsyncCache>>>>,
    }

    #[async_trait::async_trait]
    impl Backend for Watched {
        fn name(&self) -> &'static str {
            MemBackend.name()
        }

        fn options(&self) -> &'static [Setting] {
            MemBackend.options()
        }

        fn django(&self) -> &'static [DjangoSpelling] {
            MemBackend.django()
        }

        async fn open(&self, settings: Settings, _: &Context) -> Result<Opened> {
            // Also in an optimised build: a typed set has to fail where a remote one would.
            let settings = settings.with("check_encoding", SettingValue::Boolean(true));
            let opened = MemBackend.open(settings, &self.context).await?;
            if let Opened::Local(store) = &opened {
                *self.opened.lock().expect("nobody panicked") = Some(Arc::clone(store));
            }
            Ok(opened)
        }
    }
}
