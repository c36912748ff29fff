//! One history: a store, its faults, and callers who come and go.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_core::{
    AsyncCache, Batching, Clock, Context as Opening, ErrorKind, Gather, Tick, Trip, TripSettings,
};
use cache_mem::{MemSettings, MemStore, Values};
use cache_testkit::{Faulty, Gate, ManualClock};
use fastrand::Rng;
use futures::FutureExt as _;
use tokio::task::{JoinHandle, yield_now};

use super::faults::{slow_down, strike};
use super::judge::{Done, KEYS, Outcome, Step, Verdict, judge};
use super::operation::Operation;
use crate::batching_rig::{GRACE, IDLE, gathering, ms, tasks};

const DEADLINE: Duration = Duration::from_millis(40);

/// By how much the clock goes on at a time, and so how late an end may be seen.
const STEP: Duration = ms(4);

/// With so many steps no more is begun, for the judge's sake: the last operation
/// may have six more, and each key is read at the end.
const STEPS: usize = 50;

/// What histories were made of.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) too_late: u64,
    pub(crate) closed: u64,
    pub(crate) panicked: u64,
    pub(crate) dropped: u64,
    pub(crate) batches: u64,
    pub(crate) batched: u64,
    /// Histories with too many orders for the judge.
    pub(crate) undecided: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.too_late += other.too_late;
        self.closed += other.closed;
        self.panicked += other.panicked;
        self.dropped += other.dropped;
        self.batches += other.batches;
        self.batched += other.batched;
        self.undecided += other.undecided;
    }
}

/// What was done so far.
#[derive(Default)]
struct Log {
    now: usize,
    done: Vec<Done>,
    /// How many steps all operations may make that were begun, also by tasks
    /// that have not come to it yet.
    steps: usize,
    lines: String,
    tally: Tally,
    /// How many are under way.
    open: usize,
    /// Who took too long.
    late: Vec<String>,
}

/// An operation under way; if it is dropped, that is written down.
struct Open {
    log: Arc<Mutex<Log>>,
    operation: Operation,
    number: usize,
    began: usize,
    has_ended: bool,
}

struct World {
    clock: Arc<ManualClock>,
    time: Arc<dyn Clock>,
    faulty: Arc<Faulty>,
    trip: Option<Arc<Trip>>,
    opening: Opening,
    layer: Arc<Batching>,
    log: Arc<Mutex<Log>>,
}

impl Log {
    fn tick(&mut self) -> usize {
        self.now += 1;
        self.now
    }
}

impl Open {
    fn begin(log: &Arc<Mutex<Log>>, operation: Operation, number: usize) -> Self {
        let mut now = log.lock().expect("nobody panics here");
        let began = now.tick();
        now.open += 1;
        writeln!(now.lines, "{began:4} {number:3} begins {operation:?}").expect("a string takes all");
        drop(now);
        Self { log: Arc::clone(log), operation, number, began, has_ended: false }
    }

    /// Ends it with these steps, each with its answer or without.
    fn end(
        &mut self,
        how: &str,
        steps: impl IntoIterator<Item = (Step, Outcome)>,
        count: impl FnOnce(&mut Tally),
    ) {
        self.has_ended = true;
        let mut log = self.log.lock().expect("nobody panics here");
        let ended = log.tick();
        log.open -= 1;
        let (began, number) = (self.began, self.number);
        writeln!(log.lines, "{ended:4} {number:3} {how}").expect("a string takes all");
        count(&mut log.tally);
        for (step, outcome) in steps {
            writeln!(log.lines, "             {outcome:?} {step:?}").expect("a string takes all");
            log.done.push(Done { step, began, ended, outcome });
            if matches!(self.operation, Operation::Clear) {
                // What is written meanwhile may go, though the key has been cleared before.
                log.done.push(Done { step, began, ended, outcome: Outcome::Meanwhile });
            }
        }
    }

    fn end_unknown(&mut self, how: &str, count: impl FnOnce(&mut Tally)) {
        let steps = self.operation.steps();
        self.end(how, steps.into_iter().map(|step| (step, Outcome::Unknown)), count);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end_unknown("is dropped", |tally| tally.dropped += 1);
        }
    }
}

impl World {
    fn new(dice: &mut Rng) -> Self {
        let clock = Arc::new(ManualClock::new());
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let mut settings = MemSettings::default();
        settings.values = Values::Encoded;
        let store = MemStore::with_clock(&settings, Arc::clone(&time));
        let mut gather = || {
            let gather = Gather::new(dice.usize(1..4), dice.usize(1..6));
            (dice.u8(0..10) > 0).then(|| if dice.bool() { gather.bytes(40) } else { gather })
        };
        let (reads, writes) = (gather(), gather());
        let capabilities = gathering(&store, reads, writes);
        let faulty = Faulty::promising(Arc::new(store), capabilities);
        let mut opening = Opening::new("rig").with_clock(Arc::clone(&time));
        opening.deadline = DEADLINE;
        let trip = dice.bool().then(|| {
            let settings = TripSettings::of(&opening);
            Arc::new(Trip::new(Arc::<Faulty>::clone(&faulty), settings))
        });
        let below: Arc<dyn AsyncCache> = match &trip {
            Some(trip) => Arc::<Trip>::clone(trip),
            None => Arc::<Faulty>::clone(&faulty),
        };
        let layer = Arc::new(Batching::new(below, &opening));
        Self { clock, time, faulty, trip, opening, layer, log: Arc::default() }
    }

    /// Begins an operation in a task of its own.
    fn begin(&self, operation: Operation, number: usize) -> JoinHandle<()> {
        self.log.lock().expect("nobody panics here").steps += most_steps(&operation);
        let (layer, log, clock) = (Arc::clone(&self.layer), Arc::clone(&self.log), Arc::clone(&self.clock));
        // Without a trip below, what is stalled there is stalled.
        let limit = self.trip.as_ref().map(|_| match operation {
            // It waits for its turn, and gets as long again; and once more if it
            // went on within that time, which in memory it does at one go.
            Operation::Clear => 3 * (DEADLINE + GRACE + STEP),
            _ => DEADLINE + GRACE + STEP,
        });
        tokio::spawn(async move {
            let mut open = Open::begin(&log, operation.clone(), number);
            let began = clock.now();
            let answer = AssertUnwindSafe(operation.run(&*layer)).catch_unwind().await;
            note_lateness(&log, &open, began, clock.now(), limit);
            let unknown = |answer: Vec<cache_core::Result<Step>>| {
                answer.into_iter().zip(operation.steps()).map(|(answer, step)| match answer {
                    Ok(step) => (step, Outcome::Acknowledged),
                    Err(_) => (step, Outcome::Unknown),
                })
            };
            match answer {
                Ok(Ok(steps)) => open.end("is answered", unknown(steps), |tally| tally.answered += 1),
                Ok(Err(error)) => {
                    let kind = error.kind();
                    open.end_unknown(&format!("fails: {kind:?}"), |tally| match kind {
                        ErrorKind::Deadline => tally.too_late += 1,
                        ErrorKind::Closed => tally.closed += 1,
                        _ => tally.failed += 1,
                    });
                }
                Err(_) => open.end_unknown("panics", |tally| tally.panicked += 1),
            }
        })
    }

    fn note(&self, what: &str) {
        let mut log = self.log.lock().expect("nobody panics here");
        let now = log.tick();
        writeln!(log.lines, "{now:4}     {what}").expect("a string takes all");
    }

    fn steps(&self) -> usize {
        self.log.lock().expect("nobody panics here").steps
    }

    /// How many are under way.
    fn open(&self) -> usize {
        self.log.lock().expect("nobody panics here").open
    }

    /// Lets time pass in small steps.
    async fn pass(&self, duration: Duration) {
        let mut left = duration;
        while !left.is_zero() {
            let step = left.min(STEP);
            self.clock.advance(step);
            left -= step;
            turns(12).await;
        }
    }

    fn fails(&self, why: &str) -> ! {
        let log = self.log.lock().expect("nobody panics here");
        panic!("{why}\n{}", log.lines);
    }
}

/// How many steps of it the judge may see.
fn most_steps(operation: &Operation) -> usize {
    let steps = operation.steps().len();
    if matches!(operation, Operation::Clear) { 2 * steps } else { steps }
}

fn note_lateness(log: &Mutex<Log>, open: &Open, began: Tick, ended: Tick, limit: Option<Duration>) {
    if let Some(limit) = limit.filter(|limit| ended.since(began) > *limit) {
        let mut log = log.lock().expect("nobody panics here");
        log.late.push(format!("{}: {:?} instead of {limit:?}", open.number, ended.since(began)));
    }
}

async fn turns(count: usize) {
    for _ in 0..count {
        yield_now().await;
    }
}

/// A history; panics with all of it if it cannot be explained.
pub(crate) async fn run(mut dice: Rng) -> Tally {
    let world = World::new(&mut dice);
    world.note(&format!("{:?}, a trip below: {}", world.faulty.capabilities(), world.trip.is_some()));
    let (mut value, mut number) = (0, 0);
    let mut tasks_of_callers: Vec<JoinHandle<()>> = Vec::new();
    let mut gates: Vec<Gate> = slow_down(&mut dice, &world.faulty, &world.time);
    for _ in 0..dice.usize(8..80) {
        match dice.u8(0..32) {
            0..=16 => {
                // Several at once, so that they meet.
                for _ in 0..dice.usize(1..4) {
                    if world.steps() < STEPS && world.open() < dice.usize(1..9) {
                        number += 1;
                        let operation = Operation::random(&mut dice, &mut value);
                        tasks_of_callers.push(world.begin(operation, number));
                        turns(dice.usize(0..2)).await;
                    }
                }
            }
            17..=19 => turns(dice.usize(1..8)).await,
            20 | 21 => {
                // Now and then long enough for deadlines.
                let most = if dice.u8(..) < 60 { 80 } else { 20 };
                let duration = ms(dice.u64(1..most));
                world.note(&format!("{duration:?} pass"));
                world.pass(duration).await;
            }
            22..=25 => {
                let holding: Vec<_> = gates.iter().filter(|gate| gate.held() > 0).collect();
                if let Some(gate) = dice.choice(holding) {
                    world.note("one is let go");
                    gate.release(dice.usize(0..gate.held()));
                }
            }
            26 | 27 => {
                let waiting = tasks_of_callers.iter().filter(|task| !task.is_finished());
                if let Some(task) = dice.choice(waiting.collect::<Vec<_>>()) {
                    task.abort();
                }
            }
            28 => {
                world.note("all is well");
                world.faulty.heal();
                gates.extend(slow_down(&mut dice, &world.faulty, &world.time));
            }
            _ => {
                world.note("something goes wrong from now on");
                gates.extend(strike(&mut dice, &world.faulty, &world.time));
            }
        }
        if dice.bool() {
            turns(dice.usize(0..4)).await;
        }
    }
    world.note("all is well");
    world.faulty.heal();
    for task in tasks_of_callers {
        ends(&world, task).await;
    }
    // An outage ends by itself.
    for _ in 0..200 {
        if !world.trip.as_ref().is_some_and(|trip| trip.is_down()) {
            break;
        }
        world.pass(ms(20)).await;
    }
    for place in 0..KEYS {
        number += 1;
        ends(&world, world.begin(Operation::Get(place), number)).await;
    }
    // A trip may still be under way, for callers who have left: several delays of
    // one call follow each other.
    world.pass(DEADLINE).await;
    for _ in 0..20 {
        if world.faulty.inside_in_all() == 0 {
            break;
        }
        world.pass(DEADLINE).await;
    }
    leaves_nothing(&world).await;
    let (late, verdict) = {
        let log = world.log.lock().expect("nobody panics here");
        (log.late.clone(), judge(&log.done))
    };
    if !late.is_empty() {
        world.fails(&format!("too late: {late:?}"));
    }
    if verdict == Verdict::Unexplained {
        world.fails("no order explains the answers");
    }
    let mut log = world.log.lock().expect("nobody panics here");
    let mut tally = std::mem::take(&mut log.tally);
    let stats = world.opening.counters.snapshot();
    tally.undecided = u64::from(verdict == Verdict::Undecided);
    (tally.batches, tally.batched) = (stats.batches, stats.batched);
    tally
}

async fn ends(world: &World, task: JoinHandle<()>) {
    for _ in 0..60 {
        if task.is_finished() {
            match task.await {
                Ok(()) => {}
                Err(error) if error.is_cancelled() => {}
                Err(error) => world.fails(&format!("a caller panics: {error}")),
            }
            return;
        }
        turns(12).await;
        world.pass(STEP).await;
    }
    world.fails("somebody hangs");
}

async fn leaves_nothing(world: &World) {
    turns(30).await;
    let waiting = (world.layer.waiting(), world.opening.timer.waiting(), world.faulty.inside_in_all());
    if waiting != (0, 0, 0) {
        world.fails(&format!("{waiting:?} wait in the layer, wait in the timer, and are inside the store"));
    }
    for _ in 0..3 {
        world.clock.advance(IDLE);
        turns(12).await;
    }
    // The history itself is a task.
    let left = (tasks() - 1, world.clock.sleepers(), world.opening.tasks.len());
    if left != (0, 0, 0) {
        world.fails(&format!("{left:?} tasks, sleepers and tasks of the alias are left"));
    }
}
