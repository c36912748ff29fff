//! The order of writes: those of one key follow each other as they were first
//! polled, also those whose callers have gone.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_core::{Error, ErrorKind, Result};
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Queues of blocking work. Each has one thread at a time, which works until
/// the queue is empty, so that under load many writes share one hop.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Arc<Lane>>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Lane(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    is_worked: bool,
    jobs: VecDeque<Job>,
}

struct Job {
    runtime: Handle,
    work: Box<dyn FnOnce() + Send>,
}

/// Whoever works a queue. If its runtime is shut down before it is done, the
/// jobs of other runtimes go on there.
struct Worker {
    lane: Arc<Lane>,
    runtime: runtime::Id,
    tasks: TaskTracker,
    is_begun: bool,
    is_done: bool,
}

impl Lanes {
    pub(crate) fn new(count: usize, tasks: &TaskTracker) -> Self {
        Self { lanes: (0..count).map(|_| Arc::default()).collect(), tasks: tasks.clone() }
    }

    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Does the work once all is done that came to the lane before. What nobody
    /// waits for any more when its turn comes is not done.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        lane: usize,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let runtime = Handle::try_current().map_err(|_| no_runtime())?;
        let (answer, answered) = oneshot::channel();
        let work = move || {
            if !answer.is_closed() {
                drop(answer.send(work()));
            }
        };
        self.push(lane, Job { runtime, work: Box::new(work) });
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    fn push(&self, lane: usize, job: Job) {
        let lane = &self.lanes[lane];
        let runtime = job.runtime.clone();
        let is_worked = {
            let mut queue = lane.queue();
            queue.jobs.push_back(job);
            std::mem::replace(&mut queue.is_worked, true)
        };
        if !is_worked {
            Worker::start(Arc::clone(lane), &runtime, &self.tasks);
        }
    }
}

impl Lane {
    /// The next job; if there is none, nobody works the lane any more.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        let job = queue.jobs.pop_front();
        queue.is_worked = job.is_some();
        job
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// The queue is marked as worked. No lock is held: a runtime that has been
    /// shut down drops the worker at once.
    fn start(lane: Arc<Lane>, runtime: &Handle, tasks: &TaskTracker) {
        let worker =
            Self { lane, runtime: runtime.id(), tasks: tasks.clone(), is_begun: false, is_done: false };
        tasks.spawn_blocking_on(move || worker.work(), runtime);
    }

    fn work(mut self) {
        self.is_begun = true;
        while let Some(job) = self.lane.next() {
            (job.work)();
        }
        self.is_done = true;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // One that was never begun may be dropped while another panics.
        let is_panic = self.is_begun && std::thread::panicking();
        let (abandoned, next) = {
            let mut queue = self.lane.queue();
            let jobs = std::mem::take(&mut queue.jobs);
            let is_lost = |job: &Job| !is_panic && job.runtime.id() == self.runtime;
            let (abandoned, left): (VecDeque<_>, VecDeque<_>) = jobs.into_iter().partition(is_lost);
            let next = left.front().map(|job| job.runtime.clone());
            queue.is_worked = next.is_some();
            queue.jobs = left;
            (abandoned, next)
        };
        drop(abandoned);
        if let Some(runtime) = next {
            Self::start(Arc::clone(&self.lane), &runtime, &self.tasks);
        }
    }
}

/// Does work that keeps no order.
pub(crate) async fn hop<T: Send + 'static>(
    tasks: &TaskTracker,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let runtime = Handle::try_current().map_err(|_| no_runtime())?;
    match tasks.spawn_blocking_on(work, &runtime).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(closed()),
        },
    }
}

#[cold]
fn no_runtime() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "files are read and written on a tokio runtime, and there is none here",
    )
}

#[cold]
fn closed() -> Error {
    Error::new(
        ErrorKind::Closed,
        "the thread that was to do this is gone: its runtime has been shut down, or it panicked",
    )
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lane(..)")
    }
}
