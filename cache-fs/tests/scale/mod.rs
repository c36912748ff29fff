//! How large tests are.

/// So many, times `CACHE_TEST_SCALE`, which `cargo xtask prove` sets.
pub(crate) fn scaled(count: usize) -> usize {
    let scale = std::env::var("CACHE_TEST_SCALE").map_or(1, |text| text.parse().expect("it is a number"));
    count * scale
}
