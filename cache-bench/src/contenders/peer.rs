//! What a peer has to be able to do, and the operations made of it.

use std::hint::black_box;
use std::sync::Arc;

use crate::contender::{Contender, Opened};
use crate::operation::Operation;
use crate::workload::{User, absent_keys, user, warm_keys};

/// A cache of somebody else's that shares its values.
pub trait Peer: Send + Sync + 'static {
    const NAME: &'static str;

    /// What a look-up gives.
    type Found;

    fn open() -> Self;
    fn get(&self, key: &str) -> Option<Self::Found>;
    fn set(&self, key: String, user: Arc<User>);
    fn user(found: &Self::Found) -> &User;
}

/// The same cache with numbers in it, if it can add to one in one step.
pub trait PeerCounts: Send + Sync + 'static {
    fn open() -> Self;
    fn set(&self, key: String, count: i64);
    /// The sum.
    fn incr(&self, key: &str) -> i64;
}

pub fn of<P: Peer>(operation: Operation) -> Contender {
    let open = match operation {
        Operation::Hit => hit::<P>,
        Operation::Get => get::<P>,
        Operation::Miss => miss::<P>,
        Operation::Set => set::<P>,
        Operation::SetArc => set_arc::<P>,
        Operation::Incr => unreachable!("counters are contenders of their own"),
        Operation::LoadHit | Operation::LoadMiss => unreachable!("loads are contenders of their own"),
    };
    Contender { name: P::NAME, open }
}

pub fn incr<C: PeerCounts>(name: &'static str) -> Contender {
    let open = || {
        let cache = C::open();
        warm_keys().into_iter().for_each(|key| cache.set(key, 0));
        Opened::calling(warm_keys(), move |key| black_box(cache.incr(key)) > 0)
    };
    Contender { name, open }
}

fn filled<P: Peer>() -> P {
    let cache = P::open();
    warm_keys().into_iter().for_each(|key| cache.set(key, Arc::new(user())));
    cache
}

fn hit<P: Peer>() -> Opened {
    let cache = filled::<P>();
    Opened::calling(warm_keys(), move |key| black_box(cache.get(key)).is_some())
}

fn get<P: Peer>() -> Opened {
    let cache = filled::<P>();
    Opened::calling(warm_keys(), move |key| {
        let user = cache.get(key).map(|found| P::user(&found).clone());
        black_box(user).is_some()
    })
}

fn miss<P: Peer>() -> Opened {
    let cache = filled::<P>();
    Opened::calling(absent_keys(), move |key| black_box(cache.get(key)).is_none())
}

fn set<P: Peer>() -> Opened {
    let (cache, user) = (filled::<P>(), user());
    Opened::calling(warm_keys(), move |key| {
        cache.set(key.to_owned(), Arc::new(black_box(&user).clone()));
        true
    })
}

fn set_arc<P: Peer>() -> Opened {
    let (cache, user) = (filled::<P>(), Arc::new(user()));
    Opened::calling(warm_keys(), move |key| {
        cache.set(key.to_owned(), Arc::clone(black_box(&user)));
        true
    })
}
