//! The cases, by area.

mod add;
mod bulk;
mod bulk_conditions;
mod clear;
mod closing;
mod codecs;
mod concurrency;
mod conditions;
mod counters;
mod delete;
mod drops;
mod errors;
mod expiry;
mod foreign;
mod histories;
mod keys;
mod loads;
mod loads_meanwhile;
mod moves;
mod nothing;
mod read;
mod stats;
mod touch;
mod values;
mod versions;
mod write;

use crate::case::{Case, Group};

/// All of them, in the order in which a reader would want to know of failures.
pub(crate) fn all() -> impl Iterator<Item = Case> {
    let areas = [
        read::CASES,
        write::CASES,
        add::CASES,
        touch::CASES,
        delete::CASES,
        counters::CASES,
        versions::CASES,
        moves::CASES,
        bulk::CASES,
        expiry::CASES,
        values::CASES,
        codecs::CASES,
        foreign::CASES,
        keys::CASES,
        conditions::CASES,
        bulk_conditions::CASES,
        clear::CASES,
        loads::CASES,
        loads_meanwhile::CASES,
        stats::CASES,
        errors::CASES,
        nothing::CASES,
        histories::CASES,
        concurrency::CASES,
        drops::CASES,
        closing::CASES,
    ];
    areas.into_iter().flatten().flat_map(Group::cases)
}
