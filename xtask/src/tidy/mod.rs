//! `cargo xtask tidy`: the house rules that no compiler knows.
//!
//! Each check is a file that reads the tree and adds findings; all of them run before the task
//! fails.

mod arrows;
mod calls;
mod circles;
mod code;
mod crates;
mod drivers;
mod finding;
mod names;
mod places;
mod size;
mod tree;

use anyhow::Result;

use self::{finding::Findings, tree::Tree};
use crate::{cargo::Lock, workspace::Workspace};

type Check = fn(&Tree, &mut Findings);

const CHECKS: &[Check] = &[
    arrows::check,
    drivers::check,
    circles::check,
    names::check,
    crates::check,
    size::check,
    calls::check,
    places::check,
];

pub(crate) fn run(lock: Lock) -> Result<bool> {
    let tree = Tree::read(Workspace::load(lock)?)?;
    let mut findings = Findings::default();
    for check in CHECKS {
        check(&tree, &mut findings);
    }
    let checks = CHECKS.len();
    let found = findings.print();
    if found == 0 {
        println!("tidy: {checks} checks, nothing found");
    } else {
        println!("tidy: {checks} checks, findings: {found}");
    }
    Ok(found == 0)
}
