//! How large tests are.

/// Whether they have their full sizes, as `cargo xtask prove`
/// asks for by `CACHE_TEST_SCALE`.
pub(crate) fn is_asked_for() -> bool {
    std::env::var("CACHE_TEST_SCALE").is_ok_and(|scale| scale.parse::<u64>().expect("it is a number") >= 100)
}
