//! The store as the layers around it see it.

use std::sync::Arc;

use cache_core::{
    AsyncCache, Cache, Context, ErrorKind, Incr, Key, KeySpace, Life, Read, Scope, Timeout, When,
};
use cache_fs::{FsSettings, FsStore};

mod directory;

use directory::Directory;

async fn store(directory: &Directory) -> Arc<FsStore> {
    let store = FsStore::open(directory.path(), &FsSettings::default(), &Context::new("files")).await;
    Arc::new(store.expect("the directory is fine"))
}

#[tokio::test]
async fn a_closed_one_does_nothing_more() {
    let directory = Directory::new();
    let store = store(&directory).await;
    let cache = Cache::builder(Arc::clone(&store) as _).build();
    cache.aset("key", &1, Timeout::Forever).await.expect("it is taken");
    store.aclose().await.expect("it ends");
    let space = KeySpace::new("", 1);
    let (key, other) = (Key::new(&space, "key"), Key::new(&space, "other"));
    let outcomes = [
        store.aget(&key, Read::LEADER).await.map(drop),
        store.alife(&key, Read::LEADER).await.map(drop),
        store.get_many(&[key, other], Read::LEADER).await.map(drop),
        store.atouch(&key, Life::Forever).await.map(drop),
        store.aincr(&key, Incr::by(1)).await.map(drop),
        store.amove(&key, &other).await.map(drop),
        store.adelete(&key, &When::Always).await.map(drop),
        store.aclear(&Scope::all()).await,
        store.aping().await.map(drop),
    ];
    for outcome in outcomes {
        assert_eq!(outcome.expect_err("it is closed").kind(), ErrorKind::Closed);
    }
    let mut deleted = store.delete_many(&[key]).await.expect("each is told");
    assert_eq!(deleted.remove(0).expect_err("it is closed").kind(), ErrorKind::Closed);
    assert_eq!(directory.entries().len(), 1);
}

#[tokio::test]
async fn a_key_has_64_kib_at_most() {
    let directory = Directory::new();
    let cache = Cache::builder(store(&directory).await).build();
    let longest = "x".repeat((64 << 10) - ":1:".len());
    cache.aset(&longest, "text", Timeout::Forever).await.expect("it is taken");
    assert_eq!(cache.aget::<String>(&longest).await.expect("it is read").as_deref(), Some("text"));
    let error = cache.aset(&(longest + "x"), "text", Timeout::Forever).await;
    assert_eq!(error.expect_err("it is too long").kind(), ErrorKind::InvalidKey);
}

/// A clear that goes on is not ended, however long it takes.
#[tokio::test]
async fn a_clear_says_that_it_goes_on() {
    let directory = Directory::new();
    let store = store(&directory).await;
    let scope = Scope::of_prefix("any");
    store.aclear(&scope).await.expect("it is cleared");
    assert_eq!(scope.steps(), 256);
}
