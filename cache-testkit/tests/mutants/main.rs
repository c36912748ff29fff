//! The suite is tested: a store with one rule broken has to fail it, whichever
//! rule it is, and the same store with none broken passes.

mod mutant;
mod reads;
mod rule;
mod steps;
mod writes;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use cache_core::AsyncCache;
use cache_mem::{MemSettings, MemStore};
use cache_testkit::{FailedCase, Setup, Subject, Suite};
use libtest_mimic::{Arguments, Failed, Trial};

use crate::mutant::Mutant;
use crate::rule::Rule;

/// A mutant that hangs is caught as well.
const LIMIT: Duration = Duration::from_secs(20);

/// Which case caught which mutant.
type Caught = Arc<Mutex<Vec<(Rule, String)>>>;

fn main() -> ExitCode {
    // Every mutant makes a case panic; what it says is in the table.
    std::panic::set_hook(Box::new(|_| {}));
    let caught = Caught::default();
    let mut trials = vec![Trial::test("control", control)];
    for &(rule, words) in Rule::BROKEN {
        let caught = Arc::clone(&caught);
        trials.push(Trial::test(format!("{rule:?}"), move || is_caught(rule, words, &caught)));
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    if let Err(error) = print_table(&caught) {
        drop(writeln!(io::stderr(), "the table cannot be printed: {error}"));
    }
    conclusion.exit_code()
}

/// What the store fails with no rule broken, which is no catch.
static CONTROL: LazyLock<Vec<FailedCase>> =
    LazyLock::new(|| Suite::failures(&subject(Rule::None), LIMIT).collect());

fn control() -> Result<(), Failed> {
    match &CONTROL[..] {
        [] => Ok(()),
        failures => Err(format!("with no rule broken: {failures:#?}").into()),
    }
}

fn is_caught(rule: Rule, words: &str, caught: &Caught) -> Result<(), Failed> {
    let is_new = |failed: &FailedCase| CONTROL.iter().all(|of_control| of_control.name != failed.name);
    let Some(failed) = Suite::failures(&subject(rule), LIMIT).find(is_new) else {
        return Err(format!("no case notices that {words}").into());
    };
    caught.lock().unwrap_or_else(PoisonError::into_inner).push((rule, failed.name));
    Ok(())
}

fn subject(rule: Rule) -> Subject {
    let open = move |setup: Setup| async move {
        let mut settings = MemSettings::default();
        settings.check_encoding = true;
        let store = Arc::new(MemStore::with_clock(&settings, setup.clock()));
        Arc::new(Mutant::new(store, rule)) as Arc<dyn AsyncCache>
    };
    Subject::new("mutant", open).owns_store()
}

fn print_table(caught: &Caught) -> io::Result<()> {
    let caught = caught.lock().unwrap_or_else(PoisonError::into_inner);
    let mut out = io::stdout().lock();
    for &(rule, words) in Rule::BROKEN {
        if let Some((_, case)) = caught.iter().find(|(mutant, _)| *mutant == rule) {
            writeln!(out, "{words:62} {case}")?;
        }
    }
    writeln!(out, "{} mutants caught", caught.len())
}
