//! The conformance suite on files: as the store is, under the layers that a
//! configuration puts around it, and on the machine's time.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use cache_core::{AsyncCache, Layering, Opened};
use cache_fs::{Eviction, FsSettings, FsStore};
use cache_testkit::{Setup, Subject, Suite};

/// Where all of it is, until the program ends.
static LOCATION: OnceLock<PathBuf> = OnceLock::new();

fn main() -> ExitCode {
    // What is static is never dropped, and its files would stay.
    let directory = tempfile::tempdir().expect("there is room for files");
    LOCATION.get_or_init(|| directory.path().to_owned());
    let outcome = run();
    drop(directory);
    outcome
}

fn run() -> ExitCode {
    Suite::new()
        .subject(Subject::new("files", |setup| own(setup, FsSettings::default())).owns_store())
        .subject(Subject::new("lru", |setup| own(setup, lru())).owns_store())
        .subject(Subject::new("layered", layered).owns_store())
        .subject(Subject::new("unbatched", unbatched).owns_store())
        .subject(Subject::new("shared", shared).real_time())
        .run()
}

fn location() -> &'static Path {
    LOCATION.get().expect("it was made first")
}

fn lru() -> FsSettings {
    let mut settings = FsSettings::default();
    settings.eviction = Eviction::Lru;
    settings
}

/// In a directory of its own.
async fn own(setup: Setup, settings: FsSettings) -> Arc<dyn AsyncCache> {
    let directory = tempfile::tempdir_in(location()).expect("there is room for files").keep();
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
    let store = FsStore::open(location().join("shared"), &FsSettings::default(), setup.context()).await;
    Arc::new(store.expect("the directory is there"))
}
