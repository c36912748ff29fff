//! How long entries live: what a caller asks for, and what an entry then has.

use std::time::Duration;

/// What a caller asks for an entry: the alias's default, for ever, or so long.
///
/// `Duration` converts into it. `Option<Duration>` does not, since `None` could
/// be read as either of the other two.
///
/// A timeout of zero expires at once: `aset` stores nothing and removes what
/// was there, `aadd` stores nothing and says whether the key was free, `atouch`
/// deletes.
///
/// ```
/// use cache_core::Timeout;
/// use std::time::Duration;
///
/// assert_eq!(Timeout::from(Duration::from_secs(60)), Timeout::After(Duration::from_secs(60)));
/// assert_eq!(Timeout::default(), Timeout::Default);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timeout {
    /// The `timeout` setting of the alias (300 seconds unless set).
    #[default]
    Default,
    /// The entry never expires.
    Forever,
    /// The entry expires this long after it was written, or sooner by the
    /// alias's jitter; zero: at once.
    After(Duration),
}

/// What an entry has: life for ever, or a positive rest of it.
///
/// Stores see only this; zero and the default have been resolved before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The entry never expires.
    Forever,
    /// The entry expires after this positive time.
    For(Duration),
}

impl Timeout {
    /// The life that this timeout means, or `None` where it expires at once;
    /// `default` is what stands for [`Timeout::Default`].
    ///
    /// ```
    /// use cache_core::{Life, Timeout};
    /// use std::time::Duration;
    ///
    /// let minute = Timeout::After(Duration::from_secs(60));
    /// assert_eq!(Timeout::Default.resolve(minute), Some(Life::For(Duration::from_secs(60))));
    /// assert_eq!(Timeout::After(Duration::ZERO).resolve(minute), None);
    /// ```
    pub fn resolve(self, default: Timeout) -> Option<Life> {
        let asked = if self == Self::Default { default } else { self };
        match asked {
            Self::Forever | Self::Default => Some(Life::Forever),
            Self::After(Duration::ZERO) => None,
            Self::After(duration) => Some(Life::For(duration)),
        }
    }
}

impl From<Duration> for Timeout {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

impl Life {
    /// This life with up to `share` of it taken off at random, so that entries
    /// that are written together are not missed and made anew together. A
    /// share that is not above 0 takes nothing, one above 1 counts as 1.
    ///
    /// Something is always left, since no store can hold an entry of no life.
    pub(crate) fn shortened(self, share: f64) -> Self {
        match self {
            Self::For(duration) if share > 0.0 => {
                let taken = duration.mul_f64(share.min(1.0) * fastrand::f64());
                Self::For(duration.saturating_sub(taken).max(Duration::from_nanos(1)))
            }
            life => life,
        }
    }

    /// This life in whole units of `resolution`, rounded up, so that a store
    /// that counts in seconds never cuts a life short.
    ///
    /// ```
    /// use cache_core::Life;
    /// use std::time::Duration;
    ///
    /// let life = Life::For(Duration::from_millis(1_200));
    /// assert_eq!(life.units_of(Duration::from_secs(1)), Some(2));
    /// assert_eq!(Life::Forever.units_of(Duration::from_secs(1)), None);
    /// ```
    pub fn units_of(self, resolution: Duration) -> Option<u64> {
        match self {
            Self::Forever => None,
            Self::For(duration) => {
                let units = duration.as_nanos().div_ceil(resolution.as_nanos().max(1));
                Some(u64::try_from(units).unwrap_or(u64::MAX))
            }
        }
    }
}
