//! What a cache has to be able to do that loads what is missing, and the
//! operations made of it.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;

use crate::contender::{Contender, Opened};
use crate::operation::Operation;
use crate::task;
use crate::workload::{CAPACITY, ROOM, User, user, warm_keys};

/// A cache that loads what is missing, once for all who ask at the same time.
pub trait Loads: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    type Error: std::fmt::Debug + Send;

    fn open(capacity: usize) -> Self;

    fn get_or_load<'a, L, F>(
        &'a self,
        key: &'a str,
        loader: L,
    ) -> impl Future<Output = Result<Arc<User>, Self::Error>> + Send + 'a
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = User> + Send + 'static;
}

pub fn of<C: Loads>(operation: Operation) -> Contender {
    let open = match operation {
        Operation::LoadHit => hit::<C>,
        Operation::LoadMiss => miss::<C>,
        _ => unreachable!("whoever loads has other contenders for all else"),
    };
    Contender { name: C::NAME, open }
}

fn hit<C: Loads>() -> Opened {
    let cache = task::run(async {
        let cache = C::open(CAPACITY);
        for key in warm_keys() {
            cache.get_or_load(&key, || async { user() }).await.expect("the loader never fails");
        }
        cache
    });
    Opened::awaiting(warm_keys(), async move |key| {
        black_box(cache.get_or_load(key, || async { user() }).await).is_ok()
    })
}

fn miss<C: Loads>() -> Opened {
    let open = || C::open(ROOM);
    Opened::cold(open, |cache: Arc<C>, keys| async move {
        for key in keys.iter() {
            let user = black_box(cache.get_or_load(key, || async { user() }).await);
            user.expect("the loader never fails");
        }
    })
}
