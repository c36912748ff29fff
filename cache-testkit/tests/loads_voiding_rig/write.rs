//! Every way to write the key, and what each does to what is there.

use std::time::Duration;

use cache_core::{Cache, ErrorKind, Timeout};
use cache_testkit::Call;

use super::{KEY, VERSION};

/// What is written.
pub(crate) const WRITTEN: i64 = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Set,
    SetMany,
    Add,
    Incr,
    Decr,
    Touch,
    TouchZero,
    SetZero,
    SetManyZero,
    Delete,
    DeleteMany,
    /// To the next version.
    MoveAway,
    MoveAwayDownwards,
    /// From the version before.
    MoveHere,
    MoveHereDownwards,
    Clear,
}

/// Through which handle of the alias.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Via {
    Same,
    Clone,
    OtherVersion,
}

impl Via {
    pub(crate) const ALL: [Self; 3] = [Self::Same, Self::Clone, Self::OtherVersion];
}

impl Write {
    pub(crate) const ALL: [Self; 16] = [
        Self::Set,
        Self::SetMany,
        Self::Add,
        Self::Incr,
        Self::Decr,
        Self::Touch,
        Self::TouchZero,
        Self::SetZero,
        Self::SetManyZero,
        Self::Delete,
        Self::DeleteMany,
        Self::MoveAway,
        Self::MoveAwayDownwards,
        Self::MoveHere,
        Self::MoveHereDownwards,
        Self::Clear,
    ];

    /// Whether it is a delete in the sense of loads, which waits for a publish.
    pub(crate) fn removes(self) -> bool {
        !matches!(self, Self::Set | Self::SetMany | Self::Add | Self::Incr | Self::Decr | Self::Touch)
    }

    /// Whether the key is without an entry after it.
    pub(crate) fn leaves_nothing(self) -> bool {
        self.removes() && !self.moves_here()
    }

    pub(crate) fn moves_here(self) -> bool {
        matches!(self, Self::MoveHere | Self::MoveHereDownwards)
    }

    /// By which call it goes to the store.
    pub(crate) fn call(self) -> Call {
        match self {
            Self::Set | Self::Add => Call::Set,
            Self::SetMany => Call::SetMany,
            Self::Incr | Self::Decr => Call::Incr,
            Self::Touch => Call::Touch,
            Self::TouchZero | Self::SetZero | Self::Delete => Call::Delete,
            Self::SetManyZero | Self::DeleteMany => Call::DeleteMany,
            Self::MoveAway | Self::MoveAwayDownwards | Self::MoveHere | Self::MoveHereDownwards => Call::Move,
            Self::Clear => Call::Clear,
        }
    }

    /// What a store makes of it that does it in one step.
    pub(crate) fn apply(self, there: &mut Option<i64>) -> Result<(), ErrorKind> {
        match self {
            Self::Set | Self::SetMany | Self::MoveHere | Self::MoveHereDownwards => *there = Some(WRITTEN),
            Self::Add => *there = there.or(Some(WRITTEN)),
            Self::Incr => *there = Some(there.ok_or(ErrorKind::NotFound)? + 1),
            Self::Decr => *there = Some(there.ok_or(ErrorKind::NotFound)? - 1),
            Self::Touch => {}
            Self::MoveAway | Self::MoveAwayDownwards => drop(there.take().ok_or(ErrorKind::NotFound)?),
            Self::TouchZero
            | Self::SetZero
            | Self::SetManyZero
            | Self::Delete
            | Self::DeleteMany
            | Self::Clear => *there = None,
        }
        Ok(())
    }

    /// The version that a move to the key comes from.
    pub(crate) fn source(self) -> Option<u64> {
        match self {
            Self::MoveHere => Some(VERSION - 1),
            Self::MoveHereDownwards => Some(VERSION + 1),
            _ => None,
        }
    }

    /// Does it, through a handle that is made of this one.
    pub(crate) async fn run(self, cache: &Cache, via: Via) -> Result<(), ErrorKind> {
        let version = self.source().unwrap_or(VERSION);
        let cache = &match via {
            Via::Same if version == VERSION => return self.run_on(cache).await,
            Via::Same | Via::Clone => cache.clone().at_version(version),
            Via::OtherVersion => cache.at_version(90).at_version(version),
        };
        self.run_on(cache).await
    }

    async fn run_on(self, cache: &Cache) -> Result<(), ErrorKind> {
        let (default, zero) = (Timeout::Default, Duration::ZERO);
        let outcome = match self {
            Self::Set => cache.aset(KEY, &WRITTEN, default).await,
            Self::SetMany => cache.set_many([(KEY, &WRITTEN)], default).await,
            Self::Add => cache.aadd(KEY, &WRITTEN, default).await.map(drop),
            Self::Incr => cache.aincr(KEY, 1).await.map(drop),
            Self::Decr => cache.adecr(KEY, 1).await.map(drop),
            Self::Touch => cache.atouch(KEY, Timeout::Forever).await.map(drop),
            Self::TouchZero => cache.atouch(KEY, zero).await.map(drop),
            Self::SetZero => cache.aset(KEY, &WRITTEN, zero).await,
            Self::SetManyZero => cache.set_many([(KEY, &WRITTEN)], zero).await,
            Self::Delete => cache.adelete(KEY).await.map(drop),
            Self::DeleteMany => cache.delete_many([KEY]).await,
            Self::MoveAway | Self::MoveHere => cache.aincr_version(KEY, 1).await.map(drop),
            Self::MoveAwayDownwards | Self::MoveHereDownwards => cache.adecr_version(KEY, 1).await.map(drop),
            Self::Clear => cache.aclear().await,
        };
        outcome.map_err(|error| error.failures().first().map_or(error.kind(), |(_, error)| error.kind()))
    }
}
