//! Measurements of cache-sdk side by side with its peers: speed, instructions,
//! hit ratios, what a stampede does, and the stores in files and on Redis.
//!
//! The machine may be shared and noisy, so only the ratios of one run compare.

mod bars;
mod callgrind;
mod contender;
mod contenders;
mod files;
mod hit_ratio;
mod instructions;
mod operation;
mod redis;
mod rounds;
mod speed;
mod spread;
mod stampede;
mod task;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures cache-sdk side by side with its peers.
///
/// Without a command it measures speed. Only the ratios of one run compare:
/// the machine may be shared, and slower or faster the next time.
#[derive(Debug, Parser)]
#[command(name = "cache-bench", bin_name = "cargo xtask bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    speed: speed::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Nanoseconds per operation, in interleaved rounds, with 1 and with 2 threads
    /// [the default].
    Speed(speed::Options),

    /// Instructions per operation, counted by callgrind: what noise does not touch.
    Instructions(instructions::Options),

    /// The share of requests that find their entry, when there is no room for all.
    HitRatio(hit_ratio::Options),

    /// How often many tasks load what all of them miss, and how fast they go on.
    Stampede(stampede::Options),

    /// The store on Redis beside raw drivers: commands, instructions, speed.
    Redis(redis::Options),

    /// The store in files: as it grows, and beside others.
    Files(files::Options),

    /// What `instructions` runs under callgrind.
    #[command(hide = true)]
    Walk(instructions::Walked),

    /// What `files` runs under strace.
    #[command(hide = true)]
    FilesWalk(files::Walked),

    /// What `redis` runs under callgrind.
    #[command(hide = true)]
    RedisWalk(redis::Walked),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Speed(cli.speed)) {
        Command::Speed(options) => Ok(speed::run(&options)),
        Command::Instructions(options) => instructions::run(&options).map(|()| true),
        Command::HitRatio(options) => Ok(hit_ratio::run(&options)),
        Command::Stampede(options) => stampede::run(&options),
        Command::Files(options) => files::run(&options),
        Command::FilesWalk(walked) => files::walk(&walked).map(|()| true),
        Command::Redis(options) => redis::run(&options),
        Command::RedisWalk(walked) => redis::walk(&walked).map(|()| true),
        Command::Walk(walked) => instructions::walk(&walked).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
