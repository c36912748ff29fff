//! Replicas whose data is older than it may be.
#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

use std::time::Duration;

use cache_core::{Clock, RoutingSettings, SystemClock};
use futures::future::join_all;
use tokio::sync::Mutex;

use crate::freshness::{Ages, Freshness};
use crate::patience::pause;
use crate::replicated::REPLICAS;
use crate::scene::{MACHINE, Scene};
use crate::servers::WAYS;

pub(crate) const MAX_LAG: Duration = Duration::from_millis(500);

/// How often servers are asked how far they are, and a fifth more, by which
/// programs are kept apart.
const SAMPLING: Duration = Duration::from_millis(150);

/// What is measured belongs to the whole program, so these tests do not run
/// beside each other.
static ALONE: Mutex<()> = Mutex::const_new(());

fn routing() -> RoutingSettings {
    RoutingSettings::new().max_lag(MAX_LAG)
}

fn nothing_was_too_old(way: &str, Ages { count, oldest }: Ages) {
    eprintln!("| max_lag 500 ms | {way:<17} | the oldest of {count} answers was {oldest:?} old |");
    assert!(oldest <= MAX_LAG + MACHINE, "{way}: one of {count} answers was {oldest:?} old");
}

async fn link_stands_still(way: &'static str) {
    let scene = Scene::of(way, routing()).await;
    let freshness = Freshness::begin(&scene.cache).await;
    pause(Duration::from_millis(300)).await;
    let before = scene.left_out();
    let paused = SystemClock.precise();
    scene.servers.pause_link(0);
    let took = scene.leaves_out(before + 1, paused).await;
    assert!(took <= MAX_LAG + SAMPLING + MACHINE, "{way}: left out after {took:?}");
    pause(MACHINE).await;
    scene.is_not_read_from(0, crate::down()).await;
    scene.is_read_from(1).await;
    assert_eq!(scene.in_use().await, [false, true], "{way}");

    scene.servers.resume_link(0);
    let back = SystemClock.precise();
    scene.is_read_from(0).await;
    let taken_back = SystemClock.precise().since(back);
    scene.servers.caught_up().await;
    assert_eq!(scene.in_use().await, [true, true], "{way}");
    let read = freshness.end().await;
    let (report, ..) = scene.end("max_lag 500 ms, one link paused", back).await;
    report.only_failed_by(&[]);
    eprintln!("| max_lag 500 ms | {way:<17} | left out after {took:?}, taken back after {taken_back:?} |");
    nothing_was_too_old(way, read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_behind_is_left_out_until_it_caught_up() {
    let _alone = ALONE.lock().await;
    join_all(WAYS.map(link_stands_still)).await;
}

/// That what these tests measure can be seen at all.
async fn nobody_minds(way: &'static str) {
    let scene = Scene::of(way, RoutingSettings::new()).await;
    let freshness = Freshness::begin(&scene.cache).await;
    scene.servers.pause_link(0);
    pause(2 * MAX_LAG).await;
    scene.is_read_from(0).await;
    let read = freshness.end().await;
    scene.servers.resume_link(0);
    let (report, ..) = scene.end("no max_lag, one link paused", SystemClock.precise()).await;
    report.only_failed_by(&[]);
    assert!(read.oldest > MAX_LAG + MACHINE, "{way}: {read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_limit_what_is_read_may_be_of_any_age() {
    let _alone = ALONE.lock().await;
    join_all(WAYS.map(nobody_minds)).await;
}

async fn both_links_stand_still(way: &'static str) {
    let scene = Scene::of(way, routing()).await;
    let freshness = Freshness::begin(&scene.cache).await;
    pause(Duration::from_millis(300)).await;
    (0..REPLICAS).for_each(|number| scene.servers.pause_link(number));
    pause(MAX_LAG + SAMPLING + MACHINE).await;
    scene.is_not_read_from(0, Duration::from_millis(200)).await;
    scene.is_not_read_from(1, Duration::from_millis(200)).await;
    assert_eq!(scene.in_use().await, [false, false], "{way}");

    (0..REPLICAS).for_each(|number| scene.servers.resume_link(number));
    let back = SystemClock.precise();
    scene.is_read_from(0).await;
    scene.is_read_from(1).await;
    let read = freshness.end().await;
    let (report, ..) = scene.end("max_lag 500 ms, both links paused", back).await;
    report.only_failed_by(&[]);
    nothing_was_too_old(way, read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_read_where_all_are_behind() {
    let _alone = ALONE.lock().await;
    join_all(WAYS.map(both_links_stand_still)).await;
}

/// The leader begins anew to count what it has written: what a replica has
/// counted before that says nothing of what it has.
async fn leader_begins_anew(way: &'static str) {
    let mut scene = Scene::of(way, routing()).await;
    let freshness = Freshness::begin(&scene.cache).await;
    pause(Duration::from_millis(300)).await;
    scene.servers.pause_link(0);
    scene.servers.leader_mut().kill();
    pause(Duration::from_millis(200)).await;
    scene.servers.leader_mut().restart().await;
    // What was written since is only known to the leader and the other replica.
    scene.servers.link_is_up(1).await;
    pause(MAX_LAG + SAMPLING + MACHINE + crate::down()).await;

    scene.servers.resume_link(0);
    scene.servers.cut_link(0);
    scene.servers.caught_up().await;
    let back = SystemClock.precise();
    scene.is_read_from(0).await;
    let read = freshness.end().await;
    let (report, ..) = scene.end("max_lag 500 ms, leader begins anew", back).await;
    let reads_failed = report.failures().filter(|call| call.what.is_read()).count();
    assert_eq!(reads_failed, 0, "{way}");
    nothing_was_too_old(way, read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_what_the_leader_was_before_is_left_out() {
    let _alone = ALONE.lock().await;
    join_all(WAYS.map(leader_begins_anew)).await;
}
