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
    service::{Service, Variable},
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
        let variable = service.variable(&state.site);
        if env {
            println!("{}", export(&variable));
        } else {
            println!("{} {how} at {}, process {}", service.name, state.site, state.pid);
            println!("  {}={}", variable.name, variable.value);
        }
    }
    Ok(())
}

/// A line that a shell takes for the variable.
fn export(variable: &Variable) -> String {
    // A bare `?`, as in a URL, would be a pattern for names of files.
    let value = variable.value.replace('\'', r"'\''");
    format!("export {}='{value}'", variable.name)
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
            let answers = service.answers(&state.site, state.pid, ANSWER);
            let verdict = if answers { "running" } else { "does not answer" };
            let Variable { name: variable, value } = service.variable(&state.site);
            let (pid, site) = (state.pid, state.site.to_string());
            println!("{name:<12} {verdict:<16} pid {pid:<8} {site:<22} {variable}={value}");
        } else {
            let (none, variable) = ("-", service.variable);
            println!("{name:<12} {:<16} pid {none:<8} {none:<22} {variable}", "not running");
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
        let server = Server::start(self.service, &program)?;
        let state = server.state().clone();
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot make {}", self.directory.display()))?;
        state.save(&self.directory)?;
        server.release();
        Ok(state)
    }

    /// Ends the server if it runs, and removes everything that it kept.
    fn clear(&self) -> Result<()> {
        if let Some(state) = State::load(&self.directory)? {
            process::end(state.pid, &state.born)?;
            remove(&state.site.data)?;
        }
        remove(&self.directory)
    }
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Variable, export};

    #[test]
    fn a_shell_takes_the_exported_value_as_it_is() {
        let value = "rediss://:p@localhost:1/0?ssl_ca_certs=/it's here/$HOME/ca.pem";
        let line = export(&Variable { name: "ADDRESS".to_owned(), value: value.to_owned() });
        let script = format!("{line}\nprintf %s \"$ADDRESS\"");
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&output.stdout), value);
    }
}
