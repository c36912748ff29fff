//! Every way to write one key.

use std::sync::Arc;

use cache_core::{AsyncCache, Entry, Format, Incr, Life, NewEntry, Read, Scope, Token, When, Write};
use cache_testkit::Call;

use super::{Asked, Rig, key, set};

/// How a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Set,
    Add,
    SetPresent,
    SetUnchanged,
    Touch,
    Delete,
    DeleteUnchanged,
    Incr,
    MoveAway,
    MoveHere,
    SetMany,
    DeleteMany,
    Clear,
}

impl WriteKind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Set,
        Self::Add,
        Self::SetPresent,
        Self::SetUnchanged,
        Self::Touch,
        Self::Delete,
        Self::DeleteUnchanged,
        Self::Incr,
        Self::MoveAway,
        Self::MoveHere,
        Self::SetMany,
        Self::DeleteMany,
        Self::Clear,
    ];

    /// The calls by which it can travel.
    pub(crate) fn calls(self) -> &'static [Call] {
        match self {
            Self::Set | Self::Add | Self::SetPresent | Self::SetUnchanged | Self::SetMany => {
                &[Call::Set, Call::SetMany]
            }
            Self::Touch => &[Call::Touch],
            Self::Delete | Self::DeleteUnchanged => &[Call::Delete],
            Self::Incr => &[Call::Incr],
            Self::MoveAway | Self::MoveHere => &[Call::Move],
            Self::DeleteMany => &[Call::DeleteMany],
            Self::Clear => &[Call::Clear],
        }
    }

    /// Writes the key, or moves it away to `other` or here from there; those
    /// that need a token use this one.
    pub(crate) fn write(
        self,
        rig: &Rig,
        name: &'static str,
        other: &'static str,
        value: i64,
        token: Option<Token>,
    ) -> Asked<()> {
        let layer = Arc::clone(&rig.layer);
        let format = Format::default();
        let unchanged = token.map_or(When::Always, When::Unchanged);
        Box::pin(async move {
            match self {
                Self::Set => set(&*layer, name, value, When::Always).await.map(drop),
                Self::Add => set(&*layer, name, value, When::Absent).await.map(drop),
                Self::SetPresent => set(&*layer, name, value, When::Present).await.map(drop),
                Self::SetUnchanged => set(&*layer, name, value, unchanged).await.map(drop),
                Self::Touch => layer.atouch(&key(name), Life::Forever).await.map(drop),
                Self::Delete => layer.adelete(&key(name), &When::Always).await.map(drop),
                Self::DeleteUnchanged => layer.adelete(&key(name), &unchanged).await.map(drop),
                Self::Incr => layer.aincr(&key(name), Incr::by(1)).await.map(drop),
                Self::MoveAway => layer.amove(&key(name), &key(other)).await.map(drop),
                Self::MoveHere => layer.amove(&key(other), &key(name)).await.map(drop),
                Self::SetMany => {
                    let entry = |value| NewEntry::of(Entry::from_integer(value), &format);
                    let write = Write::new(Life::Forever);
                    let items = [(key(other), entry(value), write.clone()), (key(name), entry(value), write)];
                    layer.set_many(&items).await?.into_iter().try_for_each(|answer| answer.map(drop))
                }
                Self::DeleteMany => layer.delete_many(&[key(other), key(name)]).await?.into_iter().collect(),
                Self::Clear => layer.aclear(&Scope::all()).await,
            }
        })
    }
}

/// The token of what is stored there, past the layer.
pub(crate) async fn token_of(rig: &Rig, name: &str) -> Option<Token> {
    let found = rig.faulty.aget(&key(name), Read::default().with_token()).await.expect("no fault");
    found.and_then(|found| found.token)
}
