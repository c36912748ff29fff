//! A server of a test's own, which the test may kill, stop and start again.
#![allow(dead_code, reason = "each test program uses a part of it")]

mod port;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Clock, Context, SettingValue, Settings, SystemClock};
use cache_redis::RedisStore;
use tempfile::TempDir;

use crate::servers;

use port::Port;

/// A `redis-server` on a port of its own, with data that is thrown away.
///
/// It belongs to a shell that lives as long as the pipe to it is open, and so
/// it ends however the test does: it is killed when this is dropped, when the
/// test panics, and when the test program itself is killed.
pub(crate) struct OwnServer {
    port: Port,
    args: Vec<String>,
    directory: TempDir,
    /// How often it has been started; each time it writes a log of its own.
    starts: u32,
    running: Option<Running>,
    password: Option<String>,
}

struct Running {
    shell: Child,
    process: String,
}

/// How far a server has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Nothing,
    /// It listens, and may still be loading its data.
    Listens,
    /// It serves.
    Serves,
    /// Somebody else has the port.
    NoPort,
}

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for the pipe to be closed, and kills.
const KEEPER: &str = r#"redis-server "$@" >/dev/null 2>&1 &
echo $!
read -r nothing
kill -9 $!
wait $!"#;

impl OwnServer {
    /// A server with these arguments, which serves.
    pub(crate) async fn start(args: &[&str]) -> Self {
        assert!(
            Command::new("redis-server").arg("--version").output().is_ok(),
            "there is no `redis-server`: `cargo xtask test cache-redis` installs it or says how to"
        );
        let directory = tempfile::tempdir().expect("there is room for data");
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let port = Port::any();
        let mut server = Self { port, args, directory, starts: 0, running: None, password: None };
        loop {
            server.launch();
            match server.reaches(Stage::Serves).await {
                Stage::NoPort => {
                    server.kill();
                    server.port = Port::any();
                }
                _ => return server,
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// Where it is.
    pub(crate) fn location(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// `kill -9`; it is gone when this ends.
    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    /// Starts it again on the same port, with the data that it has saved.
    pub(crate) async fn restart(&mut self) {
        self.launch();
        assert!(self.reaches(Stage::Serves).await == Stage::Serves, "somebody else took the port");
    }

    /// The same with more arguments from now on; ends while it is still loading.
    pub(crate) async fn restart_loading(&mut self, args: &[&str]) {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self.launch();
        assert!(self.reaches(Stage::Listens).await == Stage::Listens, "it has loaded already");
    }

    /// Ends once it has loaded its data.
    pub(crate) async fn has_loaded(&self) {
        assert!(self.reaches(Stage::Serves).await == Stage::Serves, "it serves");
    }

    /// Whether another test could be given the port now.
    pub(crate) fn gave_its_port_away(&self) -> bool {
        Port::reserve(self.port()).is_some()
    }

    /// It stands still, and its connections stay open.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// It goes on where it stood.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// What this side says to the server from now on before [`tell`](Self::tell).
    pub(crate) fn admin_password(&mut self, password: &str) {
        self.password = Some(password.to_owned());
    }

    /// What it answers to a command, given by `redis-cli`.
    pub(crate) fn tell(&self, command: &[&str]) -> String {
        let mut program = Command::new("redis-cli");
        program.args(["-h", "127.0.0.1", "-p", &self.port().to_string()]);
        if let Some(password) = &self.password {
            program.args(["--no-auth-warning", "-a", password]);
        }
        let output = program.args(command).output().expect("`redis-cli` comes with the server");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The same, of a command that has to succeed.
    pub(crate) fn obeys(&self, command: &[&str]) {
        assert_eq!(self.tell(command), "OK", "{command:?}");
    }

    fn launch(&mut self) {
        self.starts += 1;
        let log = self.log();
        let directory = self.directory.path();
        let mut shell = Command::new("sh")
            .args(["-c", KEEPER, "sh", "--port", &self.port().to_string(), "--bind", "127.0.0.1"])
            .args(["--daemonize", "no", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(directory)
            .arg("--logfile")
            .arg(log)
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("there is a shell");
        let output = shell.stdout.take().expect("it is piped");
        let mut process = String::new();
        BufReader::new(output).read_line(&mut process).expect("the shell says which process it is");
        self.running = Some(Running { shell, process: process.trim().to_owned() });
    }

    /// Waits until it has come so far, or cannot.
    async fn reaches(&self, wanted: Stage) -> Stage {
        let until = SystemClock.precise().after(PATIENCE);
        loop {
            let stage = self.stage();
            if stage == wanted || stage == Stage::Serves || stage == Stage::NoPort {
                return stage;
            }
            assert!(SystemClock.precise() < until, "it does not start: {}", self.said());
            SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(2))).await;
        }
    }

    fn stage(&self) -> Stage {
        let said = self.said();
        if said.contains("Ready to accept connections") {
            Stage::Serves
        } else if said.contains("Failed listening") {
            Stage::NoPort
        } else if said.contains("Server initialized") {
            Stage::Listens
        } else {
            Stage::Nothing
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join(format!("log-{}", self.starts))
    }

    fn signal(&self, signal: &str) {
        let process = &self.running.as_ref().expect("it runs").process;
        let done = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status();
        assert!(done.is_ok_and(|status| status.success()), "{signal} cannot be sent");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // If waiting fails the shell still ends by itself.
        let _ = self.shell.wait();
    }
}

/// Settings for a driver and a location, with options that are numbers.
pub(crate) fn settings(driver: &str, location: &str, options: &[(&'static str, i64)]) -> Settings {
    let settings = servers::of_driver(driver, location);
    options
        .iter()
        .fold(settings, |settings, (name, number)| settings.with(name, SettingValue::Integer(*number)))
}

/// A handle as a configuration opens it, with this deadline.
pub(crate) fn cache(settings: &Settings, deadline: Duration) -> Cache {
    let context = context(deadline);
    let store = servers::open(settings, &context);
    Cache::builder(store).context(&context).deadline(deadline).build()
}

/// A handle right on the store: no layer lets it fail fast.
pub(crate) fn bare_cache(settings: &Settings, deadline: Duration) -> Cache {
    let context = context(deadline);
    let store = RedisStore::open(settings, &context).expect("the settings are fine");
    Cache::builder(Arc::new(store)).context(&context).deadline(deadline).build()
}

fn context(deadline: Duration) -> Context {
    let mut context = Context::new("test");
    context.deadline = deadline;
    context
}
