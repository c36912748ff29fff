//! The servers that tests talk to: started on free ports, kept, found again and stopped.
//!
//! There are two kinds of life. `cargo xtask services up` starts standing servers, which outlive
//! the command and are found again by a file of state. A test run has servers of its own, which
//! end with it however it ends.
//!
//! A service is one server, or a few that belong together, such as a leader and its replicas: they
//! are told to tests by one variable, and live and die together.

mod install;
mod keeper;
mod private;
mod process;
mod redis;
mod server;
mod service;
mod site;
mod standing;
mod state;
mod table;
mod url_path;

use anyhow::Result;
use clap::Subcommand;

use crate::{cargo::Lock, workspace::Workspace};

pub(crate) use self::{private::Private, service::Variable};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start servers on free ports of this machine; those that run already are left alone.
    ///
    /// A program that is missing is installed if that is possible here. The servers keep running
    /// until `cargo xtask services down`, and keep nothing when they end.
    Up {
        /// The services to start; all if none is named.
        #[arg(value_name = "NAME")]
        names: Vec<String>,

        /// Print only `export NAME='value'` lines, for `eval "$(cargo xtask services up --env)"`.
        #[arg(long)]
        env: bool,
    },

    /// Stop the servers that `up` has started, and remove their data.
    Down {
        /// The services to stop; all if none is named.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },

    /// Print a line per server: whether it runs, its process, address and variable.
    Status {
        /// The services to list; all if none is named.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },

    /// Keep servers until standard input ends; this is how a test run has servers of its own.
    #[command(hide = true)]
    Keep {
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

pub(crate) fn run(options: Options) -> Result<bool> {
    // The keeper is a child of a test run, which has loaded the workspace already.
    let place = || Ok::<_, anyhow::Error>(Workspace::load(Lock::Update)?.target().join("services"));
    match options.command {
        Command::Up { names, env } => standing::up(&table::select(&names)?, &place()?, env)?,
        Command::Down { names } => standing::down(&table::select(&names)?, &place()?)?,
        Command::Status { names } => standing::status(&table::select(&names)?, &place()?)?,
        Command::Keep { names } => keeper::keep(&table::select(&names)?)?,
    }
    Ok(true)
}

/// Starts servers of their own for the tests of these crates.
pub(crate) fn for_crates<'a>(names: impl Iterator<Item = &'a str>) -> Result<Private> {
    Private::start(&table::needed_by(names))
}
