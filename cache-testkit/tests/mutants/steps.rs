//! Counters, moves and clears gone wrong.

use cache_core::{Entry, Error, ErrorKind, Found, Incr, Life, Result, Scope};

use crate::mutant::{DAY, Mutant};
use crate::rule::Rule;

impl Mutant {
    pub(crate) async fn incr(&self, text: &str, incr: Incr) -> Result<Option<i64>> {
        let Some(found) = self.honest(text).await? else {
            if self.breaks(Rule::IncrMakesEntries) {
                self.put(text, Entry::from_integer(incr.delta), Life::Forever).await?;
                return Ok(Some(incr.delta));
            }
            return Ok(None);
        };
        let life = self.honest_life(text).await?.unwrap_or(Life::Forever);
        let begun = match (self.rule, found.entry.integer()) {
            (Rule::IncrResetsText, None) => Some(0),
            (Rule::IncrParsesText, None) => self.parsed(&found),
            (Rule::IncrTakesBooleans, None) => found.entry.read::<bool>(&self.format).ok().map(i64::from),
            (Rule::IncrQuotesTheKey, None) => {
                let detail = format!("of the key {text}");
                return Err(Error::new(ErrorKind::NotAnInteger, detail));
            }
            (Rule::IncrWraps, Some(count)) => Some(count.wrapping_add(incr.delta).wrapping_sub(incr.delta)),
            (Rule::IncrSaturates | Rule::IncrStopsAtZero | Rule::IncrInSteps, count) => count,
            _ => None,
        };
        let Some(begun) = begun else { return self.honest_incr(text, incr, life).await };
        if self.breaks(Rule::IncrInSteps) {
            tokio::task::yield_now().await;
        }
        let sum = match self.rule {
            Rule::IncrWraps => begun.wrapping_add(incr.delta),
            Rule::IncrSaturates => begun.saturating_add(incr.delta),
            Rule::IncrStopsAtZero => match begun.checked_add(incr.delta) {
                Some(sum) if incr.delta < 0 => sum.max(0),
                Some(sum) => sum,
                None => return Err(Error::of(ErrorKind::Overflow)),
            },
            _ => begun.checked_add(incr.delta).ok_or_else(|| Error::of(ErrorKind::Overflow))?,
        };
        self.put(text, Entry::from_integer(sum), life).await?;
        Ok(Some(sum))
    }

    async fn honest_incr(&self, text: &str, incr: Incr, life: Life) -> Result<Option<i64>> {
        let sum = self.below.aincr(&self.key(text), incr).await?;
        let life = match self.rule {
            Rule::IncrLosesTheLife => Life::Forever,
            Rule::IncrBeginsTheLifeAnew if life != Life::Forever => Life::For(DAY),
            _ => return Ok(sum),
        };
        self.below.atouch(&self.key(text), life).await?;
        Ok(sum)
    }

    fn parsed(&self, found: &Found) -> Option<i64> {
        found.entry.read::<String>(&self.format).ok()?.parse().ok()
    }

    pub(crate) async fn shift(&self, from: &str, to: &str) -> Result<bool> {
        let Some(found) = self.honest(from).await? else {
            if self.breaks(Rule::MoveOfMissingClearsTarget) {
                self.remove(to).await?;
            }
            return Ok(self.breaks(Rule::MoveOfMissingIsTrue));
        };
        let life = self.honest_life(from).await?.unwrap_or(Life::Forever);
        let there = self.honest_life(to).await?;
        match self.rule {
            Rule::MoveRefusesTarget if there.is_some() => return Ok(false),
            Rule::MoveCopies => return self.put(to, found.entry, life).await,
            Rule::MoveInSteps => {
                tokio::task::yield_now().await;
                self.put(to, found.entry, life).await?;
                tokio::task::yield_now().await;
                return self.remove(from).await;
            }
            _ => {}
        }
        let moved = self.below.amove(&self.key(from), &self.key(to)).await?;
        match (self.rule, there) {
            (Rule::MoveLosesTheLife, _) => drop(self.below.atouch(&self.key(to), Life::Forever).await?),
            (Rule::MoveKeepsTheTargetsLife, Some(there)) => {
                self.below.atouch(&self.key(to), there).await?;
            }
            _ => {}
        }
        Ok(moved)
    }

    pub(crate) async fn clear(&self, scope: &Scope<'_>) -> Result<()> {
        if self.breaks(Rule::ClearDoesNothing) {
            return Ok(());
        }
        let Some(prefix) = scope.prefix() else { return self.below.aclear(scope).await };
        if self.breaks(Rule::ClearTakesEverything) {
            return self.below.aclear(&Scope::all()).await;
        }
        let leaves = [Rule::ClearTakesOneVersion, Rule::ClearForgetsCounters].contains(&self.rule);
        for text in self.known_texts() {
            let taken = match self.rule {
                Rule::ClearTakesLongerPrefixes => text.starts_with(prefix),
                Rule::ClearTakesForeignKeys => text.starts_with(&format!("{prefix}:")),
                Rule::ClearTakesOneVersion => text.starts_with(&format!("{prefix}:1:")),
                Rule::ClearReadsPatterns => matches(&format!("{prefix}:*"), &text),
                Rule::ClearFoldsCase => scope.covers(&text) || covers_folded(prefix, &text),
                Rule::ClearForgetsCounters => {
                    let found = self.honest(&text).await?;
                    scope.covers(&text) && found.is_none_or(|found| found.entry.integer().is_none())
                }
                _ => false,
            };
            if taken {
                self.remove(&text).await?;
            }
        }
        if leaves { Ok(()) } else { self.below.aclear(scope).await }
    }
}

fn covers_folded(prefix: &str, text: &str) -> bool {
    Scope::of_prefix(&prefix.to_lowercase()).covers(&text.to_lowercase())
}

/// As a store would that reads `*` and `%` as anything, `?` and `_` as one
/// character.
fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*' | '%') => (0..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .any(|at| matches(rest.as_str(), &text[at..])),
        Some(wanted) => {
            let mut left = text.chars();
            left.next().is_some_and(|found| found == wanted || matches!(wanted, '?' | '_'))
                && matches(rest.as_str(), left.as_str())
        }
    }
}
