//! What all contenders keep and look up: 1,024 keys of 20 bytes, and a struct
//! with a `String` and a `Vec`.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub scores: Vec<u32>,
}

/// So many keys are warm.
pub const KEYS: usize = 1_024;

/// Room enough that nothing is evicted, however unevenly shards fill.
pub const CAPACITY: usize = KEYS * 4;

/// So many keys can be asked for once each, by all threads together.
const COLD_KEYS: usize = 131_072;

/// Room enough for all of them.
pub const ROOM: usize = COLD_KEYS * 2;

/// Long enough that nothing expires.
pub const LIFE: Duration = Duration::from_secs(3_600);

pub fn user() -> User {
    User { name: "Ada Lovelace".to_owned(), scores: vec![1, 2, 3] }
}

pub fn warm_keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("session:{number:012}")).collect()
}

/// Keys of the same shape that nobody sets.
pub fn absent_keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("nowhere:{number:012}")).collect()
}

/// Keys of the same shape that are asked for once each.
pub fn cold_keys() -> Arc<[String]> {
    static KEYS: LazyLock<Arc<[String]>> =
        LazyLock::new(|| (0..COLD_KEYS).map(|number| format!("unknown:{number:012}")).collect());
    Arc::clone(&KEYS)
}

/// The output of a future that is mostly ready when it is first polled: of all
/// contenders only moka's writes ever wait, for room in a queue.
pub fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}
