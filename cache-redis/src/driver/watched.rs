//! Calls whose connection may end before it has taken notice of them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// What the call gives, or `None` if the connection is over: what is put into
/// the queue of a task that has just ended is answered by nobody.
///
/// What comes after it was cut off may be another's, and does not count.
pub(super) async fn watched<T>(
    mut call: Pin<&mut (impl Future<Output = T> + ?Sized)>,
    is_over: impl Fn() -> bool,
) -> Option<T> {
    poll_fn(|context| {
        let outcome = call.as_mut().poll(context);
        // Asked after it was put into the queue, and not before.
        if is_over() { Poll::Ready(None) } else { outcome.map(Some) }
    })
    .await
}
