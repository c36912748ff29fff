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
use tempfile::TempDir;

use super::{
    process::{birth, detach},
    service::Service,
    site::{Site, loopback},
    state::State,
};

/// A running server, which is stopped when this is dropped, and its data removed.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    state: State,
    /// Removed when it is dropped, as a field after the server has ended.
    data: TempDir,
    /// Whether dropping leaves it running.
    released: bool,
}

/// How often another port is tried: another program can take the free one first.
const ATTEMPTS: u32 = 5;
const START: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(1);

impl Server {
    /// Starts the servers of a service and waits until they answer. The data and the log of each
    /// are in a directory of its own.
    pub(crate) fn start(service: &Service, program: &Path) -> Result<Vec<Self>> {
        let mut servers: Vec<Self> = Vec::new();
        for _ in 0..service.servers {
            let earlier: Vec<Site> = servers.iter().map(|server| server.state.site.clone()).collect();
            servers.push(Self::start_one(service, &earlier, program)?);
        }
        Ok(servers)
    }

    fn start_one(service: &Service, earlier: &[Site], program: &Path) -> Result<Self> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::start_once(service, earlier, program) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        let error = last.unwrap_or_else(|| anyhow::anyhow!("it was never tried"));
        Err(error.context(format!("{} does not start", service.name)))
    }

    fn start_once(service: &Service, earlier: &[Site], program: &Path) -> Result<Self> {
        // Not below the build directory, whose path can be longer than a socket's may be.
        let data = tempfile::Builder::new()
            .prefix(&format!("cache-sdk-{}-", service.name))
            .tempdir()
            .context("cannot make a directory for the server")?;
        let port = service.takes_port.then(free_port).transpose()?;
        let site = Site { port, data: data.path().to_owned() };
        (service.prepare)(&site)?;
        let log = File::create(site.data.join(LOG)).context("cannot make the log")?;
        let mut command = Command::new(program);
        command
            .current_dir(&site.data)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot share the log")?)
            .stderr(log);
        (service.arguments)(&site, earlier, &mut command);
        let child =
            detach(&mut command).spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let pid = child.id();
        let state = State { pid, site, born: birth(pid).unwrap_or_default() };
        let mut server = Self { child, state, data, released: false };
        match server.wait(service) {
            Ok(()) => Ok(server),
            // Dropping the server removes the log.
            Err(error) => bail!("{error:#}; it says:\n{}", server.log()),
        }
    }

    fn wait(&mut self, service: &Service) -> Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().context("cannot watch the server")? {
                bail!("it ended with {status}");
            }
            if service.answers(&self.state.site, self.state.pid, ANSWER) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("it did not answer within {}s", START.as_secs())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.data.path().join(LOG)).unwrap_or_default()
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Lets the server outlive this process, and its data with it.
    pub(crate) fn release(mut self) {
        self.released = true;
        self.data.disable_cleanup(true);
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
