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
        let (servers, how) = match kept.running()? {
            Some(servers) => (servers, "runs already"),
            None => (kept.start()?, "started"),
        };
        let variable = service.variable(&servers);
        if env {
            println!("{}", export(&variable));
        } else {
            for state in &servers {
                println!("{} {how} at {}, process {}", service.name, state.site, state.pid);
            }
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
        let mut servers = State::load(&kept.directory)?;
        servers.retain(State::runs);
        kept.clear()?;
        for state in &servers {
            println!("{} stopped, process {}", service.name, state.pid);
        }
        if servers.is_empty() {
            println!("{} was not running", service.name);
        }
    }
    Ok(())
}

/// Prints a line per server.
pub(crate) fn status(services: &[&Service], place: &Path) -> Result<()> {
    for service in services {
        let kept = Kept::lock(service, place)?;
        // If one has died the others are of no use: the service is started anew.
        let mut told = match kept.running()? {
            Some(servers) => {
                let Variable { name, value } = service.variable(&servers);
                format!("{name}={value}")
            }
            None => service.variable.to_owned(),
        };
        let mut line = |verdict: &str, pid: &str, site: &str| {
            let told = std::mem::take(&mut told);
            let line = format!("{:<14} {verdict:<16} pid {pid:<8} {site:<22} {told}", service.name);
            println!("{}", line.trim_end());
        };
        let servers = State::load(&kept.directory)?;
        if servers.is_empty() {
            line("not running", "-", "-");
        }
        for state in &servers {
            let (pid, site) = (state.pid.to_string(), state.site.to_string());
            if !state.runs() {
                line("not running", "-", &site);
            } else if service.answers(&state.site, state.pid, ANSWER) {
                line("running", &pid, &site);
            } else {
                line("does not answer", &pid, &site);
            }
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

    /// The servers that were started here, if all of them still run.
    fn running(&self) -> Result<Option<Vec<State>>> {
        let servers = State::load(&self.directory)?;
        let all = servers.len() == self.service.servers && servers.iter().all(State::runs);
        Ok(all.then_some(servers))
    }

    fn start(&self) -> Result<Vec<State>> {
        let program = install::program(self.service)?;
        // What earlier servers left behind when one was killed, and those that were not.
        self.clear()?;
        let servers = Server::start(self.service, &program)?;
        let states: Vec<State> = servers.iter().map(Server::state).cloned().collect();
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot make {}", self.directory.display()))?;
        State::save(&states, &self.directory)?;
        servers.into_iter().for_each(Server::release);
        Ok(states)
    }

    /// Ends the servers that run, and removes everything that they kept.
    fn clear(&self) -> Result<()> {
        for state in State::load(&self.directory)? {
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
