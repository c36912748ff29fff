//! What has to hold: measured numbers beside the bars that they may not cross.

/// One number and its bar.
pub struct Bar {
    pub what: String,
    pub measured: f64,
    pub limit: Limit,
    pub unit: &'static str,
    /// Why the number says nothing, if it does not; then the bar does not hold.
    pub doubt: Option<&'static str>,
}

#[derive(Clone, Copy)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
}

impl Bar {
    fn holds(&self) -> bool {
        self.doubt.is_none() && self.is_within()
    }

    fn is_within(&self) -> bool {
        match self.limit {
            Limit::AtMost(most) => self.measured <= most,
            Limit::AtLeast(least) => self.measured >= least,
            Limit::Exactly(number) => self.measured.total_cmp(&number).is_eq(),
        }
    }

    fn print(&self) {
        let verdict = match self.doubt {
            Some(_) => "DOUBT",
            None if self.is_within() => "ok",
            None => "MISSED",
        };
        let doubt = self.doubt.map(|doubt| format!(": {doubt}")).unwrap_or_default();
        let limit = match self.limit {
            Limit::AtMost(most) => format!("at most {most}"),
            Limit::AtLeast(least) => format!("at least {least}"),
            Limit::Exactly(number) => format!("exactly {number}"),
        };
        println!("  {verdict:<6}  {:<44} {:>6.2} {}, {limit}{doubt}", self.what, self.measured, self.unit);
    }
}

/// Prints one line for each bar; says whether all hold.
pub fn print(bars: &[Bar]) -> bool {
    if !bars.is_empty() {
        println!("\nbars");
        bars.iter().for_each(Bar::print);
    }
    bars.iter().all(Bar::holds)
}
