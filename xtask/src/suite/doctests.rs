//! The output of one `cargo test --doc` over several crates, taken apart.

use std::{collections::BTreeMap, time::Duration};

use crate::{results::Counts, watch::Ended};

/// What the doc tests of each library came to.
#[derive(Debug, Default)]
pub(crate) struct Doctests {
    sections: BTreeMap<String, Section>,
    /// The output of a run that failed in none of the libraries.
    stray: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) text: String,
    pub(crate) counts: Counts,
    pub(crate) elapsed: Duration,
}

impl Doctests {
    pub(crate) fn of_output(ended: &Ended) -> Self {
        let mut sections: BTreeMap<String, Section> = BTreeMap::new();
        let mut current = None;
        for line in ended.text.lines() {
            if let Some(library) = line.trim_start().strip_prefix("Doc-tests ") {
                current = Some(library.trim().to_owned());
            }
            if let Some(library) = &current {
                let section = sections.entry(library.clone()).or_default();
                section.text.push_str(line);
                section.text.push('\n');
            }
        }
        for section in sections.values_mut() {
            section.counts = Counts::of_output(&section.text);
            section.elapsed = section.text.lines().filter_map(finished_in).sum();
            // Doc tests that do not compile together are reported without a result line.
            let failed = section.text.lines().any(|line| line.starts_with("error: doctest failed"));
            if failed && section.counts.failed == 0 {
                section.counts += Counts::FAILURE;
            }
        }
        let explained = sections.values().any(|section| section.counts.failed > 0);
        let stray = (!ended.success && !explained).then(|| ended.text.clone());
        Self { sections, stray }
    }

    /// The doc tests of a library.
    pub(crate) fn section(&self, library: &str) -> Option<&Section> {
        self.sections.get(library)
    }

    /// Failures that belong to no library.
    pub(crate) fn strays(&self) -> impl Iterator<Item = &str> {
        self.stray.as_deref().into_iter()
    }
}

/// Reads the time at the end of a `test result:` line.
fn finished_in(line: &str) -> Option<Duration> {
    let (_, time) = line.split_once("; finished in ")?;
    let seconds: f64 = time.trim().strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::Doctests;
    use crate::watch::Ended;

    fn run(success: bool, text: &str) -> Doctests {
        Doctests::of_output(&Ended { success, text: text.to_owned() })
    }

    #[test]
    fn each_library_has_its_own_counts() {
        let doctests = run(
            true,
            "   Compiling a v0.1.0\n   Doc-tests a_lib\n\nrunning 2 tests\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s\n\
             \n   Doc-tests b\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        );
        let first = doctests.section("a_lib").expect("the first library");
        assert_eq!((first.counts.passed, first.elapsed.as_millis()), (2, 1500));
        assert_eq!(doctests.section("b").expect("the second library").counts.passed, 3);
        assert_eq!(doctests.strays().count(), 0);
    }

    #[test]
    fn a_failure_of_no_library_is_not_lost() {
        let doctests = run(false, "error: could not compile `a`\n");
        assert_eq!(doctests.strays().collect::<Vec<_>>(), ["error: could not compile `a`\n"]);
    }
}
