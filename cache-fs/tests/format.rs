//! The format of files, as `docs/file-format.md` has it: what the store writes
//! is read by a reader that knows the page alone, and files that are kept here
//! are read by the store.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use cache_core::{Cache, Clock as _, Context, Timeout};
use cache_fs::{FsSettings, FsStore};
use cache_testkit::ManualClock;
use xxhash_rust::xxh3::xxh3_64;

mod directory;

use directory::Directory;

/// Entries of the prefix `pages` in version 1: the name, the path, the file.
const GOLDEN: [(&str, &str, &str); 2] = [
    ("motto", include_str!("golden/motto.path"), include_str!("golden/motto.hex")),
    ("count", include_str!("golden/count.path"), include_str!("golden/count.hex")),
];

/// A file, taken apart.
#[derive(Debug, PartialEq)]
struct Parts {
    expiry: u64,
    stamp: u64,
    written: u64,
    key: String,
    value: Vec<u8>,
}

fn take_apart(file: &[u8]) -> Parts {
    let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes"));
    assert_eq!(&file[..4], b"\x89csf");
    assert_eq!(&file[4..8], [1, 0, 0, 0], "version 1, and three spare bytes");
    assert_eq!(word(8), xxh3_64(&file[16..]), "the checksum of all behind it");
    let key_length = usize::try_from(word(40)).expect("it is short");
    let value_length = usize::try_from(word(48)).expect("it is short");
    let (key, value) = file[56..].split_at(key_length);
    assert_eq!(value.len(), value_length);
    Parts {
        expiry: word(16),
        stamp: word(24),
        written: word(32),
        key: String::from_utf8(key.to_vec()).expect("a key is text"),
        value: value.to_vec(),
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits")).collect()
}

#[tokio::test]
async fn what_is_written_is_as_the_page_says() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = directory.cache_with(&FsSettings::default(), Arc::<ManualClock>::clone(&clock)).await;
    let now = clock.wall().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let micros = u64::try_from(now.as_micros()).expect("it fits");

    cache
        .aset("key", &[1_u8, 2, 3][..], Timeout::After(Duration::from_micros(1_500)))
        .await
        .expect("it is taken");
    let first = take_apart(&fs::read(directory.entry()).expect("it is there"));
    let text = cache.key_prefix().to_owned() + ":1:key";
    let ends =
        u64::try_from((now + Duration::from_micros(1_500)).as_nanos().div_ceil(1_000_000)).expect("it fits");
    assert_eq!((first.expiry, first.written, &*first.key), (ends, micros, &*text));
    assert_eq!(first.value, [0x83, 1, 2, 3], "the bytes that every store keeps");

    cache.aset("key", &-7, Timeout::Forever).await.expect("it is taken");
    let second = take_apart(&fs::read(directory.entry()).expect("it is there"));
    assert_eq!((second.expiry, &*second.value), (u64::MAX, &b"-7"[..]));
    assert_ne!(first.stamp, second.stamp, "each write has its own");

    cache.aset("key", &1, Timeout::After(Duration::MAX)).await.expect("it is taken");
    let third = take_apart(&fs::read(directory.entry()).expect("it is there"));
    assert_eq!(third.expiry, u64::MAX - 1, "it ends some day");
}

#[tokio::test]
async fn kept_files_are_read() {
    let directory = Directory::new();
    for (_, path, hex) in GOLDEN {
        let path = directory.path().join(path.trim_end());
        fs::create_dir_all(path.parent().expect("it is below")).expect("it can be made");
        fs::write(path, bytes_of(hex)).expect("it can be written");
    }
    let store = FsStore::open(directory.path(), &FsSettings::default(), &Context::new("pages")).await;
    let cache = Cache::builder(Arc::new(store.expect("the directory is fine"))).key_prefix("pages").build();
    assert_eq!(cache.aget::<String>("motto").await.expect("it is read").as_deref(), Some("onwards"));
    assert_eq!(cache.aget::<i64>("count").await.expect("it is read"), Some(41));
    assert_eq!(cache.aincr("count", 1).await.expect("it is a number"), 42);
    let count = fs::read(directory.path().join(GOLDEN[1].1.trim_end())).expect("it is there");
    assert_eq!(take_apart(&count).expiry, 4_102_444_800_000, "its life is kept: until 2100 begins");
}
