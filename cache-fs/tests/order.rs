//! The order of a key's writes: one that was dropped never comes after one that
//! was acknowledged later, and one that was not begun is not done.

use std::future::Future;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as Poller, Poll, Waker};
use std::time::SystemTime;

use async_trait::async_trait;
use cache_core::{Cache, Clock, Context, ErrorKind, SystemClock, Tick, Timeout};
use cache_fs::{FsSettings, FsStore};

mod directory;
mod eventually;
mod scale;

use directory::{Directory, cache_of, held};
use eventually::eventually;
use scale::scaled;

async fn cache(directory: &Directory) -> Cache {
    cache_of("order", directory.path(), &FsSettings::default(), Arc::new(SystemClock)).await
}

/// Polls it once, as somebody does who then loses interest.
fn begin(work: impl Future) {
    let work = pin!(work);
    let _ = work.poll(&mut Poller::from_waker(Waker::noop()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_write_does_not_come_after_a_later_one() {
    let directory = Directory::new();
    let cache = cache(&directory).await;
    for round in 0..scaled(500) {
        let name = format!("key-{}", round % 7);
        for _ in 0..round % 4 {
            begin(cache.aset(&name, "dropped", Timeout::Forever));
            begin(cache.adelete(&name));
            begin(cache.aincr_version(&name, 1));
        }
        cache.aset(&name, &round, Timeout::Forever).await.expect("it is taken");
        // What was dropped had its turn, or never has one.
        for _ in 0..3 {
            assert_eq!(cache.aget::<usize>(&name).await.expect("it is read"), Some(round), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_write_keeps_the_order_too() {
    let directory = Directory::new();
    let cache = cache(&directory).await;
    let names: Vec<_> = (0..20).map(|name| name.to_string()).collect();
    for round in 0..scaled(100) {
        begin(cache.set_many(names.iter().map(|name| (&**name, "dropped")), Timeout::Forever));
        begin(cache.delete_many(names.iter().map(|name| &**name)));
        cache
            .set_many(names.iter().map(|name| (&**name, &round)), Timeout::Forever)
            .await
            .expect("they are taken");
        let found = cache.get_many::<usize, _>(&names).await.expect("they are read");
        assert!(found.len() == 20 && found.values().all(|value| *value == round), "{round}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_write_keeps_nobody_waiting() {
    let directory = Directory::new();
    let cache = cache(&directory).await;
    // It is polled once and then neither polled nor dropped.
    let mut held = Box::pin(cache.aset("key", "held", Timeout::Forever));
    let begun = held.as_mut().poll(&mut Poller::from_waker(Waker::noop()));
    cache.aset("key", "later", Timeout::Forever).await.expect("it is taken");
    assert_eq!(cache.aget::<String>("key").await.expect("it is read").as_deref(), Some("later"));
    // A fast disk has done it by the end of that poll.
    let done = match begun {
        Poll::Ready(done) => done,
        Poll::Pending => held.await,
    };
    done.expect("it was done");
    assert_eq!(cache.aget::<String>("key").await.expect("it is read").as_deref(), Some("later"));
}

#[test]
fn a_runtime_that_ends_leaves_others_their_turn() {
    let directory = Directory::new();
    let lasting = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let lasting = lasting.expect("there are threads");
    let cache = lasting.block_on(cache(&directory));
    for round in 0..scaled(20) {
        let ending = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let ending = ending.expect("there are threads");
        // They are in their queues, and some are being done, when it ends.
        let begun = ending.block_on(async {
            let mut begun = Vec::new();
            for name in 0..50 {
                let own = cache.clone();
                let write = async move { own.aset(&name.to_string(), "text", Timeout::Forever).await };
                let mut write = Box::pin(write);
                if write.as_mut().poll(&mut Poller::from_waker(Waker::noop())).is_pending() {
                    begun.push(write);
                }
            }
            begun
        });
        ending.shutdown_background();
        lasting.block_on(async {
            for name in 0..50 {
                cache.aset(&name.to_string(), &round, Timeout::Forever).await.expect("it is taken");
                let found = cache.aget::<usize>(&name.to_string()).await.expect("it is read");
                assert_eq!(found, Some(round));
            }
            // Whoever waits for those learns what became of them.
            for write in begun {
                if let Err(error) = write.await {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                }
            }
        });
    }
}

/// Polls it once, and keeps it.
fn begun<F: Future>(work: F) -> Pin<Box<F>> {
    let mut work = Box::pin(work);
    let begun = work.as_mut().poll(&mut Poller::from_waker(Waker::noop()));
    assert!(begun.is_pending(), "somebody has the lock");
    work
}

/// The locks of the shards that these versions of a key are in.
async fn locks_of(directory: &Directory, cache: &Cache, versions: std::ops::Range<u64>) -> Vec<PathBuf> {
    let mut locks = Vec::new();
    for version in versions {
        let cache = cache.at_version(version);
        cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
        locks.push(directory.entry().with_file_name(".lock"));
        assert!(cache.adelete("key").await.expect("it is removed"));
    }
    locks
}

/// What could be done at once has been.
async fn for_a_while(cache: &Cache) {
    for _ in 0..600 {
        cache.aping().await.expect("it is answered");
    }
}

#[tokio::test]
async fn what_was_dropped_before_its_turn_is_not_done() {
    let directory = Directory::new();
    let cache = cache(&directory).await;
    let locks = locks_of(&directory, &cache, 1..2).await;
    let lock = held(&locks[0]);
    // All versions of a key have their turns one after the other.
    let first = begun(cache.aset("key", "first", Timeout::Forever));
    drop(begun(cache.at_version(2).aset("key", "dropped", Timeout::Forever)));
    drop(lock);
    first.await.expect("it is taken");
    cache.at_version(3).aset("key", "last", Timeout::Forever).await.expect("it is taken");
    assert!(!cache.at_version(2).ahas_key("key").await.expect("it is answered"));
}

#[tokio::test]
async fn a_clear_comes_after_what_was_begun_before_it() {
    let directory = Directory::new();
    let cache = cache(&directory).await;
    let locks = locks_of(&directory, &cache, 0..2).await;
    // A clear comes by the smaller one first.
    let (earlier, later) = if locks[0] < locks[1] { (0, 1) } else { (1, 0) };
    let lock = held(&locks[later]);
    let versions = [cache.at_version(0), cache.at_version(1)];
    let waits = begun(versions[later].aset("key", "text", Timeout::Forever));
    let behind = begun(versions[earlier].aset("key", "text", Timeout::Forever));
    let clear = tokio::spawn({
        let cache = cache.clone();
        async move { cache.aclear().await }
    });
    for_a_while(&cache).await;
    drop(lock);
    waits.await.expect("it is taken");
    behind.await.expect("it is taken");
    clear.await.expect("it does not panic").expect("it is cleared");
    assert!(directory.entries().is_empty());
}

/// Also where a function of the program's own makes the text.
#[tokio::test]
async fn a_move_and_what_follows_keep_their_order() {
    for is_custom in [false, true] {
        let directory = Directory::new();
        let store = FsStore::open(directory.path(), &FsSettings::default(), &Context::new("files")).await;
        let mut builder = Cache::builder(Arc::new(store.expect("the directory is fine"))).key_prefix("own");
        if is_custom {
            builder = builder.key_function(Arc::new(|key, _, version| format!("{key}/{version}")));
        }
        let cache = builder.build();
        // Several, since two of them may share a lane by chance.
        for version in 0..5 {
            let (from, to) = (cache.at_version(version), cache.at_version(version + 1));
            from.aset("key", "moved", Timeout::Forever).await.expect("it is taken");
            let lock = held(&directory.entry().with_file_name(".lock"));
            let moved = begun(from.aincr_version("key", 1));
            let mut follows = Box::pin(to.aset("key", "later", Timeout::Forever));
            let _ = follows.as_mut().poll(&mut Poller::from_waker(Waker::noop()));
            for_a_while(&cache).await;
            drop(lock);
            moved.await.expect("it is there");
            follows.await.expect("it is taken");
            assert_eq!(to.aget::<String>("key").await.expect("it is read").as_deref(), Some("later"));
            assert!(to.adelete("key").await.expect("it is removed"));
        }
    }
}

/// A clock that panics when it is next asked.
#[derive(Debug, Default)]
struct Panics(AtomicBool);

#[async_trait]
impl Clock for Panics {
    fn now(&self) -> Tick {
        SystemClock.now()
    }

    fn wall(&self) -> SystemTime {
        assert!(!self.0.swap(false, Ordering::SeqCst), "it is meant to panic");
        SystemClock.wall()
    }

    async fn sleep_until(&self, tick: Tick) {
        SystemClock.sleep_until(tick).await;
    }
}

/// A cache whose clock can panic, and the lock that the first write of `key` waits for.
async fn about_to_panic(directory: &Directory) -> (Arc<Panics>, Cache, std::fs::File) {
    let clock = Arc::new(Panics::default());
    let cache =
        cache_of("order", directory.path(), &FsSettings::default(), Arc::<Panics>::clone(&clock)).await;
    // The first round asks for the time too.
    eventually("it is over", async || directory.is_swept()).await;
    let locks = locks_of(directory, &cache, 1..2).await;
    (clock, cache, held(&locks[0]))
}

#[tokio::test]
async fn a_panic_takes_nobody_elses_turn() {
    let directory = Directory::new();
    let (clock, cache, lock) = about_to_panic(&directory).await;
    let panics = begun(cache.aset("key", "text", Timeout::Forever));
    let behind = cache.at_version(2);
    let behind = begun(behind.aset("key", "text", Timeout::Forever));
    clock.0.store(true, Ordering::SeqCst);
    drop(lock);
    assert_eq!(panics.await.expect_err("it was not done").kind(), ErrorKind::Closed);
    behind.await.expect("it is taken");
    assert!(!cache.ahas_key("key").await.expect("it is answered"));
    cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
}

/// What cannot be done is told, and the next one has its turn.
#[tokio::test]
async fn a_write_of_a_runtime_that_has_ended_is_told() {
    let directory = Directory::new();
    let cache = cache(&directory).await;
    let ended = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let ended = ended.expect("there are threads");
    let handle = ended.handle().clone();
    ended.shutdown_background();
    let mut write = Box::pin(cache.aset("key", "text", Timeout::Forever));
    let outcome = {
        let _runtime = handle.enter();
        write.as_mut().poll(&mut Poller::from_waker(Waker::noop()))
    };
    let outcome = match outcome {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => write.await,
    };
    assert_eq!(outcome.expect_err("it was not done").kind(), ErrorKind::Closed);
    cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
}

/// A lock that somebody removes while it is waited for locks nothing any more.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_lock_that_is_removed_is_made_again() {
    let directory = Directory::new();
    let cache = cache(&directory).await;
    cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
    // The first round waits for locks too.
    eventually("it is over", async || directory.is_swept()).await;
    let path = directory.entry().with_file_name(".lock");
    let lock = held(&path);
    let opened = || {
        let files = std::fs::read_dir("/proc/self/fd").expect("it is a directory").flatten();
        files.filter(|file| std::fs::read_link(file.path()).is_ok_and(|to| to == path)).count()
    };
    let waits = tokio::spawn({
        let cache = cache.clone();
        async move { cache.aset("key", "another", Timeout::Forever).await }
    });
    // Held by the test, opened by who wants it, and once more by the thread that waits.
    eventually("it is waited for", async || opened() == 3).await;
    std::fs::remove_file(&path).expect("it is there");
    drop(lock);
    waits.await.expect("it does not panic").expect("it is taken");
    assert!(path.exists());
}

/// Nor what a runtime that has ended left behind the panic.
#[tokio::test]
async fn a_panic_before_a_write_that_is_lost() {
    let directory = Directory::new();
    let (clock, cache, lock) = about_to_panic(&directory).await;
    let panics = begun(cache.aset("key", "text", Timeout::Forever));
    let ending = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let ending = ending.expect("there are threads");
    let versions = [cache.at_version(2), cache.at_version(3)];
    let lost = {
        let _runtime = ending.enter();
        begun(versions[0].aset("key", "text", Timeout::Forever))
    };
    ending.shutdown_background();
    let behind = begun(versions[1].aset("key", "text", Timeout::Forever));
    clock.0.store(true, Ordering::SeqCst);
    drop(lock);
    assert_eq!(panics.await.expect_err("it was not done").kind(), ErrorKind::Closed);
    assert_eq!(lost.await.expect_err("it was not done").kind(), ErrorKind::Closed);
    behind.await.expect("it is taken");
}
