//! A clear removes an alias's entries, and nothing that is another's.

use std::fs;
use std::sync::Arc;

use cache_core::{Cache, ClearScope, Context, ErrorKind, SystemClock, Timeout};
use cache_fs::{FsSettings, FsStore};

mod directory;

use directory::{Directory, cache_of, with_keys};

async fn cache(prefix: &str, directory: &Directory) -> Cache {
    cache_of(prefix, directory.path(), &FsSettings::default(), Arc::new(SystemClock)).await
}

async fn fill(cache: &Cache) {
    for name in 0..50 {
        cache.aset(&name.to_string(), &name, Timeout::Forever).await.expect("it is taken");
    }
}

async fn there(cache: &Cache) -> usize {
    let names: Vec<_> = (0..50).map(|name| name.to_string()).collect();
    cache.get_many::<i32, _>(names).await.expect("they are read").len()
}

#[tokio::test]
async fn other_aliases_and_foreign_files_stay() {
    let directory = Directory::new();
    // The last two share a directory with the first: their keys read both ways.
    let prefixes = ["a", "b", "", "a:1", "a:2:x"];
    let mut caches = Vec::new();
    for prefix in prefixes {
        caches.push(cache(prefix, &directory).await);
    }
    for cleared in 1..caches.len() {
        for cache in &caches {
            fill(cache).await;
        }
        let entry = directory.entries().swap_remove(0);
        let beside = [
            entry.with_file_name("notes.txt"),
            entry.with_file_name("0123abc"),
            directory.path().join("README"),
            directory.path().join("00"),
        ];
        for path in &beside {
            fs::write(path, "somebody's").expect("it can be written");
        }
        caches[cleared].aclear().await.expect("it is cleared");
        for (number, cache) in caches.iter().enumerate() {
            let expected = if number == cleared { 0 } else { 50 };
            assert_eq!(
                there(cache).await,
                expected,
                "{:?} cleared: {:?}",
                prefixes[cleared],
                prefixes[number]
            );
        }
        for path in &beside {
            assert_eq!(fs::read_to_string(path).expect("it is there"), "somebody's", "{}", path.display());
        }
    }
}

#[tokio::test]
async fn nothing_is_made_for_what_is_not_there() {
    let directory = Directory::new();
    let cache = cache("a", &directory).await;
    assert!(!cache.adelete("key").await.expect("it is answered"));
    assert!(!cache.atouch("key", Timeout::Forever).await.expect("it is answered"));
    assert_eq!(cache.aincr_version("key", 1).await.expect_err("it is missing").kind(), ErrorKind::NotFound);
    cache.aincr("key", 1).await.expect_err("it is missing");
    cache.delete_many(["key", "other"]).await.expect("they are not there");
    cache.aclear().await.expect("there is nothing");
    assert_eq!(there(&cache).await, 0);
    let directories = fs::read_dir(directory.path()).expect("it is there");
    let directories = directories.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir()));
    assert_eq!(directories.count(), 0);
}

/// What is no entry is left, and keeps no entry.
#[tokio::test]
async fn what_lies_in_the_way_keeps_nothing_else() {
    let directory = Directory::new();
    let context = Context::new("files");
    let store = FsStore::open(directory.path(), &FsSettings::default(), &context).await;
    let cache =
        Cache::builder(Arc::new(store.expect("the directory is fine"))).clear(ClearScope::All).build();
    let file_of_a_prefix = directory.path().join("0".repeat(32));
    fs::write(&file_of_a_prefix, "somebody's").expect("it can be written");
    fill(&cache).await;
    let entry = directory.entries().swap_remove(0);
    fs::remove_file(&entry).expect("it is there");
    fs::create_dir(&entry).expect("it can be made");
    fs::write(entry.join("kept"), "somebody's").expect("it can be written");
    cache.aclear().await.expect("it is cleared");
    assert_eq!(directory.entries(), Vec::<std::path::PathBuf>::new());
    assert!(entry.join("kept").exists() && file_of_a_prefix.exists());
}

#[tokio::test]
async fn a_prefix_that_others_begin_with_takes_them_along() {
    let directory = Directory::new();
    let (short, long) = (cache("a", &directory).await, cache("a:1", &directory).await);
    fill(&short).await;
    fill(&long).await;
    // `a:1:1:key` is also the key `1:key` of the prefix `a`, as in every store.
    short.aclear().await.expect("it is cleared");
    assert_eq!((there(&short).await, there(&long).await), (0, 0));
}

/// A crash may leave an entry of two keys, in the place of the one that it is
/// moved from.
#[tokio::test]
async fn what_a_crash_left_halfway_goes_by_its_former_key_too() {
    let directory = Directory::new();
    let (short, long) = (cache("a", &directory).await, cache("a:1", &directory).await);
    // `a:1:1:key` is a key of both; the one that it was to be moved to is not.
    short.aset("1:key", "text", Timeout::Forever).await.expect("it is taken");
    let path = directory.entry();
    let whole = fs::read(&path).expect("it is there");
    fs::write(&path, with_keys(&whole, "a:2:1:key", "a:1:1:key")).expect("it can be written");
    assert_eq!(short.aget::<String>("1:key").await.expect("it is read").as_deref(), Some("text"));
    long.aclear().await.expect("it is cleared");
    assert!(directory.entries().is_empty());
}
