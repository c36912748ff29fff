//! The conformance suite on files: as the store is, under the layers that a
//! configuration puts around it, and on the machine's time.

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use cache_core::{AsyncCache, Layering, Opened};
use cache_fs::{Eviction, FsSettings, FsStore};
use cache_testkit::{Setup, Subject, Suite};
use tempfile::TempDir;

/// Removed when the program ends.
static LOCATION: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("there is room for files"));

fn main() -> ExitCode {
    Suite::new()
        .subject(Subject::new("files", |setup| own(setup, FsSettings::default())).owns_store())
        .subject(Subject::new("lru", |setup| own(setup, lru())).owns_store())
        .subject(Subject::new("layered", layered).owns_store())
        .subject(Subject::new("unbatched", unbatched).owns_store())
        .subject(Subject::new("shared", shared).real_time())
        .run()
}

fn lru() -> FsSettings {
    let mut settings = FsSettings::default();
    settings.eviction = Eviction::Lru;
    settings
}

/// In a directory of its own.
async fn own(setup: Setup, settings: FsSettings) -> Arc<dyn AsyncCache> {
    let directory = tempfile::tempdir_in(LOCATION.path()).expect("there is room for files").keep();
    let store = FsStore::open(directory, &settings, setup.context()).await;
    Arc::new(store.expect("the directory is there"))
}

async fn layered(setup: Setup) -> Arc<dyn AsyncCache> {
    let context = setup.context().clone();
    let leader = own(setup, FsSettings::default()).await;
    Opened::Remote { leader, replicas: Vec::new() }.layered(&Layering::new(), &context)
}

async fn unbatched(setup: Setup) -> Arc<dyn AsyncCache> {
    let context = setup.context().clone();
    let leader = own(setup, FsSettings::default()).await;
    let layering = Layering::new().batch_reads(false).batch_writes(false);
    Opened::Remote { leader, replicas: Vec::new() }.layered(&layering, &context)
}

/// All cases in one directory, as several processes would be.
async fn shared(setup: Setup) -> Arc<dyn AsyncCache> {
    let store = FsStore::open(LOCATION.path().join("shared"), &FsSettings::default(), setup.context()).await;
    Arc::new(store.expect("the directory is there"))
}
