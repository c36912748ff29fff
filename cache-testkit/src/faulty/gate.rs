//! Where calls are held until a test lets them go.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

/// Holds the calls that come to it, tells the test that they are there, and
/// lets them go in any order.
///
/// All clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    arrived: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    open: bool,
    /// In the order in which they arrived.
    held: BTreeMap<usize, oneshot::Sender<()>>,
}

/// A place at the gate, given up when the call ends or is dropped.
struct Place<'a> {
    gate: &'a Gate,
    number: usize,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner { state: Mutex::default(), arrived: watch::Sender::new(0) }))
    }

    /// Ends when so many calls have arrived, those that are gone included.
    pub async fn reached(&self, calls: usize) {
        let mut arrived = self.0.arrived.subscribe();
        // The sender is in `self`, so this cannot fail.
        let _ = arrived.wait_for(|arrived| *arrived >= calls).await;
    }

    /// How many calls it holds right now.
    pub fn held(&self) -> usize {
        self.state().held.len()
    }

    /// Lets one call go: the one in this place among those held, 0 being who
    /// has waited longest. Says whether there was one.
    pub fn release(&self, place: usize) -> bool {
        let mut state = self.state();
        let Some(number) = state.held.keys().nth(place).copied() else { return false };
        let released = state.held.remove(&number);
        drop(state);
        released.is_some_and(|call| call.send(()).is_ok())
    }

    /// Lets all calls go, also those that have yet to come.
    pub fn open(&self) {
        let mut state = self.state();
        state.open = true;
        let held = std::mem::take(&mut state.held);
        drop(state);
        for (_, call) in held {
            // Whoever has left meanwhile needs no word.
            let _ = call.send(());
        }
    }

    pub(super) async fn pass(&self) {
        let Some((number, released)) = self.arrive() else { return };
        let _place = Place { gate: self, number };
        // Only `release` and `open` drop the sender, and both send first.
        let _ = released.await;
    }

    /// The call's number and what it waits for, unless the gate is open.
    fn arrive(&self) -> Option<(usize, oneshot::Receiver<()>)> {
        let mut state = self.state();
        let number = *self.0.arrived.borrow();
        // Under the lock, so that numbers are in the order of arrival.
        self.0.arrived.send_modify(|arrived| *arrived += 1);
        if state.open {
            return None;
        }
        let (release, released) = oneshot::channel();
        state.held.insert(number, release);
        Some((number, released))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.state().held.remove(&self.number);
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Gate").field("open", &state.open).field("held", &state.held.len()).finish()
    }
}
