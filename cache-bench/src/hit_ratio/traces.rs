//! What is asked for, in which order.

use std::fmt;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_distr::{Distribution as _, Zipf};

/// So many keys are asked for again and again.
pub const DISTINCT: usize = 100_000;

/// The exponent of Zipf's law.
const SKEW: f64 = 1.0;

/// Between two scans so many requests go by Zipf's law, ...
const BETWEEN_SCANS: usize = 20_000;

/// ... and a scan asks for so many keys in a row.
const SCAN: usize = 10_000;

#[derive(Clone, Copy, Debug)]
pub enum Trace {
    /// The popular keys are asked for by Zipf's law.
    Zipf,
    /// The same, and every so often a run of keys that are asked for once and
    /// never again.
    Scans,
}

impl Trace {
    pub const ALL: [Self; 2] = [Self::Zipf, Self::Scans];

    pub fn name(self) -> &'static str {
        match self {
            Self::Zipf => "Zipf",
            Self::Scans => "Zipf and scans",
        }
    }

    /// The keys, in the order in which they are asked for.
    pub fn requests(self, seed: u64, count: usize) -> Vec<u64> {
        let mut random = StdRng::seed_from_u64(seed);
        let zipf = Zipf::new(DISTINCT as f64, SKEW).expect("the parameters are within its bounds");
        let mut scanned = DISTINCT as u64..;
        let mut popular = || zipf.sample(&mut random) as u64 - 1;
        (0..count)
            .map(|number| match self {
                Self::Scans if number % (BETWEEN_SCANS + SCAN) >= BETWEEN_SCANS => {
                    scanned.next().expect("there are more numbers than requests")
                }
                _ => popular(),
            })
            .collect()
    }
}

/// Whether the key is one that a scan asks for, and nobody else ever.
pub fn is_scanned(key: u64) -> bool {
    key >= DISTINCT as u64
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: exponent {SKEW:.1}", self.name())?;
        match self {
            Self::Zipf => Ok(()),
            Self::Scans => write!(
                f,
                "; after each {BETWEEN_SCANS} requests {SCAN} for keys never seen before or again, which do not count"
            ),
        }
    }
}
