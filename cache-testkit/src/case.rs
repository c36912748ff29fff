//! One case of the suite: a rule that every store has to keep.

use futures::future::BoxFuture;

use crate::bench::Bench;
use crate::failure::Outcome;
use crate::need::{Facts, Need};

/// A case, by area and name.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) area: &'static str,
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) run: Run,
}

impl Case {
    /// Why it does not apply to this store, or `None` if it does.
    pub(crate) fn unmet(&self, facts: &Facts) -> Option<String> {
        let unmet: Vec<_> = self.needs.iter().filter_map(|need| need.unmet(facts)).collect();
        (!unmet.is_empty()).then(|| unmet.join(", "))
    }
}

/// Cases of one area that need the same of a store.
pub(crate) struct Group {
    pub(crate) area: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) cases: &'static [Named],
}

/// What a case is called, and what it does.
pub(crate) type Named = (&'static str, Run);

pub(crate) type Run = fn(Bench) -> BoxFuture<'static, Outcome>;

impl Group {
    pub(crate) fn cases(&self) -> impl Iterator<Item = Case> {
        let case = |&(name, run): &Named| Case { area: self.area, name, needs: self.needs, run };
        self.cases.iter().map(case)
    }
}

/// The cases of one area, in groups, each after what it needs. A case that is
/// not listed is dead code, which the compiler tells.
macro_rules! cases {
    ($area:literal: $($needs:tt => $($case:ident),+;)+) => {
        pub(super) const CASES: &[$crate::case::Group] = &[$($crate::case::Group {
            area: $area,
            needs: {
                #[allow(unused_imports, reason = "some need nothing")]
                use $crate::need::Need::*;
                &$needs
            },
            cases: &[$((stringify!($case), |bench| Box::pin($case(bench)))),+],
        }),+];
    };
}

pub(crate) use cases;
