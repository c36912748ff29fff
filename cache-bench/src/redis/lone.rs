//! What this process has used: time of the processor, and switches.

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};

/// What was used so far.
pub struct Meter {
    micros: f64,
    switches: f64,
}

/// What one call used.
pub struct Cost {
    pub micros: f64,
    pub switches: f64,
}

impl Meter {
    pub fn start() -> Result<Self> {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let micros = time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3;
        Ok(Self { micros, switches: switches()? })
    }

    /// What each of so many calls used since.
    pub fn stop(self, calls: f64) -> Result<Cost> {
        let now = Self::start()?;
        Ok(Cost {
            micros: (now.micros - self.micros) / calls,
            switches: (now.switches - self.switches) / calls,
        })
    }
}

/// How often a thread of this process gave up its core of its own will.
fn switches() -> Result<f64> {
    let mut sum = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.context("the kernel does not count switches")?.trim().parse::<f64>()?;
    }
    Ok(sum)
}
