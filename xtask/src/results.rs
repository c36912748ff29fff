//! The counts in the closing lines of test programs.

use std::ops::AddAssign;

/// How many tests did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    /// One failure that no test program has counted: a crash, or a program that did not build.
    pub(crate) const FAILURE: Self = Self { passed: 0, failed: 1, ignored: 0 };

    /// The sum of all `test result:` lines.
    pub(crate) fn of_output(text: &str) -> Self {
        let mut counts = Self::default();
        for line in text.lines().filter_map(of_line) {
            counts += line;
        }
        counts
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; ...`.
fn of_line(line: &str) -> Option<Counts> {
    let (_, counted) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    for part in counted.split(';') {
        // The time taken is the one part that does not begin with a count.
        let Some((number, what)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse() else {
            continue;
        };
        match what {
            "passed" => counts.passed = number,
            "failed" => counts.failed = number,
            "ignored" => counts.ignored = number,
            _ => {}
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn sums_the_lines_of_a_run() {
        let text = "running 2 tests\n..\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\n\
            test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.23s\n";
        let expected = Counts { passed: 7, failed: 2, ignored: 1 };
        assert_eq!(Counts::of_output(text), expected);
    }

    #[test]
    fn reads_the_line_of_libtest_mimic() {
        let text =
            "test result: ok. 212 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 3.10s";
        assert_eq!(Counts::of_output(text).passed, 212);
    }

    #[test]
    fn other_lines_count_nothing() {
        let text = "the test result: 3 passed; 1 failed\ntest result: nonsense\n9 passed, 9 failed\n";
        assert_eq!(Counts::of_output(text), Counts::default());
    }
}
