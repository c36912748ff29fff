//! The state machine of loads under a model checker: random schedules, and such
//! as have few preemptions, over callers, a deleter and whoever leaves.

#[path = "../chance/mod.rs"]
mod chance;
mod endings;
mod loads;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chance::{dice, scaled};
use shuttle::future::{block_on, spawn};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use world::{Bug, World};

/// Who is there.
#[derive(Clone, Copy, Debug)]
struct Cast {
    callers: usize,
    leavers: usize,
    deleters: usize,
    clearers: usize,
}

/// Plays one schedule.
fn play(cast: Cast, bug: Bug) {
    block_on(async move {
        let world = World::new(bug);
        let mut players = Vec::new();
        players.extend((0..cast.callers).map(|_| spawn(Arc::clone(&world).caller())));
        players.extend((0..cast.leavers).map(|_| {
            let world = Arc::clone(&world);
            spawn(async move { world.caller_who_leaves() })
        }));
        players.extend((0..cast.deleters).map(|_| spawn(Arc::clone(&world).deleter())));
        players.extend((0..cast.clearers).map(|_| spawn(Arc::clone(&world).clearer())));
        for player in players {
            player.await.expect("nobody panics");
        }
        world.check(cast.callers + cast.leavers + cast.deleters + cast.clearers).await;
        if cast.deleters + cast.clearers + cast.leavers == 0 {
            assert!(world.loads() <= 1, "{} loads where nobody wrote", world.loads());
        }
        // And whoever comes now gets what holds now.
        world.caller().await;
    });
}

/// Plays many schedules, of both kinds.
fn check(schedules: usize, mut dice: fastrand::Rng, play: impl Fn() + Copy + Send + Sync + 'static) {
    let mut config = Config::new();
    config.silence_warnings = true;
    let random = RandomScheduler::new_from_seed(dice.u64(..), schedules / 2);
    Runner::new(random, config.clone()).run(play);
    let few_preemptions = PctScheduler::new_from_seed(dice.u64(..), 4, schedules / 2);
    Runner::new(few_preemptions, config).run(play);
}

fn holds(test: &str, cast: Cast) {
    check(scaled(2_000), dice(test), move || play(cast, Bug::None));
}

/// The same schedules in each run, among which there are some that show it.
fn is_found(cast: Cast, bug: Bug) {
    let dice = fastrand::Rng::with_seed(1);
    let found = catch_unwind(AssertUnwindSafe(|| check(60_000, dice, move || play(cast, bug))));
    assert!(found.is_err(), "{bug:?} goes unnoticed");
}

const ALONE: Cast = Cast { callers: 0, leavers: 0, deleters: 0, clearers: 0 };

#[test]
fn two_callers_load_once() {
    holds("two callers", Cast { callers: 2, ..ALONE });
}

#[test]
fn three_callers_load_once() {
    holds("three callers", Cast { callers: 3, ..ALONE });
}

#[test]
fn two_callers_and_a_deleter() {
    holds("two callers and a deleter", Cast { callers: 2, deleters: 1, ..ALONE });
}

#[test]
fn three_callers_and_a_deleter() {
    holds("three callers and a deleter", Cast { callers: 3, deleters: 1, ..ALONE });
}

#[test]
fn two_callers_and_one_who_leaves() {
    holds("two callers and one who leaves", Cast { callers: 2, leavers: 1, ..ALONE });
}

#[test]
fn three_callers_a_deleter_and_one_who_leaves() {
    holds("all of them", Cast { callers: 3, leavers: 1, deleters: 1, ..ALONE });
}

#[test]
fn three_callers_a_clearer_and_one_who_leaves() {
    holds("with a clearer", Cast { callers: 3, leavers: 1, clearers: 1, ..ALONE });
}

#[test]
fn two_deleters_and_a_clearer() {
    holds("two deleters and a clearer", Cast { callers: 2, deleters: 2, clearers: 1, ..ALONE });
}

#[test]
fn of_all_who_end_a_flight_one_does() {
    check(scaled(2_000), dice("all who end it"), || block_on(endings::play()));
}

const ALL: Cast = Cast { callers: 3, leavers: 1, deleters: 1, clearers: 0 };

#[test]
fn a_delete_that_does_not_wait_is_found() {
    is_found(ALL, Bug::DoesNotWait);
}

#[test]
fn a_delete_that_voids_once_is_found() {
    is_found(ALL, Bug::VoidsOnce);
}

#[test]
fn a_publish_that_does_not_ask_is_found() {
    is_found(ALL, Bug::PublishesUnasked);
}

#[test]
fn a_claim_that_does_not_look_again_is_found() {
    is_found(Cast { callers: 3, ..ALONE }, Bug::DoesNotLookAgain);
}
