//! What keeps those who have left from piling up in a queue that stands still.

use std::collections::VecDeque;

/// When a queue is looked through again: each time it has doubled, so that a
/// push costs the same on the average however long the queue is.
pub(super) struct Sweep {
    at: usize,
}

/// A shorter queue is left as it is.
const SHORT: usize = 64;

impl Sweep {
    pub(super) fn after_push<T>(&mut self, queue: &mut VecDeque<T>, is_gone: impl Fn(&T) -> bool) {
        if queue.len() >= self.at {
            queue.retain(|item| !is_gone(item));
            self.at = SHORT.max(2 * queue.len());
        }
    }
}

impl Default for Sweep {
    fn default() -> Self {
        Self { at: SHORT }
    }
}
