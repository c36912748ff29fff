//! Running a program while showing either what it prints or that it is still at work.

use std::{
    io::BufReader,
    process::Command,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// What the user sees of a program while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Its output, line by line.
    Output,
    /// Only its name and how long it has been running.
    Progress,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    /// Both of its output streams, in the order in which it wrote them.
    pub(crate) text: String,
}

const TICK: Duration = Duration::from_secs(10);

/// Runs a program to its end and keeps its output.
pub(crate) fn watch(mut command: Command, label: &str, show: Show) -> Result<Ended> {
    let program = command.get_program().to_owned();
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
    // The command holds the writing end; reading would never end while it lives.
    drop(command);

    let text = with_ticks(label, show, || read_lines(BufReader::new(reader), show));
    let status = child.wait().context("cannot wait for a program")?;
    Ok(Ended { success: status.success(), text: text? })
}

fn read_lines(mut reader: impl std::io::BufRead, show: Show) -> Result<String> {
    let mut text = String::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).context("cannot read output")? > 0 {
        let decoded = String::from_utf8_lossy(&line);
        if show == Show::Output {
            print!("{decoded}");
        }
        text.push_str(&decoded);
        line.clear();
    }
    Ok(text)
}

/// Does the work while saying now and then that it still goes on.
fn with_ticks<T>(label: &str, show: Show, work: impl FnOnce() -> T) -> T {
    if show == Show::Output {
        return work();
    }
    let start = Instant::now();
    let (done, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{label} ... {}s", start.elapsed().as_secs());
            }
        });
        let result = work();
        drop(done);
        result
    })
}
