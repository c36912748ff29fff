//! What the environment says of chance and size.

use std::env;
use std::str::FromStr;

/// The seed of this run's random cases, `CACHE_TEST_SEED`, or one that is new.
pub(crate) fn seed() -> u64 {
    number("CACHE_TEST_SEED").unwrap_or_else(|| fastrand::u64(..))
}

/// How many times larger than by default the cases are, `CACHE_TEST_SCALE`.
pub(crate) fn scale() -> usize {
    number("CACHE_TEST_SCALE").unwrap_or(1).max(1)
}

fn number<T: FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    let Ok(number) = text.parse() else { panic!("`{variable}` has to be a number") };
    Some(number)
}
