//! Interleaved rounds: every contender in every round, in shuffled order.

use std::time::Instant;

/// One thing to measure: its name, and what runs so many operations of it.
pub struct Contender {
    pub name: &'static str,
    pub run: Box<dyn FnMut(usize)>,
}

pub struct Rounds {
    pub count: usize,
    pub operations: usize,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { count: 101, operations: 20_000 }
    }
}

impl Rounds {
    /// Prints the medians, as ratios to the first contender too.
    pub fn report(&self, title: &str, contenders: &mut [Contender]) {
        let mut nanos = vec![Vec::with_capacity(self.count); contenders.len()];
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        // One round more than counted, for warming up.
        for round in 0..=self.count {
            fastrand::shuffle(&mut order);
            for &contender in &order {
                let began = Instant::now();
                (contenders[contender].run)(self.operations);
                let taken = began.elapsed().as_nanos() as f64 / self.operations as f64;
                if round > 0 {
                    nanos[contender].push(taken);
                }
            }
        }
        nanos.iter_mut().for_each(|nanos| nanos.sort_by(f64::total_cmp));
        let at = |nanos: &[f64], share: f64| nanos[((nanos.len() - 1) as f64 * share) as usize];
        let first = at(&nanos[0], 0.5);

        println!("{title}: {} rounds of {} operations, 1 thread", self.count, self.operations);
        println!("  {:<44} {:>8} {:>17} {:>7}", "", "ns/op", "(10 % to 90 %)", "ratio");
        for (contender, nanos) in contenders.iter().zip(&nanos) {
            let (median, low, high) = (at(nanos, 0.5), at(nanos, 0.1), at(nanos, 0.9));
            let spread = format!("({low:.1} to {high:.1})");
            println!("  {:<44} {median:>8.1} {spread:>17} {:>7.2}", contender.name, median / first);
        }
    }
}
