//! Where a read may be answered by a replica that lags behind, whoever claims a
//! key asks the leader before the loader runs.

mod loads_voiding_rig;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Cache, CacheBuilder, Capabilities, Error, ErrorKind, Found, Incr, Key, Life, NewEntry,
    OnError, Ping, Read, ReadFrom, Result, Scope, Timeout, When, Write,
};
use cache_mem::{MemSettings, Values};
use cache_testkit::{Call, Faulty, ManualClock};
use tokio::sync::oneshot;

use loads_voiding_rig::counted::{Counted, decoded};
use loads_voiding_rig::{ALMOST, DEADLINE, KEY, OTHER, Rig, Shape, VERSION, hold_load, ms, settle, values};

/// A store whose replicas have nothing yet; only the leader tells the truth, and
/// gives a token to those who want one.
#[derive(Debug)]
struct Lagging {
    leader: Arc<Faulty>,
}

#[async_trait]
impl AsyncCache for Lagging {
    fn capabilities(&self) -> Capabilities {
        self.leader.capabilities().stale_reads(true)
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        if read.from != ReadFrom::Leader {
            return Ok(None);
        }
        let found = self.leader.aget(key, read).await?;
        Ok(found.map(|mut found| {
            found.token = found.token.filter(|_| read.token);
            found
        }))
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.leader.aset(key, value, write).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.leader.atouch(key, life).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.leader.adelete(key, when).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        Ok(self.aget(key, read).await?.is_some())
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        if read.from == ReadFrom::Leader { self.leader.alife(key, read).await } else { Ok(None) }
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.leader.aincr(key, incr).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.leader.amove(from, to).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        if read.from == ReadFrom::Leader {
            return self.leader.get_many(keys, read).await;
        }
        Ok(keys.iter().map(|_| Ok(None)).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        self.leader.set_many(items).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.leader.delete_many(keys).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.leader.aclear(scope).await
    }

    async fn aping(&self) -> Result<Ping> {
        self.leader.aping().await
    }

    async fn aclose(&self) -> Result<()> {
        self.leader.aclose().await
    }
}

/// The rig, and a handle whose reads lag behind its store.
fn lagging(settings: impl FnOnce(CacheBuilder) -> CacheBuilder) -> (Rig, Cache) {
    let rig = Rig::new(true);
    let store = Arc::new(Lagging { leader: Arc::clone(&rig.faulty) });
    let clock = Arc::<ManualClock>::clone(&rig.clock);
    let cache = settings(Cache::builder(store).clock(clock).version(VERSION)).build();
    (rig, cache)
}

/// What a caller gets, and how many loaders ran.
async fn load(cache: &Cache, value: i64) -> (Result<i64>, u64) {
    let got = cache.aget_or_set(KEY, Timeout::Default, async move || value).await;
    let stats = cache.stats();
    assert_eq!(stats.loading, 0);
    (got.map(|value| *value), stats.loads)
}

#[tokio::test]
async fn what_the_leader_has_is_not_loaded() {
    let (rig, cache) = lagging(|builder| builder);
    rig.put(KEY, 5_i64).await;
    let (got, loads) = load(&cache, 100).await;
    assert_eq!((got.expect("a value"), loads), (5, 0));
    assert_eq!(rig.stored(KEY).await, Some(5_i64));
    assert_eq!(rig.faulty.begun(Call::Set), 0, "nothing was published");
}

#[tokio::test]
async fn of_many_only_what_the_leader_has_not_is_loaded() {
    let (rig, cache) = lagging(|builder| builder);
    rig.put(KEY, 5_i64).await;
    let loader = |missing: Vec<String>| async move {
        assert_eq!(missing, [OTHER]);
        HashMap::from([(OTHER.to_owned(), 100_i64)])
    };
    let got = cache.get_or_set_many([KEY, OTHER], Timeout::Default, loader).await.expect("values");
    assert_eq!((*got[KEY], *got[OTHER]), (5, 100));
    assert_eq!(rig.stored(OTHER).await, Some(100_i64));
    assert_eq!(rig.faulty.begun(Call::GetMany), 1, "one look for all of them");
    // And if it has all, no loader runs.
    let none = |missing: Vec<String>| async move { panic!("{} are loaded", missing.len()) };
    let got: HashMap<_, Arc<i64>> =
        cache.get_or_set_many([KEY, OTHER], Timeout::Default, none).await.expect("values");
    assert_eq!((*got[KEY], *got[OTHER], cache.stats().loads), (5, 100, 1));
}

/// What has been found keeps the loader of the rest no longer alive than those
/// who wait for that.
#[tokio::test]
async fn of_many_the_loader_is_dropped_with_who_waits_for_what_the_leader_has_not() {
    let (rig, cache) = lagging(|builder| builder);
    rig.put(KEY, 5_i64).await;
    let (alive, (says_began, began)) = (Arc::new(()), oneshot::channel());
    let inside = Arc::clone(&alive);
    let caller = tokio::spawn(async move {
        let loader = |_| async move {
            says_began.send(()).expect("the test waits for it");
            pending::<()>().await;
            drop(inside);
            HashMap::<String, i64>::new()
        };
        cache.get_or_set_many([KEY, OTHER], Timeout::Default, loader).await
    });
    began.await.expect("the loader runs");
    assert_eq!(Arc::strong_count(&alive), 2);
    caller.abort();
    settle().await;
    assert_eq!(Arc::strong_count(&alive), 1, "the loader is dropped");
}

#[tokio::test]
async fn what_the_leader_has_not_is_loaded_and_stored_once() {
    let (rig, cache) = lagging(|builder| builder);
    let (got, loads) = load(&cache, 100).await;
    assert_eq!((got.expect("a value"), loads), (100, 1));
    assert_eq!(rig.stored(KEY).await, Some(100_i64));
    // No replica knows of it, and yet it is not loaded again.
    let (got, loads) = load(&cache, 200).await;
    assert_eq!((got.expect("a value"), loads), (100, 1));
}

#[tokio::test]
async fn what_the_leader_has_and_cannot_be_decoded_is_loaded() {
    let (rig, cache) = lagging(|builder| builder);
    rig.put(KEY, "no number".to_owned()).await;
    let (got, loads) = load(&cache, 100).await;
    assert_eq!((got.expect("a value"), loads), (100, 1));
    assert_eq!(rig.stored(KEY).await, Some(100_i64));
}

#[tokio::test]
async fn when_the_leader_does_not_answer_the_read_has_failed() {
    let (rig, cache) = lagging(|builder| builder);
    rig.faulty.on([Call::Get]).times(1).fail(ErrorKind::Connection);
    let (got, loads) = load(&cache, 100).await;
    assert_eq!((got.expect_err("the look failed").kind(), loads), (ErrorKind::Connection, 0));

    let (rig, cache) = lagging(|builder| builder.on_error(OnError::Miss));
    rig.faulty.on([Call::Get]).times(1).fail(ErrorKind::Connection);
    let (got, loads) = load(&cache, 100).await;
    assert_eq!((got.expect("a miss"), loads), (100, 1));
    assert_eq!(cache.stats().errors_as_misses, 1);
}

#[tokio::test]
async fn what_the_leader_has_is_decoded_once_for_all_who_wait() {
    for shape in [Shape::One, Shape::Batch] {
        let mut settings = MemSettings::default();
        settings.values = Values::Encoded;
        let rig = Rig::over(&settings, |promised| promised, |builder| builder);
        rig.put(KEY, "there".to_owned()).await;
        let leader = Arc::clone(&rig.faulty);
        let cache = Cache::builder(Arc::new(Lagging { leader })).version(loads_voiding_rig::VERSION).build();
        let before = decoded();
        let callers: Vec<_> =
            (0..100).map(|_| hold_load(&cache, shape, &[KEY], Counted("of no use".to_owned()))).collect();
        let mut shared: Option<Arc<Counted>> = None;
        for load in callers {
            let got = values(load.caller).await.remove(KEY).expect("the leader has it");
            assert_eq!(got.0, "there");
            assert!(Arc::ptr_eq(shared.get_or_insert_with(|| Arc::clone(&got)), &got), "they share it");
        }
        assert_eq!((cache.stats().load_waits, cache.stats().loads), (99, 0));
        assert_eq!(decoded() - before, 1);
    }
}

/// Its load is over, so that nobody waits for it in a circle.
#[tokio::test]
async fn a_loader_may_load_what_the_leader_had_of_its_batch() {
    for is_deleted in [false, true] {
        let (rig, cache) = lagging(|builder| builder);
        rig.put(KEY, 5_i64).await;
        let inner = cache.clone();
        let loader = move |missing: Vec<String>| async move {
            assert_eq!(missing, [OTHER]);
            if is_deleted {
                inner.adelete(KEY).await?;
            }
            let key = inner.aget_or_set(KEY, Timeout::Default, async || 7_i64).await?;
            Ok::<_, Error>(HashMap::from([(OTHER.to_owned(), 10 * *key)]))
        };
        let got = cache.get_or_try_set_many([KEY, OTHER], Timeout::Default, loader).await;
        let got = got.expect("it is no circle");
        assert_eq!((*got[KEY], *got[OTHER]), (5, if is_deleted { 70 } else { 50 }));
        assert_eq!(cache.stats().loading, 0);
    }
}

/// The look is a read like the first, with the same time.
#[tokio::test]
async fn when_the_leader_does_not_answer_in_time_the_read_has_failed() {
    for on_error in [OnError::Error, OnError::Miss] {
        let (rig, cache) = lagging(|builder| builder.deadline(DEADLINE).on_error(on_error));
        rig.faulty.on([Call::Get]).times(1).stall();
        let caller = tokio::spawn(async move { load(&cache, 100).await });
        rig.clock.pass(ALMOST).await;
        assert!(!caller.is_finished());
        rig.clock.pass(ms(12)).await;
        assert!(caller.is_finished(), "a read has no longer than that");
        let (got, loads) = caller.await.expect("no panic");
        let expected = if on_error == OnError::Miss { (Ok(100), 1) } else { (Err(ErrorKind::Deadline), 0) };
        assert_eq!((got.map_err(|error| error.kind()), loads), expected);
    }
}
