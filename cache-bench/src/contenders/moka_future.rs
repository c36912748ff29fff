//! moka's cache for tasks.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::hint::black_box;
use std::sync::Arc;

use moka::future::Cache;

use super::loads::Loads;
use crate::contender::{Contender, Opened};
use crate::operation::Operation;
use crate::workload::{CAPACITY, LIFE, User, absent_keys, now, user, warm_keys};

pub const NAME: &str = "moka future";

pub fn of(operation: Operation) -> Contender {
    let open = match operation {
        Operation::Hit => hit,
        Operation::Get => get,
        Operation::Miss => miss,
        Operation::Set => set,
        Operation::SetArc => set_arc,
        Operation::Incr => incr,
        Operation::LoadHit | Operation::LoadMiss => unreachable!("loads are contenders of their own"),
    };
    Contender { name: NAME, open }
}

pub struct Loading(Cache<String, Arc<User>>);

impl Loads for Loading {
    const NAME: &'static str = "moka future try_get_with";
    type Error = Arc<Infallible>;

    fn open(capacity: usize) -> Self {
        Self(with_room_for(capacity))
    }

    fn get_or_load<'a, L, F>(
        &'a self,
        key: &'a str,
        loader: L,
    ) -> impl Future<Output = Result<Arc<User>, Self::Error>> + Send + 'a
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = User> + Send + 'static,
    {
        self.0.try_get_with_by_ref(key, async { Ok(Arc::new(loader().await)) })
    }
}

fn with_room_for<V: Clone + Send + Sync + 'static>(capacity: usize) -> Cache<String, V> {
    Cache::builder().max_capacity(capacity as u64).time_to_live(LIFE).build()
}

fn filled<V: Clone + Send + Sync + 'static>(value: impl Fn() -> V) -> Cache<String, V> {
    let cache = with_room_for(CAPACITY);
    warm_keys().into_iter().for_each(|key| now(cache.insert(key, value())));
    cache
}

fn users() -> Cache<String, Arc<User>> {
    filled(|| Arc::new(user()))
}

fn hit() -> Opened {
    let cache = users();
    Opened::awaiting(warm_keys(), async move |key| black_box(cache.get(key).await).is_some())
}

fn get() -> Opened {
    let cache = users();
    Opened::awaiting(warm_keys(), async move |key| {
        let user = cache.get(key).await.map(|user| User::clone(&user));
        black_box(user).is_some()
    })
}

fn miss() -> Opened {
    let cache = users();
    Opened::awaiting(absent_keys(), async move |key| black_box(cache.get(key).await).is_none())
}

fn set() -> Opened {
    let (cache, user) = (users(), user());
    Opened::awaiting(warm_keys(), async move |key| {
        cache.insert(key.to_owned(), Arc::new(black_box(&user).clone())).await;
        true
    })
}

fn set_arc() -> Opened {
    let (cache, user) = (users(), Arc::new(user()));
    Opened::awaiting(warm_keys(), async move |key| {
        cache.insert(key.to_owned(), Arc::clone(black_box(&user))).await;
        true
    })
}

/// It makes the entry anew, so that its life begins anew too.
fn incr() -> Opened {
    let cache = filled(|| 0_i64);
    Opened::awaiting(warm_keys(), async move |key| {
        let added = cache
            .entry_by_ref(key)
            .and_upsert_with(|entry| ready(entry.map_or(0, |entry| entry.into_value()) + 1))
            .await;
        black_box(added.into_value()) > 0
    })
}
