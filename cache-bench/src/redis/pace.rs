//! How long a task goes on.

use std::time::Instant;

/// When a task ends, and what it learned on the way.
pub enum Pace {
    /// After so many calls.
    Calls(usize),
    Until(Stopwatch),
}

/// Tells how long each call took.
pub struct Stopwatch {
    until: Instant,
    /// When the call under way began.
    began: Option<Instant>,
    /// In nanoseconds.
    pub took: Vec<u32>,
}

impl Pace {
    pub fn until(until: Instant) -> Self {
        Self::Until(Stopwatch { until, began: None, took: Vec::new() })
    }

    /// Whether there is another call, asked before each.
    pub fn goes_on(&mut self) -> bool {
        match self {
            Self::Calls(0) => false,
            Self::Calls(left) => {
                *left -= 1;
                true
            }
            Self::Until(stopwatch) => stopwatch.goes_on(),
        }
    }
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
    fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        if let Some(began) = self.began.replace(now) {
            let nanos = now.duration_since(began).as_nanos();
            self.took.push(u32::try_from(nanos).unwrap_or(u32::MAX));
        }
        now < self.until
    }
}
