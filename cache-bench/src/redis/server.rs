//! A server of the benchmark's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rand::RngExt as _;

/// A `redis-server` on a free port of the loopback, which keeps nothing.
///
/// It belongs to a shell that lives as long as the pipe to it is open, and so
/// it ends however the benchmark does.
pub struct Server {
    port: u16,
    shell: Child,
    /// What it goes on to say: it may not find the pipe closed.
    said: BufReader<ChildStdout>,
}

const PROGRAM: &str = "redis-server";

/// Below those that the kernel hands out to clients.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port may be taken; so many are not.
const ATTEMPTS: usize = 20;

/// Waits for the pipe to be closed, and kills. Only the server can write, so
/// that its end shows.
const KEEPER: &str = r#"redis-server "$@" 2>&1 &
exec >&-
read -r nothing
kill -9 $!
wait $!"#;

impl Server {
    /// A server that serves.
    pub fn start() -> Result<Self> {
        if Command::new(PROGRAM).arg("--version").output().is_err() {
            bail!("{PROGRAM} is missing: install the system's package `{PROGRAM}`");
        }
        for _ in 0..ATTEMPTS {
            if let Some(server) = Self::try_start(rand::rng().random_range(PORTS))? {
                return Ok(server);
            }
        }
        bail!("{PROGRAM} does not start on any port")
    }

    /// For a process of the benchmark that did not start it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// None if it ends instead.
    fn try_start(port: u16) -> Result<Option<Self>> {
        let mut shell = Command::new("sh")
            .args(["-c", KEEPER, "sh", "--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--daemonize", "no", "--save", "", "--appendonly", "no"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("there is no shell")?;
        let said = BufReader::new(shell.stdout.take().context("its output is not piped")?);
        let mut server = Self { port, shell, said };
        Ok(server.gets_ready()?.then_some(server))
    }

    fn gets_ready(&mut self) -> Result<bool> {
        let mut line = String::new();
        while self.said.read_line(&mut line).with_context(|| format!("{PROGRAM} cannot be heard"))? > 0 {
            if line.contains("Ready to accept connections") {
                return Ok(true);
            }
            line.clear();
        }
        Ok(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // If waiting fails the shell still ends by itself.
        let _ = self.shell.wait();
    }
}
