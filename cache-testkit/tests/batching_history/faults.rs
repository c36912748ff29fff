//! What goes wrong in a history.

use std::sync::Arc;

use cache_core::{Clock, ErrorKind};
use cache_testkit::{Call, Faulty, Gate};
use fastrand::Rng;

use crate::batching_rig::{ms, text};

const KINDS: [ErrorKind; 4] =
    [ErrorKind::Server, ErrorKind::Overloaded, ErrorKind::ReadOnly, ErrorKind::Connection];

/// The calls by which most travels, more often than the others.
const CALLS: [Call; 10] = [
    Call::GetMany,
    Call::SetMany,
    Call::Get,
    Call::Set,
    Call::Delete,
    Call::DeleteMany,
    Call::Incr,
    Call::Move,
    Call::Touch,
    Call::Clear,
];

/// Makes the store take a while for all that it does, or wait at gates; else
/// nobody would meet anybody.
pub(crate) fn slow_down(dice: &mut Rng, faulty: &Faulty, clock: &Arc<dyn Clock>) -> Vec<Gate> {
    let singles_and_many = [Call::Get, Call::Set, Call::GetMany, Call::SetMany];
    match dice.u8(0..4) {
        0 => {}
        1 => faulty.on(Call::ALL).delay(Arc::clone(clock), ms(dice.u64(1..15))),
        2 => {
            faulty.on(Call::ALL).delay(Arc::clone(clock), ms(dice.u64(1..10)));
            faulty.on(Call::ALL).after().delay(Arc::clone(clock), ms(dice.u64(1..10)));
        }
        _ => return singles_and_many.map(|call| faulty.on([call]).pause()).into(),
    }
    Vec::new()
}

/// Gives a command about the next few calls, and the gate if it holds them.
pub(crate) fn strike(dice: &mut Rng, faulty: &Faulty, clock: &Arc<dyn Clock>) -> Option<Gate> {
    let most = if dice.bool() { 4 } else { CALLS.len() };
    let call = CALLS[dice.usize(0..most)];
    let mut on = faulty.on([call]).times(dice.usize(1..4));
    if dice.bool() {
        on = on.after();
    }
    match dice.u8(0..16) {
        0 | 1 => on.fail(KINDS[dice.usize(0..KINDS.len())]),
        2 | 3 => {
            let struck = text(["a", "b", "c"][dice.usize(0..3)]);
            on.keys(move |key| key == struck).fail(KINDS[dice.usize(0..3)]);
        }
        4 => on.panic(),
        5 | 6 => on.stall(),
        7..=9 => on.delay(Arc::clone(clock), ms(dice.u64(1..30))),
        _ => return Some(on.pause()),
    }
    None
}
