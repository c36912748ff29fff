//! What the operations of a store are told, and what they answer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::clock::Tick;
use crate::entry::Entry;
use crate::life::Life;

/// How to read. [`Read::default`] reads anywhere and wants no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Read {
    /// Which server may answer.
    pub from: ReadFrom,
    /// Whether a token is wanted with the entry.
    pub token: bool,
    /// When the caller gives up, where that is sooner than the store's own
    /// deadline; else [`Tick::NEVER`]. A layer that tries one place after the
    /// other divides what is left of it; stores need not look at it.
    pub until: Tick,
}

/// Which server may answer a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadFrom {
    /// The leader or a replica.
    #[default]
    Any,
    /// Only the leader, which has seen every write.
    Leader,
}

/// An entry that was read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// What a later write can be conditional on, if it was asked for.
    pub token: Option<Token>,
}

/// Stands for what was read of one key: a write conditional on it takes effect
/// only while the entry is the one that was read.
///
/// What it is made of is the store's own matter. A number of each write (a
/// sequence number, a compare-and-set id) also tells an equal value that was
/// written anew, and an increment back and forth, from the one that was read;
/// bytes of the value or its digest cannot. Whether a touch changes it is left
/// to the store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(TokenRepr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum TokenRepr {
    Number(u64),
    Bytes(Bytes),
}

/// When a write takes effect. It stays as it is: a store that did not know a
/// condition would write against it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// In any case.
    #[default]
    Always,
    /// Only if there is no live entry.
    Absent,
    /// Only if there is a live entry.
    Present,
    /// Only if the entry is the one that this token came with.
    Unchanged(Token),
}

/// How to write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Write {
    /// When the write takes effect.
    pub when: When,
    /// The life that the entry then has.
    pub life: Life,
}

/// How to increment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incr {
    /// What is added; negative to count down.
    pub delta: i64,
}

/// What a clear removes, and the sign of life that it gives while it works.
#[derive(Debug)]
pub struct Scope<'a> {
    /// `Some`: only keys of this prefix, in all versions, see
    /// [`has_prefix`](crate::has_prefix). `None`: everything in the store.
    prefix: Option<&'a str>,
    steps: AtomicU64,
}

/// What a store knows of its size, at no cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// How many entries it holds, of all aliases that share it.
    pub entries: Option<u64>,
    /// How many bytes they take.
    pub bytes: Option<u64>,
}

impl Read {
    /// Reads from the leader only.
    pub const LEADER: Self = Self { from: ReadFrom::Leader, token: false, until: Tick::NEVER };

    /// The same read, with a token wanted.
    #[must_use]
    pub const fn with_token(mut self) -> Self {
        self.token = true;
        self
    }

    /// The same read, by a caller who gives up then.
    #[must_use]
    pub const fn until(mut self, until: Tick) -> Self {
        self.until = until;
        self
    }
}

impl Default for Read {
    fn default() -> Self {
        Self { from: ReadFrom::Any, token: false, until: Tick::NEVER }
    }
}

impl Found {
    /// An entry without a token.
    pub fn new(entry: Entry) -> Self {
        Self { entry, token: None }
    }

    /// The same entry with its token.
    #[must_use]
    pub fn with_token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }
}

impl Token {
    /// A token that is a number: a sequence number, a compare-and-set id.
    pub const fn from_number(number: u64) -> Self {
        Self(TokenRepr::Number(number))
    }

    /// A token that is bytes: a digest, the value itself.
    pub const fn from_bytes(bytes: Bytes) -> Self {
        Self(TokenRepr::Bytes(bytes))
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<u64> {
        match self.0 {
            TokenRepr::Number(number) => Some(number),
            TokenRepr::Bytes(_) => None,
        }
    }

    /// The bytes, if it is bytes.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            TokenRepr::Number(_) => None,
            TokenRepr::Bytes(bytes) => Some(bytes),
        }
    }
}

/// Its bytes may be those of the value.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Write {
    /// Writes in any case, with this life.
    pub const fn new(life: Life) -> Self {
        Self { when: When::Always, life }
    }

    /// The same write under a condition.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }
}

impl Incr {
    /// Adds this much.
    pub const fn by(delta: i64) -> Self {
        Self { delta }
    }
}

impl<'a> Scope<'a> {
    /// Everything in the store, whoever wrote it.
    pub const fn all() -> Self {
        Self { prefix: None, steps: AtomicU64::new(0) }
    }

    /// Only keys of this prefix, in all versions.
    pub const fn of_prefix(prefix: &'a str) -> Self {
        Self { prefix: Some(prefix), steps: AtomicU64::new(0) }
    }

    /// The prefix to keep to, or `None` for everything.
    pub fn prefix(&self) -> Option<&'a str> {
        self.prefix
    }

    /// Whether the clear removes the entry of this key.
    pub fn covers(&self, text: &str) -> bool {
        self.prefix.is_none_or(|prefix| crate::key::has_prefix(text, prefix))
    }

    /// Says that the clear has come further. One that makes no step for a
    /// whole deadline is ended.
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// How many steps were made.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}

impl Usage {
    /// So many entries; what bytes they take is not known.
    pub fn of_entries(entries: u64) -> Self {
        Self { entries: Some(entries), bytes: None }
    }

    /// The same, with the bytes that they take.
    #[must_use]
    pub fn of_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }
}
