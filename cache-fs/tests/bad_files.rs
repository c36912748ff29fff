//! Files that are no entries, or not any more: each is a counted miss, and a
//! write puts an entry in its place.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Context, ErrorKind, Timeout, UndecodableReason};
use cache_fs::{FsSettings, FsStore};
use cache_testkit::ManualClock;

mod directory;

use directory::{Directory, with_keys};

/// What a file has beside key and value.
const HEADER: usize = 56;

const TEXT: &str = "a value of some length, so that there is something to damage";

/// Sees that the entry is missed and counted, and that it can be written again.
async fn is_a_counted_miss(cache: &Cache, what: &str, reason: UndecodableReason) {
    let before = count_of(cache, reason);
    assert_eq!(cache.aget::<String>("key").await.expect(what), None, "{what}");
    assert_eq!(count_of(cache, reason), before + 1, "{what}: {:?}", cache.stats().undecodable);
    assert!(!cache.ahas_key("key").await.expect(what), "{what}");
    let missing = cache.aincr("key", 1).await.expect_err(what);
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{what}");
    assert!(cache.aadd("key", TEXT, Timeout::Forever).await.expect(what), "{what}");
    assert_eq!(cache.aget::<String>("key").await.expect(what).as_deref(), Some(TEXT), "{what}");
}

fn count_of(cache: &Cache, reason: UndecodableReason) -> u64 {
    cache.stats().undecodable.iter().filter(|(of, _)| *of == reason).map(|(_, count)| *count).sum()
}

#[tokio::test]
async fn a_file_cut_short_anywhere() {
    let (directory, cache, whole) = written().await;
    for length in 0..whole.len() {
        fs::write(directory.entry(), &whole[..length]).expect("it can be written");
        is_a_counted_miss(&cache, &format!("{length} bytes"), UndecodableReason::Malformed).await;
    }
}

#[tokio::test]
async fn a_file_with_any_bit_flipped() {
    let (directory, cache, whole) = written().await;
    for bit in 0..8 * whole.len() {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(directory.entry(), damaged).expect("it can be written");
        // The first five bytes say whose it is, and of which version.
        let is_foreign = bit / 8 < 5;
        let reason = if is_foreign { UndecodableReason::UnknownTag } else { UndecodableReason::Malformed };
        // A length that is not admitted is told from one that is not true.
        is_a_counted_miss(&cache, &format!("bit {bit}"), reason).await;
    }
}

#[tokio::test]
async fn bytes_that_follow_or_are_somebody_elses() {
    let (directory, cache, whole) = written().await;
    for (what, bytes, reason) in [
        ("more behind it", [&whole[..], b"x"].concat(), UndecodableReason::Malformed),
        ("it twice", whole.repeat(2), UndecodableReason::Malformed),
        ("another format", vec![b'{'; 100], UndecodableReason::UnknownTag),
        ("zeros", vec![0; 100_000], UndecodableReason::UnknownTag),
        ("a later version", [&whole[..4], &[2], &whole[5..]].concat(), UndecodableReason::UnknownTag),
        ("a huge value", [&whole[..48], &[255; 8], &whole[56..]].concat(), UndecodableReason::Malformed),
        ("a huge key", [&whole[..40], &[255; 4], &whole[44..]].concat(), UndecodableReason::Malformed),
    ] {
        fs::write(directory.entry(), bytes).expect("it can be written");
        is_a_counted_miss(&cache, what, reason).await;
    }
}

/// A file may be told of by its lengths alone: no more than a key can have is
/// read of it.
#[tokio::test]
async fn keys_longer_than_any_are_not_read() {
    let (directory, cache, whole) = written().await;
    let long = "x".repeat(64 << 10);
    for (key, former, is_read) in [(&*long, &*long, true), (&(long.clone() + "x"), &long, false)] {
        fs::write(directory.entry(), with_keys(&whole, key, former)).expect("it can be written");
        let before = count_of(&cache, UndecodableReason::Malformed);
        assert_eq!(cache.aget::<String>("key").await.expect("it is answered"), None);
        // What is read is another key's, and no damage.
        assert_eq!(count_of(&cache, UndecodableReason::Malformed) - before, u64::from(!is_read));
    }
}

#[tokio::test]
async fn another_key_is_not_mistaken() {
    let (directory, cache, _) = written().await;
    let path = directory.entry();
    cache.aset("other", TEXT, Timeout::Forever).await.expect("it is taken");
    let other = directory.entries().into_iter().find(|entry| *entry != path).expect("there are two");
    fs::copy(other, &path).expect("it can be copied");
    assert_eq!(cache.aget::<String>("key").await.expect("it is read"), None);
    assert!(cache.aadd("key", TEXT, Timeout::Forever).await.expect("it is free"));
}

/// Nor if its value is longer than admitted, so that it is not read.
#[tokio::test]
async fn another_key_of_a_long_value_is_not_mistaken() {
    let (directory, writer, _) = written().await;
    let path = directory.entry();
    writer.aset("other", &TEXT.repeat(10), Timeout::Forever).await.expect("it is taken");
    let other = directory.entries().into_iter().find(|entry| *entry != path).expect("there are two");
    fs::copy(other, &path).expect("it can be copied");
    let mut context = Context::new("files");
    context.max_value_bytes = TEXT.len();
    let store = FsStore::open(directory.path(), &FsSettings::default(), &context).await;
    let cache = Cache::builder(Arc::new(store.expect("the directory is fine"))).context(&context).build();
    assert!(cache.ahas_key("other").await.expect("it is answered"));
    assert!(!cache.ahas_key("key").await.expect("it is answered"));
    assert!(cache.aadd("key", "short", Timeout::Forever).await.expect("it is free"));
}

#[tokio::test]
async fn a_value_as_long_as_is_admitted_is_read() {
    // Those of the second length are not read at once.
    for length in [100, 50_000] {
        let (directory, writer, _) = written().await;
        writer.aset("key", &vec![0_u8; length], Timeout::Forever).await.expect("it is taken");
        let file = directory.entry().metadata().expect("it is there").len();
        let in_file = usize::try_from(file).expect("it is short") - HEADER - ":1:key".len();
        // A byte of it tells the codec.
        let length = in_file - 1;
        for (admitted, is_read) in [(length, true), (length - 1, false)] {
            let mut context = Context::new("files");
            context.max_value_bytes = admitted;
            let store = FsStore::open(directory.path(), &FsSettings::default(), &context).await;
            let store = Arc::new(store.expect("the directory is fine"));
            let cache = Cache::builder(store).context(&context).build();
            let found = cache.aget::<Vec<u8>>("key").await.expect("it is answered");
            assert_eq!(found.is_some(), is_read, "{length} bytes");
            let too_large = u64::from(!is_read);
            assert_eq!(count_of(&cache, UndecodableReason::TooLarge), too_large, "{length} bytes");
        }
    }
}

/// What is not read cannot be written anew, and stays as it is.
#[tokio::test]
async fn a_value_longer_than_is_admitted_is_neither_touched_nor_moved() {
    let (directory, writer, whole) = written().await;
    let mut context = Context::new("files");
    context.max_value_bytes = TEXT.len() / 2;
    let store = FsStore::open(directory.path(), &FsSettings::default(), &context).await;
    let cache = Cache::builder(Arc::new(store.expect("the directory is fine"))).context(&context).build();
    let touched = cache.atouch("key", Timeout::Forever).await.map(drop);
    let moved = cache.aincr_version("key", 1).await.map(drop);
    for outcome in [touched, moved] {
        assert_eq!(outcome.expect_err("it is too long").kind(), ErrorKind::TooLarge);
    }
    assert_eq!(fs::read(directory.entry()).expect("it is there"), whole);
    assert_eq!(writer.aget::<String>("key").await.expect("it is read").as_deref(), Some(TEXT));
}

/// Also what is no entry, or not any more, is removed by who removes it.
#[tokio::test]
async fn what_is_no_entry_can_be_removed() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = directory.cache_with(&FsSettings::default(), Arc::<ManualClock>::clone(&clock)).await;
    cache.aset("key", TEXT, Timeout::Forever).await.expect("it is taken");
    fs::write(directory.entry(), "somebody's").expect("it can be written");
    assert!(!cache.adelete("key").await.expect("it is removed"), "it was no entry");
    assert!(directory.entries().is_empty());
    cache.aset("key", TEXT, Timeout::After(Duration::from_secs(1))).await.expect("it is taken");
    clock.advance(Duration::from_secs(1));
    assert!(!cache.adelete("key").await.expect("it is removed"), "it had ended");
    assert!(directory.entries().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file() {
    let (directory, cache, whole) = written().await;
    let path = directory.entry();
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, &whole).expect("it can be written");

    fs::remove_file(&path).expect("it is there");
    std::os::unix::fs::symlink(&elsewhere, &path).expect("it can be made");
    is_a_counted_miss(&cache, "a link", UndecodableReason::OtherKind).await;
    assert_eq!(fs::read(&elsewhere).expect("it is there"), whole, "what it led to is untouched");

    // Nobody writes to it, and whoever waited for that would wait for ever.
    fs::remove_file(&path).expect("it is there");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("`mkfifo` is there");
    assert!(made.success());
    is_a_counted_miss(&cache, "a pipe", UndecodableReason::OtherKind).await;

    fs::remove_file(&path).expect("it is there");
    drop(std::os::unix::net::UnixListener::bind(short(&path)).expect("it can be made"));
    is_a_counted_miss(&cache, "a socket", UndecodableReason::OtherKind).await;
}

/// What leads to the path, for an address that must not be long.
#[cfg(unix)]
fn short(path: &Path) -> std::path::PathBuf {
    let link = path.ancestors().nth(3).expect("it is below").join("s");
    std::os::unix::fs::symlink(path.parent().expect("it is below"), &link).expect("it can be made");
    link.join(path.file_name().expect("it has one"))
}

#[tokio::test]
async fn a_directory_in_the_way() {
    let (directory, cache, _) = written().await;
    let path = directory.entry();
    fs::remove_file(&path).expect("it is there");
    fs::create_dir(&path).expect("it can be made");
    let reason = UndecodableReason::OtherKind;
    assert_eq!(cache.aget::<String>("key").await.expect("it is read"), None);
    assert_eq!(count_of(&cache, reason), 1);
    // It may be somebody's: that it is there is told, and it stays.
    File::create(path.join("kept")).expect("it can be made");
    let error = cache.aset("key", TEXT, Timeout::Forever).await.expect_err("it cannot be written");
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert!(path.join("kept").exists());
    fs::remove_dir_all(&path).expect("it is there");
    cache.aset("key", TEXT, Timeout::Forever).await.expect("it is free now");
}

#[tokio::test]
async fn a_move_that_cannot_be_made_loses_nothing() {
    let (directory, cache, _) = written().await;
    let from = directory.entry();
    let there = cache.at_version(2);
    there.aset("key", TEXT, Timeout::Forever).await.expect("it is taken");
    let to = directory.entries().into_iter().find(|entry| *entry != from).expect("there are two");
    fs::remove_file(&to).expect("it is there");
    fs::create_dir(&to).expect("it can be made");
    cache.aincr_version("key", 1).await.expect_err("a directory is in the way");
    assert_eq!(cache.aget::<String>("key").await.expect("it is read").as_deref(), Some(TEXT));
    fs::remove_dir(&to).expect("it is empty");
    cache.aincr_version("key", 1).await.expect("the way is free");
    assert_eq!(there.aget::<String>("key").await.expect("it is read").as_deref(), Some(TEXT));
    assert!(!cache.ahas_key("key").await.expect("it is answered"));
}

/// What it leads to may be anything, and is neither locked nor written to.
#[cfg(unix)]
#[tokio::test]
async fn a_lock_that_is_a_link() {
    let (directory, cache, _) = written().await;
    let lock = directory.entry().with_file_name(".lock");
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "somebody's").expect("it can be written");
    fs::remove_file(&lock).expect("it is there");
    std::os::unix::fs::symlink(&elsewhere, &lock).expect("it can be made");
    let error = cache.aset("key", "another", Timeout::Forever).await.expect_err("it is no lock");
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert_eq!(fs::read_to_string(&elsewhere).expect("it is there"), "somebody's");
    assert_eq!(cache.aget::<String>("key").await.expect("it is read").as_deref(), Some(TEXT));
}

#[tokio::test]
async fn a_location_that_is_removed_is_made_again() {
    let (directory, cache, _) = written().await;
    // What is done behind the callers' backs may make a file there meanwhile.
    while fs::remove_dir_all(directory.path()).is_err() {
        assert!(directory.path().exists(), "it is there until it is removed");
    }
    assert_eq!(cache.aget::<String>("key").await.expect("it is read"), None);
    assert!(!cache.adelete("key").await.expect("there is none"));
    cache.aclear().await.expect("there is nothing");
    cache.aset("key", TEXT, Timeout::Forever).await.expect("it is taken");
    assert_eq!(cache.aget::<String>("key").await.expect("it is read").as_deref(), Some(TEXT));
}

/// A directory with one entry, its cache, and the file as it was written.
async fn written() -> (Directory, Cache, Vec<u8>) {
    let directory = Directory::new();
    let cache = directory.cache().await;
    cache.aset("key", TEXT, Timeout::Forever).await.expect("it is taken");
    let whole = fs::read(directory.entry()).expect("it is there");
    (directory, cache, whole)
}
