//! Somebody else holds a lock and does not give it back, as a process that was
//! stopped: who has nothing to do with it goes on.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Context, ErrorKind, Layering, Opened, Timeout};
use cache_fs::{FsSettings, FsStore};
use futures::future::join_all;

mod directory;

use directory::{Directory, held};

/// As a configuration opens it, with a short deadline.
async fn configured(directory: &Directory, settings: &FsSettings) -> Cache {
    let mut context = Context::new("files");
    context.deadline = Duration::from_secs(2);
    let store = FsStore::open(directory.path(), settings, &context).await.expect("the directory is fine");
    let opened = Opened::Remote { leader: Arc::new(store), replicas: Vec::new() };
    Cache::builder(opened.layered(&Layering::new(), &context)).context(&context).build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_other_shards_go_on() {
    let directory = Directory::new();
    let cache = configured(&directory, &FsSettings::default()).await;
    cache.aset("held", "old", Timeout::Forever).await.expect("it is taken");
    let entry = directory.entry();
    let names: Vec<_> = (0..60).map(|name| name.to_string()).collect();
    for name in &names {
        cache.aset(name, "old", Timeout::Forever).await.expect("it is taken");
    }
    let shard = entry.parent().expect("it is in one");
    let beside = directory.entries().iter().filter(|entry| entry.parent() == Some(shard)).count() - 1;
    let lock = held(&entry.with_file_name(".lock"));
    // More than there are threads that write.
    let stuck = (0..20).map(|_| cache.aset("held", "new", Timeout::Forever));
    let (stuck, others) = tokio::join!(
        join_all(stuck),
        join_all(names.iter().map(|name| cache.aset(name, "new", Timeout::Forever)))
    );
    for outcome in stuck {
        let error = outcome.expect_err("somebody has the lock");
        assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
        assert!(error.to_string().contains("somebody else keeps"), "{error}");
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
    let mut settings = FsSettings::default();
    settings.max_entries = 100;
    let cache = configured(&directory, &settings).await;
    cache.aset("held", "old", Timeout::Forever).await.expect("it is taken");
    let entry = directory.entry();
    let _lock = held(&entry.with_file_name(".lock"));
    let mut failed = 0;
    for name in 0..300 {
        failed += usize::from(cache.aset(&name.to_string(), "text", Timeout::Forever).await.is_err());
    }
    assert!(failed < 10, "{failed} of 300 are in that shard");
    assert!(directory.entries().len() <= 100 + 6 + 17, "{}", directory.entries().len());
    assert!(entry.exists());
}
