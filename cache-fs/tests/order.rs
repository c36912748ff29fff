//! The order of a key's writes: one that was dropped never comes after one that
//! was acknowledged later, and one that was not begun is not done.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, Waker};

use cache_core::{Cache, ErrorKind, SystemClock, Timeout};
use cache_fs::FsSettings;

mod directory;
mod scale;

use directory::{Directory, cache_of};
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
