//! What a run of tests came to.

use std::time::Duration;

use crate::results::Counts;

/// The totals of a run, whose closing lines are printed as the crates end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    total: Counts,
    failed: Vec<String>,
}

impl Report {
    /// A run that could not even begin.
    pub(crate) fn broken() -> Self {
        Self { total: Counts::FAILURE, failed: Vec::new() }
    }

    /// Counts one crate and prints its closing line.
    pub(crate) fn add(&mut self, name: &str, counts: Counts, elapsed: Duration) {
        let Counts { passed, failed, ignored } = counts;
        let seconds = elapsed.as_secs_f64();
        let skipped = if ignored > 0 { format!("   {ignored} ignored") } else { String::new() };
        println!("{name:<24} {passed:>6} passed {failed:>4} failed {seconds:>8.1}s{skipped}");
        if failed > 0 {
            self.failed.push(name.to_owned());
        }
        self.total += counts;
    }

    /// Whether tests were run and all of them passed.
    pub(crate) fn success(&self) -> bool {
        self.total.failed == 0 && self.total.passed > 0
    }

    /// Says what failed, if anything did.
    pub(crate) fn print_failures(&self) {
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        } else if self.total.passed + self.total.failed == 0 {
            println!("failed: no test was run");
        }
    }

    /// The totals alone on a line, for whoever reads only the end of a log.
    pub(crate) fn print_totals(&self) {
        println!("{} passed, {} failed", self.total.passed, self.total.failed);
    }
}
