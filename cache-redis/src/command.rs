//! What is sent to a server: a command, its parts borrowed from the caller.

use bytes::Bytes;
use cache_core::Key;
use smallvec::{SmallVec, smallvec};

use crate::life::Expiry;

/// One command. Drivers know how to send it and nothing of what it means.
#[derive(Clone)]
pub(crate) struct Command<'a> {
    pub(crate) name: &'static str,
    pub(crate) args: SmallVec<[Arg<'a>; 6]>,
}

/// One argument of a command.
#[derive(Clone)]
pub(crate) enum Arg<'a> {
    /// A word of the protocol.
    Word(&'static str),
    Key(Key<'a>),
    Text(&'a str),
    Value(Bytes),
    Integer(i64),
}

/// When a `SET` takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum If {
    Always,
    Absent,
    Present,
}

impl<'a> Command<'a> {
    pub(crate) fn get(key: Key<'a>) -> Self {
        Self { name: "GET", args: smallvec![Arg::Key(key)] }
    }

    pub(crate) fn mget(keys: &[Key<'a>]) -> Self {
        Self { name: "MGET", args: keys.iter().copied().map(Arg::Key).collect() }
    }

    /// `SET`, with the life in the same command: no entry is ever without the
    /// life that it should have.
    pub(crate) fn set(key: Key<'a>, value: Arg<'a>, life: Expiry, when: If) -> Self {
        let mut args = smallvec![Arg::Key(key), value];
        match when {
            If::Always => {}
            If::Absent => args.push(Arg::Word("NX")),
            If::Present => args.push(Arg::Word("XX")),
        }
        if let Expiry::After(milliseconds) = life {
            args.push(Arg::Word("PX"));
            args.push(Arg::Integer(milliseconds));
        }
        Self { name: "SET", args }
    }

    pub(crate) fn exists(key: Key<'a>) -> Self {
        Self { name: "EXISTS", args: smallvec![Arg::Key(key)] }
    }

    pub(crate) fn unlink(keys: impl IntoIterator<Item = Arg<'a>>) -> Self {
        Self { name: "UNLINK", args: keys.into_iter().collect() }
    }

    pub(crate) fn pexpire(key: Key<'a>, milliseconds: i64) -> Self {
        Self { name: "PEXPIRE", args: smallvec![Arg::Key(key), Arg::Integer(milliseconds)] }
    }

    pub(crate) fn pttl(key: Key<'a>) -> Self {
        Self { name: "PTTL", args: smallvec![Arg::Key(key)] }
    }

    pub(crate) fn rename(from: Key<'a>, to: Key<'a>) -> Self {
        Self { name: "RENAME", args: smallvec![Arg::Key(from), Arg::Key(to)] }
    }

    /// A script by its digest, or by its text for a server that has not seen
    /// it yet.
    pub(crate) fn script(
        name: &'static str,
        script: &'static str,
        keys: impl IntoIterator<Item = Key<'a>, IntoIter: ExactSizeIterator>,
        script_args: impl IntoIterator<Item = Arg<'a>>,
    ) -> Self {
        let keys = keys.into_iter();
        let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        let mut args = smallvec![Arg::Word(script), Arg::Integer(count)];
        args.extend(keys.map(Arg::Key));
        args.extend(script_args);
        Self { name, args }
    }

    pub(crate) fn scan(cursor: Bytes, pattern: &'a str, count: i64) -> Self {
        let (matching, counting) = (Arg::Word("MATCH"), Arg::Word("COUNT"));
        let args = smallvec![Arg::Value(cursor), matching, Arg::Text(pattern), counting, Arg::Integer(count)];
        Self { name: "SCAN", args }
    }

    /// The server frees the memory behind everybody's back.
    pub(crate) fn flush() -> Self {
        Self { name: "FLUSHDB", args: smallvec![Arg::Word("ASYNC")] }
    }

    pub(crate) fn ping() -> Self {
        Self { name: "PING", args: smallvec![] }
    }

    pub(crate) fn info_of_replication() -> Self {
        Self { name: "INFO", args: smallvec![Arg::Word("replication")] }
    }

    #[cfg(feature = "redis-rs")]
    pub(crate) fn auth(username: Option<&'a str>, password: &'a str) -> Self {
        Self { name: "AUTH", args: username.into_iter().chain([password]).map(Arg::Text).collect() }
    }

    pub(crate) fn select(database: i64) -> Self {
        Self { name: "SELECT", args: smallvec![Arg::Integer(database)] }
    }

    pub(crate) fn set_client_name(name: &'a str) -> Self {
        Self { name: "CLIENT", args: smallvec![Arg::Word("SETNAME"), Arg::Text(name)] }
    }
}

impl Arg<'_> {
    /// About how many bytes it takes.
    #[cfg(feature = "redis-rs")]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Word(word) => word.len(),
            Self::Key(key) => key.len(),
            Self::Text(text) => text.len(),
            Self::Value(bytes) => bytes.len(),
            Self::Integer(_) => 20,
        }
    }
}
