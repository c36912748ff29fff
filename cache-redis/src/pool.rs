//! The connections of one store, and which of them a key goes by.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use cache_core::{Context, Key};
use foldhash::fast::FixedState;
use futures::future::join_all;

use crate::settings::RedisSettings;
use crate::slot::Slot;

/// The connections of one store.
///
/// Every write of a key goes by one of them, so that what was written last is
/// last: commands on one connection keep their order, also those whose
/// callers have gone.
#[derive(Debug)]
pub(crate) struct Pool {
    slots: Vec<Slot>,
}

impl Pool {
    pub(crate) fn new(settings: &RedisSettings, context: &Context) -> Self {
        Self { slots: (0..settings.pool_size).map(|_| Slot::new(settings, context)).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn slot(&self, number: usize) -> &Slot {
        &self.slots[number]
    }

    /// The connection of this key.
    pub(crate) fn of(&self, key: &Key<'_>) -> &Slot {
        self.slot(self.number_of(key))
    }

    /// Which connection is this key's. All versions of a key share it, since a
    /// move writes to two of them; where a custom key function makes the text,
    /// versions cannot be told, and all keys do.
    pub(crate) fn number_of(&self, key: &Key<'_>) -> usize {
        if key.space().is_custom() { 0 } else { self.number_of_name(key.prefix(), key.name().as_bytes()) }
    }

    /// The same, of a key of this prefix whose name is this.
    pub(crate) fn number_of_name(&self, prefix: &str, name: &[u8]) -> usize {
        if self.slots.len() == 1 {
            return 0;
        }
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(prefix.as_bytes());
        hasher.write_u8(b':');
        hasher.write(name);
        usize::try_from(hasher.finish() % self.slots.len() as u64).unwrap_or(0)
    }

    /// The positions of the items, by the connection that each goes by.
    pub(crate) fn grouped<'k>(&self, keys: impl Iterator<Item = Key<'k>>) -> Vec<Vec<usize>> {
        let mut groups = vec![Vec::new(); self.slots.len()];
        for (position, key) in keys.enumerate() {
            groups[self.number_of(&key)].push(position);
        }
        groups
    }

    /// Closes all connections. Commands under way may end within `patience`.
    pub(crate) async fn close(&self, context: &Context, patience: Duration) {
        let until = context.clock.precise().after(patience);
        let drained = context.timer.limit(until, join_all(self.slots.iter().map(Slot::close))).await;
        if drained.is_err() {
            self.slots.iter().for_each(Slot::cut);
        }
    }
}
