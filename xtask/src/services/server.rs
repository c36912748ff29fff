//! A server that this process has started.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    process::{birth, detach},
    service::{Service, loopback},
    state::State,
};

/// A running server, which is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    state: State,
    /// Whether dropping leaves it running.
    released: bool,
}

/// How often another port is tried: another program can take the free one first.
const ATTEMPTS: u32 = 5;
const START: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(1);

impl Server {
    /// Starts a server and waits until it answers. Its data and its log are in the directory.
    pub(crate) fn start(service: &Service, program: &Path, data: &Path) -> Result<Self> {
        fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::start_once(service, program, data) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        let log = fs::read_to_string(data.join(LOG)).unwrap_or_default();
        let error = last.unwrap_or_else(|| anyhow::anyhow!("it was never tried"));
        Err(error.context(format!("{} does not start; it says:\n{log}", service.name)))
    }

    fn start_once(service: &Service, program: &Path, data: &Path) -> Result<Self> {
        let port = free_port()?;
        let log = File::create(data.join(LOG)).context("cannot make the log")?;
        let mut command = Command::new(program);
        command
            .args((service.arguments)(port, data))
            .current_dir(data)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot share the log")?)
            .stderr(log);
        let child =
            detach(&mut command).spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let pid = child.id();
        let mut server = Self {
            child,
            state: State { pid, port, data: data.to_owned(), born: birth(pid).unwrap_or_default() },
            released: false,
        };
        server.wait(service)?;
        Ok(server)
    }

    fn wait(&mut self, service: &Service) -> Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().context("cannot watch the server")? {
                bail!("it ended with {status}");
            }
            if (service.answers)(self.state.port, self.state.pid, ANSWER) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("it did not answer within {}s", START.as_secs())
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Lets the server outlive this process.
    pub(crate) fn release(mut self) {
        self.released = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.released {
            // It may have ended by itself, and its data is thrown away in any case.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

const LOG: &str = "server.log";

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(loopback(0)).context("no free port")?;
    Ok(listener.local_addr().context("the port is not known")?.port())
}
