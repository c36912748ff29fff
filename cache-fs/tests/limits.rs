//! What goes when there is too much, what goes when it has ended, and that a
//! write does not pay for how much there is.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Cache, Clock, CodecChoice, Context, ErrorKind, Format, SystemClock, Tick, Timeout,
};
use cache_fs::{Eviction, FsSettings, FsStore};
use cache_testkit::ManualClock;

mod directory;
mod eventually;

use directory::{Directory, cache_at, cache_of, held, is_held};
use eventually::eventually;

const LIMIT: u64 = 300;

fn limited(eviction: Eviction) -> FsSettings {
    let mut settings = FsSettings::default();
    settings.max_entries = LIMIT;
    settings.eviction = eviction;
    settings
}

async fn fill(cache: &Cache, names: std::ops::Range<u64>, timeout: Timeout) {
    for name in names {
        cache.aset(&name.to_string(), &name, timeout).await.expect("it is taken");
    }
}

/// Waits for the end of what one entry too many began: what goes is counted
/// once all of it is gone.
async fn a_third_is_gone(cache: &Cache) {
    eventually("a third is gone", async || cache.stats().evictions > 0).await;
    assert_eq!(cache.stats().evictions, (LIMIT + 1).div_ceil(3));
}

/// Some rounds of removing what has ended. The clock stands still in each: one
/// that took long would put the next one off.
async fn rounds(clock: &ManualClock) {
    for _ in 0..3 {
        eventually("a round is over", async || clock.sleepers() == 1).await;
        clock.advance(Duration::from_mins(2));
    }
    eventually("a round is over", async || clock.sleepers() == 1).await;
}

/// Which of the names have an entry.
async fn there(cache: &Cache, names: std::ops::Range<u64>) -> Vec<u64> {
    let mut there = Vec::new();
    for name in names {
        if cache.ahas_key(&name.to_string()).await.expect("it is answered") {
            there.push(name);
        }
    }
    there
}

#[tokio::test]
async fn the_limit_is_kept() {
    for eviction in [Eviction::Oldest, Eviction::Lru, Eviction::Random] {
        let directory = Directory::new();
        let cache = directory.cache_with(&limited(eviction), Arc::new(SystemClock)).await;
        let mut most = 0;
        for part in 0..20 {
            fill(&cache, part * 100..(part + 1) * 100, Timeout::Forever).await;
            most = most.max(directory.entries().len() as u64);
        }
        assert!(most <= LIMIT + LIMIT / 16 + 17, "{eviction:?}: {most}");
        // A file goes before it is counted, and some may be going at this moment.
        let mut left = 0;
        eventually("there is room, and all that went is counted", async || {
            let stats = cache.stats();
            left = directory.entries().len() as u64;
            left <= LIMIT && stats.evictions == 2_000 - left && stats.entries == Some(left)
        })
        .await;
        assert!(left > LIMIT / 2, "{eviction:?}: a third goes at once, not {left}");
    }
}

#[tokio::test]
async fn the_oldest_go_first() {
    let directory = Directory::new();
    let cache = directory.cache_with(&limited(Eviction::Oldest), Arc::new(SystemClock)).await;
    fill(&cache, 0..LIMIT, Timeout::Forever).await;
    // Written again, it is old no more; read, it is as old as it was.
    fill(&cache, 0..10, Timeout::Forever).await;
    assert_eq!(there(&cache, 10..20).await.len(), 10);
    fill(&cache, LIMIT..LIMIT + 1, Timeout::Forever).await;
    a_third_is_gone(&cache).await;
    assert_eq!(there(&cache, 0..10).await.len(), 10);
    assert_eq!(there(&cache, 10..20).await.len(), 0);
    assert_eq!(there(&cache, 200..LIMIT + 1).await.len(), 101);
}

#[tokio::test]
async fn the_least_recently_used_go_first() {
    let directory = Directory::new();
    let cache = directory.cache_with(&limited(Eviction::Lru), Arc::new(SystemClock)).await;
    fill(&cache, 0..LIMIT, Timeout::Forever).await;
    for name in 0..10_u64 {
        assert_eq!(cache.aget::<u64>(&name.to_string()).await.expect("it is read"), Some(name));
    }
    fill(&cache, LIMIT..LIMIT + 1, Timeout::Forever).await;
    a_third_is_gone(&cache).await;
    assert_eq!(there(&cache, 0..10).await.len(), 10, "they were read");
    assert_eq!(there(&cache, 10..90).await.len(), 0, "they were not");
}

#[tokio::test]
async fn uses_are_told_to_other_handles() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let reader = directory.cache_with(&limited(Eviction::Lru), Arc::<ManualClock>::clone(&clock)).await;
    fill(&reader, 0..LIMIT, Timeout::Forever).await;
    clock.advance(Duration::from_secs(1));
    for name in 0..10_u64 {
        assert_eq!(reader.aget::<u64>(&name.to_string()).await.expect("it is read"), Some(name));
    }
    let read_at = clock.wall();
    let used = |entry: &PathBuf| entry.metadata().expect("it is there").modified().expect("it is told");
    eventually("uses are told", async || {
        clock.advance(Duration::from_secs(11));
        tokio::task::yield_now().await;
        directory.entries().iter().filter(|entry| used(entry) >= read_at).count() == 10
    })
    .await;
    let writer = directory.cache_with(&limited(Eviction::Lru), Arc::<ManualClock>::clone(&clock)).await;
    fill(&writer, LIMIT..LIMIT + 1, Timeout::Forever).await;
    a_third_is_gone(&writer).await;
    assert_eq!(there(&writer, 0..10).await.len(), 10, "another handle read them");
}

#[tokio::test]
async fn what_has_ended_goes_before_what_has_not() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = directory.cache_with(&limited(Eviction::Oldest), Arc::<ManualClock>::clone(&clock)).await;
    fill(&cache, 0..200, Timeout::Forever).await;
    fill(&cache, 200..LIMIT, Timeout::After(Duration::from_secs(1))).await;
    clock.advance(Duration::from_secs(2));
    fill(&cache, LIMIT..LIMIT + 1, Timeout::Forever).await;
    rounds(&clock).await;
    assert_eq!((directory.entries().len(), cache.stats().expirations), (201, 100));
    assert_eq!(there(&cache, 0..200).await.len(), 200, "none of these had to go");
    assert_eq!(cache.stats().evictions, 0);
}

#[tokio::test]
async fn bytes_are_counted() {
    let directory = Directory::new();
    let mut settings = FsSettings::default();
    settings.max_bytes = Some(100_000);
    let cache = directory.cache_with(&settings, Arc::new(SystemClock)).await;
    for name in 0..200 {
        cache.aset(&name.to_string(), &vec![0_u8; 1_000], Timeout::Forever).await.expect("it is taken");
    }
    let bytes = async || -> u64 {
        directory
            .entries()
            .iter()
            .filter_map(|entry| entry.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    };
    eventually("there is room, and it is known", async || {
        let known = cache.stats().bytes;
        let bytes = bytes().await;
        bytes <= 100_000 && known == Some(bytes)
    })
    .await;
    assert!(bytes().await > 50_000);
    let error =
        cache.aset("large", &vec![0_u8; 100_000], Timeout::Forever).await.expect_err("it cannot be kept");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("`max_bytes` is 100000"), "{error}");
    let large = vec![0_u8; 100_000];
    let error = cache.set_many([("large", &large)], Timeout::Forever).await;
    assert_eq!(error.expect_err("nor among others").kind(), ErrorKind::TooLarge);
    assert!(bytes().await > 50_000, "nothing had to go for it");
}

/// A share may be less than what is needed.
#[tokio::test]
async fn so_much_goes_that_the_limit_is_kept() {
    let directory = Directory::new();
    let mut settings = FsSettings::default();
    settings.max_entries = 20;
    settings.cull_frequency = 1_000;
    let cache = directory.cache_with(&settings, Arc::new(SystemClock)).await;
    fill(&cache, 0..50, Timeout::Forever).await;
    eventually("there is room", async || directory.entries().len() <= 20).await;
    assert_eq!(there(&cache, 30..50).await.len(), 20, "the latest are left");

    let directory = Directory::new();
    let mut settings = FsSettings::default();
    settings.max_bytes = Some(10_000);
    let cache = directory.cache_with(&settings, Arc::new(SystemClock)).await;
    let bytes = || -> u64 {
        let entries = directory.entries().into_iter();
        entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
    };
    fill(&cache, 0..50, Timeout::Forever).await;
    for name in ["large", "larger"] {
        cache.aset(name, &vec![0_u8; 9_000], Timeout::Forever).await.expect("it is taken");
        eventually("there is room", async || bytes() <= 10_000).await;
        assert!(cache.ahas_key(name).await.expect("it is answered"), "{name} is the latest");
    }
}

#[tokio::test]
async fn a_value_of_the_greatest_length_is_read_back() {
    let directory = Directory::new();
    let mut context = Context::new("files");
    context.max_value_bytes = 100;
    let store = FsStore::open(directory.path(), &FsSettings::default(), &context).await;
    let format = Format::new(CodecChoice::Raw).with_max_value_bytes(100);
    let store = Arc::new(store.expect("the directory is fine"));
    let cache = Cache::builder(store).context(&context).format(format).build();
    let longest = bytes::Bytes::from(vec![7; 100]);
    cache.aset("key", &longest, Timeout::Forever).await.expect("it is taken");
    assert_eq!(cache.aget::<bytes::Bytes>("key").await.expect("it is read"), Some(longest));
    let longer = bytes::Bytes::from(vec![7; 101]);
    let error = cache.aset("key", &longer, Timeout::Forever).await.expect_err("it is too long");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn all_go_where_that_is_asked_for() {
    let directory = Directory::new();
    let mut settings = limited(Eviction::Oldest);
    settings.cull_frequency = 0;
    let cache = directory.cache_with(&settings, Arc::new(SystemClock)).await;
    fill(&cache, 0..LIMIT + 1, Timeout::Forever).await;
    eventually("they are gone", async || directory.entries().is_empty()).await;
}

#[tokio::test]
async fn what_has_ended_goes_unread() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = directory.cache_with(&FsSettings::default(), Arc::<ManualClock>::clone(&clock)).await;
    fill(&cache, 0..20, Timeout::After(Duration::from_secs(1))).await;
    fill(&cache, 20..30, Timeout::Forever).await;
    rounds(&clock).await;
    assert_eq!((directory.entries().len(), cache.stats().expirations), (10, 20));
    assert_eq!(there(&cache, 20..30).await.len(), 10);
}

#[tokio::test]
async fn each_prefix_has_its_own_limit() {
    let directory = Directory::new();
    let store = directory.cache_with(&limited(Eviction::Oldest), Arc::new(SystemClock)).await;
    let other = cache_of("other", directory.path(), &limited(Eviction::Oldest), Arc::new(SystemClock)).await;
    fill(&other, 0..100, Timeout::Forever).await;
    fill(&store, 0..LIMIT, Timeout::Forever).await;
    assert_eq!(store.stats().evictions, 0);
    assert_eq!(directory.entries().len() as u64, LIMIT + 100);
}

#[tokio::test]
async fn room_is_made_under_each_prefix_of_a_store() {
    let directory = Directory::new();
    let context = Context::new("files");
    let store = FsStore::open(directory.path(), &limited(Eviction::Oldest), &context).await;
    let store: Arc<dyn AsyncCache> = Arc::new(store.expect("the directory is fine"));
    for (number, prefix) in [(1, "a"), (2, "b"), (3, "c")] {
        let cache = Cache::builder(Arc::clone(&store)).context(&context).key_prefix(prefix).build();
        fill(&cache, 0..LIMIT + 1, Timeout::Forever).await;
        eventually("a third is gone", async || cache.stats().evictions == number * (LIMIT + 1).div_ceil(3))
            .await;
        let left = number * (LIMIT + 1 - (LIMIT + 1).div_ceil(3));
        assert_eq!((cache.stats().entries, directory.entries().len() as u64), (Some(left), left));
    }
}

/// The count is told by files, so that whoever comes later knows it.
#[tokio::test]
async fn the_count_is_known_to_who_comes_later() {
    let directory = Directory::new();
    let first = directory.cache().await;
    fill(&first, 0..50, Timeout::Forever).await;
    for name in 0..5_u64 {
        first.adelete(&name.to_string()).await.expect("it is removed");
    }
    let second = cache_at(directory.path(), &FsSettings::default(), Arc::new(SystemClock)).await;
    second.aset("0", &0, Timeout::Forever).await.expect("it is taken");
    let stats = second.stats();
    assert_eq!(stats.entries, Some(46));
    let bytes: u64 =
        directory.entries().iter().map(|entry| entry.metadata().expect("it is there").len()).sum();
    assert_eq!(stats.bytes, Some(bytes));
}

/// Somebody removed the files that count: they are counted anew.
#[tokio::test]
async fn a_lost_count_is_made_again() {
    let directory = Directory::new();
    let first = directory.cache().await;
    fill(&first, 0..50, Timeout::Forever).await;
    for file in directory::files_below(directory.path()) {
        if file.file_name().is_some_and(|name| name == ".lock") {
            std::fs::remove_file(file).expect("it is there");
        }
    }
    let second = directory.cache().await;
    fill(&second, 0..50, Timeout::Forever).await;
    assert_eq!(second.stats().entries, Some(50));
}

#[tokio::test]
async fn uses_are_told_when_the_store_is_closed() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = directory.cache_with(&limited(Eviction::Lru), Arc::<ManualClock>::clone(&clock)).await;
    fill(&cache, 0..2, Timeout::Forever).await;
    clock.advance(Duration::from_secs(5));
    assert_eq!(cache.aget::<u64>("1").await.expect("it is read"), Some(1));
    cache.aclose().await.expect("it ends");
    let used = |entry: &PathBuf| entry.metadata().expect("it is there").modified().expect("it is told");
    assert_eq!(directory.entries().iter().filter(|entry| used(entry) == clock.wall()).count(), 1);
}

#[tokio::test]
async fn a_shard_that_cannot_be_swept_keeps_nothing_in_the_others() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = directory.cache_with(&FsSettings::default(), Arc::<ManualClock>::clone(&clock)).await;
    fill(&cache, 0..200, Timeout::After(Duration::from_secs(1))).await;
    let mut entries = directory.entries();
    entries.sort();
    let lock = entries[0].with_file_name(".lock");
    let kept = entries.iter().filter(|entry| entry.parent() == lock.parent()).count();
    std::fs::remove_file(&lock).expect("it is there");
    std::fs::create_dir(&lock).expect("it can be made");
    rounds(&clock).await;
    assert_eq!(directory.entries().len(), kept);
}

#[tokio::test]
async fn as_much_as_may_be_there_is_taken_and_stays() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    // The key's text is `:1:key`, and two bytes say that four of text follow.
    let length = 56 + 6 + 2 + 4;
    let mut settings = FsSettings::default();
    settings.max_bytes = Some(length - 1);
    let smaller = directory.cache_with(&settings, Arc::new(SystemClock)).await;
    let error = smaller.aset("key", "text", Timeout::Forever).await.expect_err("it is a byte too long");
    assert_eq!(error.kind(), ErrorKind::TooLarge);

    settings.max_bytes = Some(length);
    let cache = directory.cache_with(&settings, Arc::<ManualClock>::clone(&clock)).await;
    cache.aset("key", "text", Timeout::Forever).await.expect("there is room for it");
    assert_eq!(directory.entry().metadata().expect("it is there").len(), length);
    // Whoever makes room does so before the next round.
    rounds(&clock).await;
    assert!(cache.ahas_key("key").await.expect("it is answered"));
    assert_eq!(cache.stats().evictions, 0);
}

#[tokio::test]
async fn what_is_no_entry_goes_first() {
    let directory = Directory::new();
    let cache = directory.cache_with(&limited(Eviction::Oldest), Arc::new(SystemClock)).await;
    fill(&cache, 0..LIMIT, Timeout::Forever).await;
    let damaged = directory.entries().split_off(250);
    for path in &damaged {
        fs::write(path, "cut short").expect("it can be written");
    }
    fill(&cache, LIMIT..LIMIT + 1, Timeout::Forever).await;
    a_third_is_gone(&cache).await;
    assert_eq!(damaged.iter().filter(|path| path.exists()).count(), 0);
}

#[tokio::test]
async fn the_last_use_is_told() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = directory.cache_with(&limited(Eviction::Lru), Arc::<ManualClock>::clone(&clock)).await;
    fill(&cache, 0..1, Timeout::Forever).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(cache.aget::<u64>("0").await.expect("it is read"), Some(0));
    clock.advance(Duration::from_secs(1));
    assert_eq!(cache.get_many::<u64, _>(["0"]).await.expect("it is read").len(), 1);
    cache.aclose().await.expect("it ends");
    let used = directory.entry().metadata().expect("it is there").modified().expect("it is told");
    assert_eq!(used, clock.wall());
}

/// Who has told of a use does not come back to it: somebody else may have told
/// of a later one.
#[tokio::test]
async fn a_use_is_told_once() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let first = directory.cache_with(&limited(Eviction::Lru), Arc::<ManualClock>::clone(&clock)).await;
    fill(&first, 0..1, Timeout::Forever).await;
    eventually("the keeper sleeps", async || clock.sleepers() == 1).await;
    let tells = async || {
        clock.advance(Duration::from_secs(11));
        eventually("uses are told", async || clock.sleepers() == 1).await;
        directory.entry().metadata().expect("it is there").modified().expect("it is told")
    };
    for _ in 0..2 {
        clock.advance(Duration::from_secs(1));
        let used = clock.wall();
        assert_eq!(first.aget::<u64>("0").await.expect("it is read"), Some(0));
        assert_eq!(tells().await, used);
    }
    let later = clock.wall();
    File::open(directory.entry()).and_then(|file| file.set_modified(later)).expect("it is told");
    assert_eq!(tells().await, later);
}

/// Another process makes room: nobody else does, also where there is far too
/// much.
#[tokio::test]
async fn one_makes_room_for_all() {
    let directory = Directory::new();
    let cache = directory.cache_with(&limited(Eviction::Oldest), Arc::new(SystemClock)).await;
    fill(&cache, 0..1, Timeout::Forever).await;
    let guard = held(&directory.entry().ancestors().nth(2).expect("it is below").join(".cull"));
    fill(&cache, 1..2 * LIMIT, Timeout::Forever).await;
    assert_eq!((cache.stats().evictions, directory.entries().len() as u64), (0, 2 * LIMIT));
    drop(guard);
    fill(&cache, 0..1, Timeout::Forever).await;
    eventually("there is room", async || directory.entries().len() as u64 <= LIMIT).await;
}

/// A clock on which something happens while room is made, once the first of two
/// shards was looked at.
struct Meanwhile {
    guard: PathBuf,
    asked: Mutex<usize>,
    happens: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile(..)")
    }
}

#[async_trait]
impl Clock for Meanwhile {
    fn now(&self) -> Tick {
        SystemClock.now()
    }

    /// Asked once in each shard.
    fn wall(&self) -> SystemTime {
        if is_held(&self.guard) {
            let mut asked = self.asked.lock().expect("nobody panics");
            *asked += 1;
            if *asked == 2 {
                (self.happens)();
            }
        }
        SystemClock.wall()
    }

    async fn sleep_until(&self, tick: Tick) {
        SystemClock.sleep_until(tick).await;
    }
}

#[tokio::test]
async fn what_is_written_anew_meanwhile_does_not_go() {
    let directory = Directory::new();
    let other = directory.cache().await;
    let mut entries = Vec::new();
    for name in ["a", "b"] {
        other.aset(name, "old", Timeout::Forever).await.expect("it is taken");
        let entry = directory.entries().into_iter().find(|entry| !entries.contains(entry));
        entries.push(entry.expect("it is new"));
    }
    let locks: Vec<_> = entries.iter().map(|entry| entry.with_file_name(".lock")).collect();
    assert_ne!(locks[0], locks[1], "they are in two shards");
    let guard = entries[0].ancestors().nth(2).expect("it is below").join(".cull");
    let writer = other.clone();
    let happens = move || {
        let name = if is_held(&locks[0]) { "b" } else { "a" };
        let writer = writer.clone();
        let written = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("there is one");
            runtime.block_on(async { writer.aset(name, "new", Timeout::Forever).await })
        });
        written.join().expect("it does not panic").expect("it is taken");
    };
    let mut settings = FsSettings::default();
    settings.max_entries = 1;
    settings.cull_frequency = 0;
    let clock = Meanwhile { guard, asked: Mutex::new(0), happens: Box::new(happens) };
    let cache = directory.cache_with(&settings, Arc::new(clock)).await;
    cache.adelete("of nobody").await.expect("it is answered");
    eventually("one is gone", async || cache.stats().evictions > 0).await;
    assert_eq!(cache.stats().evictions, 1);
    let mut left = Vec::new();
    for name in ["a", "b"] {
        left.extend(cache.aget::<String>(name).await.expect("it is read"));
    }
    assert_eq!(left, ["new"]);
}
