//! The trait that every store and every layer implements.

use std::fmt;

use async_trait::async_trait;

use crate::capabilities::Capabilities;
use crate::entry::{Entry, NewEntry};
use crate::error::Result;
use crate::key::Key;
use crate::life::Life;
use crate::options::{Found, Incr, Read, Scope, Usage, When, Write};
use crate::ping::Ping;

/// A store, or a layer around one: few primitives, no policy.
///
/// Programs use [`Cache`](crate::Cache), which is typed and resolves timeouts,
/// key checks and decode errors once for all stores. Implementors write these
/// methods; conveniences are added to the handle, never here, so that no
/// implementation breaks. The conformance suite in `cache-testkit` is the
/// definition of what each has to do.
///
/// Each method boxes its future, which is nothing beside a round trip. A store
/// in memory answers [`probe`](Self::probe) instead, so that a hit allocates
/// nothing.
///
/// # What holds for every method
///
/// * A missing or expired entry is absent, never an error; a failure is never
///   reported as absence.
/// * Any future may be dropped at any await point; that must neither leak a
///   connection nor give a later caller a wrong answer.
/// * Errors hold neither keys nor values. Their kinds say what a caller can do:
///   `Connection` and `Deadline` that there was no answer; `Auth`, `Server`,
///   `ReadOnly`, `Missing`, `Overloaded` and `Full` what the answer was;
///   `InvalidKey`, `TooLarge` and `Codec` what is wrong with the call;
///   `Unsupported` what the capabilities do not promise; `Closed` what comes
///   after closing. Nothing is tried twice.
#[async_trait]
pub trait AsyncCache: Send + Sync + fmt::Debug + 'static {
    /// What the store promises under its present settings. It does not change.
    fn capabilities(&self) -> Capabilities;

    /// The synchronous fast path of a read: only for stores that can answer
    /// without waiting.
    fn probe(&self, _key: &Key<'_>) -> Probe {
        Probe::Await
    }

    /// What is known of the store's size, at no cost.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// The entry of the key.
    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>>;

    /// Writes the entry and its life together; says whether it did, which under
    /// [`When::Always`] is never false.
    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool>;

    /// Gives a live entry this life and leaves its value; false if there is none.
    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool>;

    /// Removes the entry; says whether there was a live one.
    ///
    /// Of the conditions, `Unchanged` holds as for a write, `Present` means
    /// `Always`, and `Absent` removes nothing.
    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool>;

    /// Whether there is a live entry.
    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool>;

    /// The remaining life of the entry, `None` if there is none.
    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>>;

    /// Adds to an integer in one step, its life untouched, and answers the sum;
    /// `None` if there is no live entry: one is never made.
    ///
    /// # Errors
    ///
    /// [`NotAnInteger`](crate::ErrorKind::NotAnInteger) if something else is
    /// stored, [`Overflow`](crate::ErrorKind::Overflow) beyond 64 bits; in both
    /// cases nothing changes.
    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>>;

    /// Moves the entry, its life with it, over whatever stands there; false if
    /// there is nothing to move. The two texts differ.
    ///
    /// A store whose capabilities do not say
    /// [`atomic_move`](Capabilities::atomic_move) is never asked.
    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool>;

    /// The entries of the keys, in their order, with a failure per key.
    /// Keys may repeat. At most [`read_batch`](Capabilities::read_batch) of them.
    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>>;

    /// Writes the entries, each with a life and under a condition of its own,
    /// in their order where keys repeat, with a failure per key; says of each
    /// whether it was written, which under [`When::Always`] is never false. At
    /// most [`write_batch`](Capabilities::write_batch) of them.
    ///
    /// Each item is one step, as in [`aset`](Self::aset); all of them together
    /// are none. Its condition is judged once the items before it have been
    /// done: of two items under `Absent` with one key the second is refused.
    /// A store without [`tokens`](Capabilities::tokens) answers an item under
    /// `Unchanged` with `Unsupported`, as its `aset` does, and does the others.
    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>>;

    /// Removes the entries, with a failure per key. At most
    /// [`write_batch`](Capabilities::write_batch) of them.
    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>>;

    /// Removes what the scope covers and nothing else. An entry whose write
    /// was acknowledged before the clear began is gone when it ends; what is
    /// written meanwhile may go or stay. It calls [`Scope::step`] as it goes.
    async fn aclear(&self, scope: &Scope<'_>) -> Result<()>;

    /// Asks whether the store is there.
    async fn aping(&self) -> Result<Ping>;

    /// Lets go of what the store holds: connections, files, tasks.
    async fn aclose(&self) -> Result<()>;
}

/// What [`AsyncCache::probe`] can tell without waiting.
#[derive(Debug)]
pub enum Probe {
    /// There is a live entry.
    Hit(Entry),
    /// There is none.
    Miss,
    /// The caller has to await `aget`.
    Await,
}
