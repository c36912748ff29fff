//! What the environment says of chance and size.

#![allow(dead_code, reason = "not every test needs all of it")]
#![expect(clippy::print_stderr, reason = "a failure can be repeated by the seed")]

use std::env;

/// Random numbers of the seed `CACHE_TEST_SEED`, or of a new one; it is
/// printed, so that a failure can be repeated.
pub(crate) fn dice(test: &str) -> fastrand::Rng {
    let seed = number("CACHE_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("{test}: CACHE_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// This many, times `CACHE_TEST_SCALE`.
pub(crate) fn scaled(count: usize) -> usize {
    let scale = number("CACHE_TEST_SCALE").unwrap_or(1).max(1);
    count * usize::try_from(scale).expect("the scale fits")
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{variable}` has to be a number")))
}
