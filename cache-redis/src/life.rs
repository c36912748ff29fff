//! Lives as Redis counts them: in whole milliseconds, rounded up.

use std::time::Duration;

use cache_core::Life;

/// When an entry ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Never,
    /// So many milliseconds from now.
    After(i64),
}

/// The server adds the time of day, and refuses what then does not fit.
const LONGEST: i64 = i64::MAX / 2;

impl Expiry {
    pub(crate) fn of(life: Life) -> Self {
        match life {
            Life::Forever => Self::Never,
            Life::For(duration) => {
                let milliseconds = duration.as_nanos().div_ceil(1_000_000).max(1);
                Self::After(i64::try_from(milliseconds).unwrap_or(LONGEST).min(LONGEST))
            }
        }
    }
}

/// What the answer to `PTTL` says; `None` where there is no entry.
pub(crate) fn of_pttl(milliseconds: i64) -> Option<Life> {
    match milliseconds {
        -1 => Some(Life::Forever),
        // In its last millisecond an entry has none left.
        0.. => Some(Life::For(Duration::from_millis(milliseconds.unsigned_abs().max(1)))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_rounded_up_and_bounded() {
        for (life, expiry) in [
            (Life::Forever, Expiry::Never),
            (Life::For(Duration::from_nanos(1)), Expiry::After(1)),
            (Life::For(Duration::from_millis(7)), Expiry::After(7)),
            (Life::For(Duration::from_micros(7_001)), Expiry::After(8)),
            (Life::For(Duration::MAX), Expiry::After(LONGEST)),
        ] {
            assert_eq!(Expiry::of(life), expiry);
        }
    }
}
