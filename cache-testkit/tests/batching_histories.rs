//! Whatever callers do and the store makes of it: every answer can be
//! explained, nobody hangs, and nothing is left.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod batching_history;
mod batching_rig;
mod chance;

use std::panic;

use fastrand::Rng;

use batching_history::{Tally, run};
use chance::{dice, scaled};

/// The panics of the store are meant; all others are shown.
fn silence_the_store() {
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_meant = info.payload_as_str().is_some_and(|text| text.starts_with("the store panics"));
        if !is_meant {
            shown(info);
        }
    }));
}

/// A failure says the seed of its own history, with which it comes first; which
/// keys share a lane is chance all the same.
#[tokio::test]
async fn every_answer_of_every_history_can_be_explained() {
    silence_the_store();
    let mut seed = dice("every_answer_of_every_history_can_be_explained").get_seed();
    let mut tally = Tally::default();
    let count = scaled(2_000);
    for number in 0..count {
        let history = tokio::spawn(run(Rng::with_seed(seed)));
        let one =
            history.await.unwrap_or_else(|_| panic!("history {number} of {count}: CACHE_TEST_SEED={seed}"));
        tally.add(&one);
        // Its own state would go on where this one has been.
        seed = Rng::with_seed(seed).u64(..);
    }
    eprintln!("{count} histories: {tally:?}");
    assert!(tally.undecided <= count as u64 / 100, "too much is too much for the judge");
    let least = count as u64 / 100;
    let Tally { answered, failed, too_late, panicked, dropped, batches, batched, .. } = tally;
    let met = [answered, failed, too_late, panicked, dropped, batches, batched];
    assert!(met.iter().all(|met| *met >= least), "the mixture says little: {met:?}");
    assert!(batched > batches + batches / 10, "nothing travels together");
}
