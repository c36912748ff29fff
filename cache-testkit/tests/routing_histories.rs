//! Histories made by chance, against what the leader had written: no read sees
//! what is too old, none fails while the leader is well, all end in time, and
//! nothing is left.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod chance;
mod routing_history;
mod routing_rig;

use chance::{dice, scaled};
use routing_history::{Tally, history};

#[tokio::test]
async fn no_history_shows_what_may_not_be_seen() {
    // The first one has the seed that is printed, and each the next one: so the
    // seed of a failure begins with it.
    let first = dice("no_history_shows_what_may_not_be_seen").get_seed();
    let mut tally = Tally::default();
    let histories = scaled(1_000);
    for number in 0..histories {
        tally += history(first.wrapping_add(number as u64)).await;
    }
    eprintln!("{histories} histories: {tally:?}");
    assert!(tally.least() >= histories as u64 / 20, "the mixture says little");
}
