//! What is measured.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// A look-up that finds a shared value.
    Hit,
    /// A look-up that finds a value of one's own: a clone.
    Get,
    /// A look-up that finds nothing.
    Miss,
    /// Overwriting a warm key with a clone of a value.
    Set,
    /// Overwriting a warm key with a value that is shared already.
    SetArc,
    /// Adding to a counter in one step.
    Incr,
    /// A look-up that would load what is missing, and finds it.
    LoadHit,
    /// A look-up that loads what is missing, with a loader that has it at once.
    LoadMiss,
}

impl Operation {
    /// As on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("no operation is hidden");
        value.get_name().to_owned()
    }
}
