//! Measurements of cache-sdk side by side with its peers: one process,
//! interleaved rounds, medians with their spread.
//!
//! The machine may be shared and noisy, so only the ratios of one run compare.

mod contenders;
mod rounds;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut rounds = rounds::Rounds::default();
    for argument in std::env::args().skip(1) {
        match argument.split_once('=').map(|(name, value)| (name, value.parse())) {
            Some(("--rounds", Ok(count))) if count > 0 => rounds.count = count,
            Some(("--operations", Ok(count))) if count > 0 => rounds.operations = count,
            _ => {
                println!("usage: cargo xtask bench [--rounds=N] [--operations=N]");
                println!("  --rounds=N      interleaved rounds of all contenders (default {})", rounds.count);
                println!(
                    "  --operations=N  operations of each contender in a round (default {})",
                    rounds.operations
                );
                return ExitCode::from(2);
            }
        }
    }
    rounds.report("hit in memory", &mut contenders::hits());
    ExitCode::SUCCESS
}
