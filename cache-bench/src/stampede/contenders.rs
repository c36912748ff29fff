//! Who is asked: caches that load once for all who ask, and to compare with,
//! one that is read through by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use cache_core::{Cache, Error};

use super::herd::{Outcome, Traces, herd};
use crate::contenders::loads::Loads;
use crate::contenders::{CachedLoading, MokaLoading, QuickCacheLoading};
use crate::workload::{LIFE, User};

#[derive(Clone, Copy)]
pub struct Contender {
    pub name: &'static str,
    pub run: fn(Traces) -> Running,
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

pub const OURS: &str = <Cache as Loads>::NAME;

/// The first is what the others are compared with.
pub fn all() -> [Contender; 5] {
    [of::<MokaLoading>(), of::<QuickCacheLoading>(), of::<CachedLoading>(), of::<Cache>(), of::<ByHand>()]
}

fn of<C: Loads>() -> Contender {
    Contender { name: C::NAME, run: |traces| Box::pin(herd::<C>(traces)) }
}

/// As a program does that knows no loads: everybody who misses loads.
struct ByHand(Cache);

impl Loads for ByHand {
    const NAME: &'static str = "aget_arc, and else load and aset";
    type Error = Error;

    fn open(capacity: usize) -> Self {
        Self(<Cache as Loads>::open(capacity))
    }

    async fn get_or_load<'a, L, F>(&'a self, key: &'a str, loader: L) -> Result<Arc<User>, Error>
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = User> + Send + 'static,
    {
        if let Some(user) = self.0.aget_arc(key).await? {
            return Ok(user);
        }
        let user = Arc::new(loader().await);
        self.0.aset_arc(key, Arc::clone(&user), LIFE).await?;
        Ok(user)
    }
}
