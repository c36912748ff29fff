//! The servers of one test run.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    install,
    process::{detach, this_program},
    service::{Service, Variable},
    state::State,
};

/// Servers on ports of their own, which end when this is dropped or this process ends.
///
/// They belong to a second process, the keeper, which lives as long as the pipe to it is open.
/// So they are stopped however this process ends: an interrupt, a panic or a kill closes the
/// pipe just as dropping this does.
#[derive(Debug)]
pub(crate) struct Private {
    keeper: Option<Child>,
    variables: Vec<Variable>,
}

impl Private {
    pub(crate) fn start(services: &[&Service]) -> Result<Self> {
        let mut private = Self { keeper: None, variables: Vec::new() };
        if services.is_empty() {
            return Ok(private);
        }
        for service in services {
            // Here and not in the keeper, where nobody could interrupt an installation.
            install::program(service)?;
        }

        let mut command = this_program()?;
        command
            .args(["services", "keep"])
            .args(services.iter().map(|service| service.name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = detach(&mut command).spawn().context("cannot start the keeper of servers")?;
        let output = child.stdout.take();
        // From here on an error drops it, and with it the pipe.
        private.keeper = Some(child);

        let mut line = String::new();
        BufReader::new(output.context("the keeper has no output")?)
            .read_line(&mut line)
            .context("cannot read from the keeper")?;
        let states: Vec<Vec<State>> =
            serde_json::from_str(&line).context("the servers for the tests did not start")?;
        for (service, servers) in services.iter().zip(states) {
            let variable = service.variable(&servers);
            eprintln!("{} for the tests: {}={}", service.name, variable.name, variable.value);
            private.variables.push(variable);
        }
        Ok(private)
    }

    /// Tells tests where the servers are.
    pub(crate) fn variables(&self) -> Vec<Variable> {
        self.variables.clone()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            drop(keeper.stdin.take());
            // If waiting fails the keeper still ends by itself.
            let _ = keeper.wait();
        }
    }
}
