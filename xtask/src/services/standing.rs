//! The servers to develop against, which outlive the command that starts them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    install, process,
    server::Server,
    service::{Service, loopback},
    state::State,
};

/// Starts the services that do not run yet.
pub(crate) fn up(services: &[&Service], place: &Path, env: bool) -> Result<()> {
    for service in services {
        let kept = Kept::lock(service, place)?;
        let (state, how) = match kept.running()? {
            Some(state) => (state, "runs already"),
            None => (kept.start()?, "started"),
        };
        let variable = service.variable(state.port);
        if env {
            println!("export {}={}", variable.name, variable.value);
        } else {
            let address = loopback(state.port);
            println!("{} {how} at {address}, process {}", service.name, state.pid);
            println!("  {}={}", variable.name, variable.value);
        }
    }
    Ok(())
}

/// Stops the services that were started here.
pub(crate) fn down(services: &[&Service], place: &Path) -> Result<()> {
    for service in services {
        let kept = Kept::lock(service, place)?;
        let running = kept.running()?;
        kept.clear()?;
        match running {
            Some(state) => println!("{} stopped, process {}", service.name, state.pid),
            None => println!("{} was not running", service.name),
        }
    }
    Ok(())
}

/// Prints a line per service.
pub(crate) fn status(services: &[&Service], place: &Path) -> Result<()> {
    for service in services {
        let name = service.name;
        let kept = Kept::lock(service, place)?;
        if let Some(state) = kept.running()? {
            let verdict =
                if (service.answers)(state.port, state.pid, ANSWER) { "running" } else { "does not answer" };
            let variable = service.variable(state.port);
            println!(
                "{name:<12} {verdict:<16} {:<22} pid {:<8} {}={}",
                loopback(state.port),
                state.pid,
                variable.name,
                variable.value
            );
        } else {
            let (none, variable) = ("-", service.variable);
            println!("{name:<12} {:<16} {none:<22} pid {none:<8} {variable}", "not running");
        }
    }
    Ok(())
}

const ANSWER: Duration = Duration::from_secs(2);

/// What is kept of one service, held against other commands of this kind.
#[derive(Debug)]
struct Kept<'a> {
    service: &'a Service,
    directory: PathBuf,
    _lock: File,
}

impl<'a> Kept<'a> {
    fn lock(service: &'a Service, place: &Path) -> Result<Self> {
        fs::create_dir_all(place).with_context(|| format!("cannot make {}", place.display()))?;
        let file = place.join(format!("{}.lock", service.name));
        let lock = File::create(&file).with_context(|| format!("cannot open {}", file.display()))?;
        lock.lock().with_context(|| format!("cannot lock {}", file.display()))?;
        Ok(Self { service, directory: place.join(service.name), _lock: lock })
    }

    /// The server that was started here, if it still runs.
    fn running(&self) -> Result<Option<State>> {
        Ok(State::load(&self.directory)?.filter(State::runs))
    }

    fn start(&self) -> Result<State> {
        let program = install::program(self.service)?;
        // What an earlier server left behind when it was killed.
        self.clear()?;
        let server = Server::start(self.service, &program, &self.directory.join("data"))?;
        let state = server.state().clone();
        state.save(&self.directory)?;
        server.release();
        Ok(state)
    }

    /// Ends the server if it runs, and removes everything that it kept.
    fn clear(&self) -> Result<()> {
        if let Some(state) = State::load(&self.directory)? {
            process::end(state.pid, &state.born)?;
        }
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.directory.display()))
            }
            _ => Ok(()),
        }
    }
}
