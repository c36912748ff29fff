//! The suite as a test program: every case on every subject.

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::attempt::{attempt, bounded};
use crate::case::Case;
use crate::cases;
use crate::need::Facts;
use crate::seed;
use crate::subject::Subject;

/// The conformance suite: what a store has to do, as a test program.
///
/// In the `Cargo.toml` of a backend, `harness = false` for the test, and as
/// the whole of it:
///
/// ```no_run
/// use cache_mem::{MemSettings, MemStore};
/// use cache_testkit::{Setup, Subject, Suite};
/// use std::{process::ExitCode, sync::Arc};
///
/// async fn open(setup: Setup) -> Arc<dyn cache_core::AsyncCache> {
///     Arc::new(MemStore::with_clock(&MemSettings::default(), setup.clock()))
/// }
///
/// fn main() -> ExitCode {
///     Suite::new().subject(Subject::new("mem", open).owns_store()).run()
/// }
/// ```
///
/// Each case is a test of its own, `subject::area::case`. One that the store's
/// [`Capabilities`](cache_core::Capabilities) do not admit is ignored, with
/// the reason before its name.
#[derive(Debug, Default)]
pub struct Suite {
    subjects: Vec<Subject>,
}

/// The case that a subject failed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedCase {
    /// `area::case`.
    pub name: String,
    /// What it said.
    pub message: String,
}

/// How long a case may take, at its default size.
const LIMIT: Duration = Duration::from_mins(1);

impl Suite {
    /// A suite without a subject yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs every case on this subject too.
    #[must_use]
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subjects.push(subject);
        self
    }

    /// Does what the command line asks for, as `cargo test` calls it.
    ///
    /// `CACHE_TEST_SEED` repeats the chance of a run that failed;
    /// `CACHE_TEST_SCALE` makes the cases so many times larger.
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let trials = self.subjects.iter().flat_map(trials).collect();
        libtest_mimic::run(&arguments, trials).exit_code()
    }

    /// Runs the cases that apply to this subject one after the other, as the
    /// iterator is asked for failures: for tests of the suite itself. A case
    /// that takes longer than `limit` fails.
    ///
    /// ```
    /// use cache_testkit::{Setup, Subject, Suite};
    /// use std::{sync::Arc, time::Duration};
    ///
    /// let dummy = Subject::new("dummy", |_: Setup| async { Arc::new(cache_core::DummyStore) as _ });
    /// assert_eq!(Suite::failures(&dummy, Duration::from_secs(60)).next(), None);
    /// ```
    pub fn failures(subject: &Subject, limit: Duration) -> impl Iterator<Item = FailedCase> {
        let (facts, unopened) = match facts(subject) {
            Ok(facts) => (Some(facts), None),
            Err(message) => (None, Some(FailedCase { name: "opening".to_owned(), message })),
        };
        let subject = subject.clone();
        let seed = seed::seed();
        let admitted = move |case: &Case| facts.as_ref().is_some_and(|facts| case.unmet(facts).is_none());
        let failed = cases::all().filter(admitted).filter_map(move |case| {
            let message = attempt(case, &subject, seed, limit).err()?;
            Some(FailedCase { name: format!("{}::{}", case.area, case.name), message })
        });
        unopened.into_iter().chain(failed)
    }
}

fn facts(subject: &Subject) -> Result<Facts, String> {
    let subject = subject.clone();
    bounded(LIMIT, async move { subject.facts().await })?.map_err(|error| error.to_string())
}

fn trials(subject: &Subject) -> Vec<Trial> {
    match facts(subject) {
        Ok(facts) => cases::all().map(|case| trial(case, subject.clone(), &facts)).collect(),
        Err(message) => {
            let name = format!("{}::opening", subject.name());
            vec![Trial::test(name, move || Err(Failed::from(message)))]
        }
    }
}

fn trial(case: Case, subject: Subject, facts: &Facts) -> Trial {
    let name = format!("{}::{}::{}", subject.name(), case.area, case.name);
    if let Some(reason) = case.unmet(facts) {
        // Also where ignored tests are asked for: it cannot be run.
        let ignored = Completion::ignored_with(&reason);
        return Trial::ignorable_test(name, || Ok(ignored)).with_kind(reason).with_ignored_flag(true);
    }
    Trial::test(name, move || {
        let seed = seed::seed();
        let limit = LIMIT * u32::try_from(seed::scale().div_ceil(10)).unwrap_or(u32::MAX);
        attempt(case, &subject, seed, limit)
            .map_err(|message| format!("{message}\nto repeat it: CACHE_TEST_SEED={seed}").into())
    })
}
