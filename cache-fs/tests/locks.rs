//! Somebody else holds a lock and does not give it back, as a process that was
//! stopped: who has nothing to do with it goes on.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Backend as _, Cache, Context, ErrorKind, Layering, Settings, Timeout};
use cache_fs::FsBackend;
use futures::future::join_all;

mod directory;

use directory::Directory;

/// As a configuration opens it, with this deadline.
async fn configured(directory: &Directory, deadline: Duration) -> Cache {
    let mut context = Context::new("files");
    context.deadline = deadline;
    let settings = Settings::new(vec![directory.path().to_string_lossy().into_owned()]);
    let opened = FsBackend.open(settings, &context).await.expect("it can be made");
    Cache::builder(opened.layered(&Layering::new(), &context)).context(&context).build()
}

/// Holds the lock of the shard in which this entry is, until it is dropped.
fn hold(entry: &Path) -> File {
    let lock = File::options().read(true).write(true).open(entry.with_file_name(".lock"));
    let lock = lock.expect("it is there");
    lock.lock().expect("it is free");
    lock
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_other_shards_go_on() {
    let directory = Directory::new();
    let cache = configured(&directory, Duration::from_secs(2)).await;
    cache.aset("held", "old", Timeout::Forever).await.expect("it is taken");
    let entry = directory.entry();
    let names: Vec<_> = (0..60).map(|name| name.to_string()).collect();
    for name in &names {
        cache.aset(name, "old", Timeout::Forever).await.expect("it is taken");
    }
    let shard = entry.parent().expect("it is in one");
    let beside = directory.entries().iter().filter(|entry| entry.parent() == Some(shard)).count() - 1;
    let lock = hold(&entry);
    // More than there are threads that write.
    let stuck = (0..20).map(|_| cache.aset("held", "new", Timeout::Forever));
    let (stuck, others) = tokio::join!(
        join_all(stuck),
        join_all(names.iter().map(|name| cache.aset(name, "new", Timeout::Forever)))
    );
    for outcome in stuck {
        let error = outcome.expect_err("somebody has the lock");
        assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
        assert!(error.to_string().contains("somebody else has locked"), "{error}");
    }
    assert_eq!(others.iter().filter(|outcome| outcome.is_err()).count(), beside);
    // The store is not taken for one that does not answer.
    assert_eq!(cache.aget::<String>("held").await.expect("it is read").as_deref(), Some("old"));
    assert_eq!(cache.stats().outages, 0);
    drop(lock);
    cache.aset("held", "new", Timeout::Forever).await.expect("it is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_is_made_in_the_other_shards() {
    let directory = Directory::new();
    let mut settings = cache_fs::FsSettings::default();
    settings.max_entries = 100;
    let cache = directory.cache_with(&settings, Arc::new(cache_core::SystemClock)).await;
    cache.aset("held", "old", Timeout::Forever).await.expect("it is taken");
    let entry = directory.entry();
    let _lock = hold(&entry);
    let mut failed = 0;
    for name in 0..300 {
        failed += usize::from(cache.aset(&name.to_string(), "text", Timeout::Forever).await.is_err());
    }
    assert!(failed < 10, "{failed} of 300 are in that shard");
    assert!(directory.entries().len() <= 100 + 6 + 17, "{}", directory.entries().len());
    assert!(entry.exists());
}
