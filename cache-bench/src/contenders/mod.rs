//! Who is measured: us and our peers, each as its own docs would use it.

mod cached;
mod foyer;
pub mod loads;
mod moka_future;
mod moka_sync;
pub mod ours;
mod peer;
mod quick_cache;

use crate::contender::Contender;
use crate::operation::Operation;
use peer::Peer as _;

pub const QUICK_CACHE: &str = quick_cache::QuickCache::NAME;
pub use cached::Loading as CachedLoading;
pub use moka_future::{Loading as MokaLoading, NAME as MOKA_FUTURE};
pub use quick_cache::Loading as QuickCacheLoading;

/// The contenders of this operation; the first is what the others are compared with.
pub fn of(operation: Operation) -> Vec<Contender> {
    let mut contenders = peers(operation);
    contenders.extend(ours::of(operation));
    contenders
}

fn peers(operation: Operation) -> Vec<Contender> {
    match operation {
        // Those that can add to a counter in one step.
        Operation::Incr => vec![
            peer::incr::<quick_cache::Counts>(QUICK_CACHE),
            peer::incr::<moka_sync::Counts>(moka_sync::MokaSync::NAME),
            moka_future::of(operation),
        ],
        // Those that can load once for all tasks that ask.
        Operation::LoadHit | Operation::LoadMiss => vec![
            loads::of::<quick_cache::Loading>(operation),
            loads::of::<moka_future::Loading>(operation),
            loads::of::<cached::Loading>(operation),
        ],
        _ => vec![
            peer::of::<quick_cache::QuickCache>(operation),
            peer::of::<moka_sync::MokaSync>(operation),
            moka_future::of(operation),
            peer::of::<foyer::Foyer>(operation),
            peer::of::<cached::Cached>(operation),
        ],
    }
}
