//! How much there is: told by the handle that wrote, and by files to whoever
//! comes later.

use std::fs;
use std::sync::Arc;

use cache_core::{AsyncCache, Cache, Context, Key, KeySpace, Timeout};
use cache_fs::{FsSettings, FsStore};

mod directory;
mod eventually;

use directory::Directory;
use eventually::eventually;

/// What a handle tells.
fn told_by(cache: &Cache) -> (Option<u64>, Option<u64>) {
    let stats = cache.stats();
    (stats.entries, stats.bytes)
}

/// Sees that the handle, and one that comes later, tell what lies there.
async fn is_told(directory: &Directory, cache: &Cache) {
    let lengths: Vec<_> =
        directory.entries().iter().map(|entry| entry.metadata().expect("it is there").len()).collect();
    let there = (Some(lengths.len() as u64), Some(lengths.iter().sum()));
    assert_eq!(told_by(cache), there);
    let later = directory.cache().await;
    // Nothing is known before the first write.
    later.adelete("of nobody").await.expect("it is answered");
    assert_eq!(told_by(&later), there, "to one that comes later");
}

#[tokio::test]
async fn a_move_takes_its_count_along() {
    let directory = Directory::new();
    let cache = directory.cache().await;
    // So many, that some go to where they were.
    let versions = 1_000;
    for version in 0..versions {
        let length = usize::try_from(version % 7).expect("it is small");
        let cache = cache.at_version(version);
        cache.aset("key", &"x".repeat(length), Timeout::Forever).await.expect("it is taken");
    }
    is_told(&directory, &cache).await;
    for version in 1..versions {
        let cache = cache.at_version(version - 1);
        cache.aincr_version("key", 1).await.expect("it is there");
        assert_eq!(cache.stats().entries, Some(versions - version), "one went to where another was");
    }
    is_told(&directory, &cache).await;
}

#[tokio::test]
async fn a_move_onto_itself_is_none() {
    let directory = Directory::new();
    let store = FsStore::open(directory.path(), &FsSettings::default(), &Context::new("files")).await;
    let store = Arc::new(store.expect("the directory is fine"));
    let cache = Cache::builder(Arc::clone(&store) as _).build();
    let space = KeySpace::new(cache.key_prefix(), 1);
    // So many, that several share a shard.
    for name in 0..300 {
        cache.aset(&name.to_string(), &name, Timeout::Forever).await.expect("it is taken");
    }
    for name in 0..300 {
        let name = name.to_string();
        let key = Key::new(&space, &name);
        assert!(store.amove(&key, &key).await.expect("it is answered"), "it is there");
    }
    is_told(&directory, &cache).await;
}

#[tokio::test]
async fn all_prefixes_of_a_store_are_counted() {
    let directory = Directory::new();
    let store = FsStore::open(directory.path(), &FsSettings::default(), &Context::new("files")).await;
    let store: Arc<dyn AsyncCache> = Arc::new(store.expect("the directory is fine"));
    for (number, prefix) in [(1, "a"), (2, "b"), (3, "c")] {
        let cache = Cache::builder(Arc::clone(&store)).key_prefix(prefix).build();
        cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
        assert_eq!(cache.stats().entries, Some(number));
    }
}

#[tokio::test]
async fn a_clear_leaves_no_count() {
    let directory = Directory::new();
    let cache = directory.cache().await;
    for name in 0..50 {
        cache.aset(&name.to_string(), &name, Timeout::Forever).await.expect("it is taken");
    }
    cache.aclear().await.expect("it is cleared");
    assert_eq!(told_by(&cache), (Some(0), Some(0)));
    is_told(&directory, &cache).await;
}

/// What somebody else wrote where the count was is none, and all is counted.
#[tokio::test]
async fn a_count_without_its_complement_is_none() {
    let directory = Directory::new();
    let first = directory.cache().await;
    first.aset("key", "text", Timeout::Forever).await.expect("it is taken");
    // A round counts too.
    eventually("it is over", async || directory.is_swept()).await;
    let lock = directory.entry().with_file_name(".lock");
    let foreign = [[5, 900, 0, 0], [5, 900, !5, 0], [5, 900, 0, !900]];
    let foreign = foreign.map(|words: [u64; 4]| words.iter().flat_map(|word| word.to_le_bytes()).collect());
    for bytes in foreign.into_iter().chain([b"cut short".to_vec(), Vec::new()]) {
        fs::write(&lock, bytes).expect("it can be written");
        let cache = directory.cache().await;
        cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
        is_told(&directory, &cache).await;
    }
}
