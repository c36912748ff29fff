//! Chance that can be repeated.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(clippy::print_stderr, reason = "a failure can be repeated by the seed")]

/// Random numbers of the seed `CACHE_TEST_SEED`, or of a new one, which is
/// printed.
pub(crate) fn dice(test: &str) -> fastrand::Rng {
    let seed = std::env::var("CACHE_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().expect("it is a number"));
    eprintln!("{test}: CACHE_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
