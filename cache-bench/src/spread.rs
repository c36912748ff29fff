//! The middle of many samples, and how far they lie apart.

/// Where most of the samples lie.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// A tenth of them is below.
    pub low: f64,
    pub median: f64,
    /// A tenth of them is above.
    pub high: f64,
}

impl Spread {
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        let at = |tenths: usize| samples[(samples.len() - 1) * tenths / 10];
        Self { low: at(1), median: at(5), high: at(9) }
    }
}
