//! Writes gone wrong.

use std::time::Duration;

use cache_core::{Key, Life, NewEntry, Result, Token, When, Write};

use crate::mutant::{DAY, Mutant, Remembered};
use crate::rule::Rule;

impl Mutant {
    pub(crate) async fn set(&self, text: &str, value: &NewEntry<'_>, mut write: Write) -> Result<bool> {
        write.life = self.changed_life(text, write.life).await?;
        match (self.rule, &write.when) {
            (Rule::AddOverwrites, When::Absent)
            | (Rule::PresentIgnored, When::Present)
            | (Rule::UnchangedIgnored, When::Unchanged(_)) => write.when = When::Always,
            (Rule::UnchangedNever, When::Unchanged(_)) => return Ok(false),
            (Rule::AddNeverStores, When::Absent) => return Ok(self.honest(text).await?.is_none()),
            (Rule::AddInSteps, When::Absent) => {
                if self.honest(text).await?.is_some() {
                    return Ok(false);
                }
                tokio::task::yield_now().await;
                write.when = When::Always;
            }
            (Rule::TokenOfTheValue | Rule::TokenOfTheKey, When::Unchanged(token)) => {
                if !self.is_own_token(text, token).await? {
                    return Ok(false);
                }
                write.when = When::Present;
            }
            _ => {}
        }
        let before = self.honest(text).await?.map(|found| found.entry);
        let written = self.below.aset(&self.key(text), value, write).await?;
        if written {
            let last = self.honest(text).await?.map(|found| found.entry);
            self.memory().insert(text.to_owned(), Remembered { before, last });
        }
        Ok(written && !self.breaks(Rule::SetSaysItDidNot))
    }

    async fn is_own_token(&self, text: &str, token: &Token) -> Result<bool> {
        let read = cache_core::Read::LEADER.with_token();
        Ok(self.get(text, read).await?.and_then(|found| found.token).as_ref() == Some(token))
    }

    async fn changed_life(&self, text: &str, life: Life) -> Result<Life> {
        Ok(match (self.rule, life) {
            (Rule::LifeHalved, Life::For(life)) => Life::For((life / 2).max(Duration::from_nanos(1))),
            (Rule::LifeTooLong, Life::For(life)) => Life::For(life.saturating_mul(2)),
            (Rule::LifeCutToSeconds, Life::For(life)) => {
                Life::For(Duration::from_secs(life.as_secs()).max(Duration::from_nanos(1)))
            }
            (Rule::ForeverIsFinite, Life::Forever) => Life::For(DAY),
            (Rule::SetKeepsOldLife, life) => self.honest_life(text).await?.unwrap_or(life),
            (_, life) => life,
        })
    }

    pub(crate) async fn touch(&self, text: &str, life: Life) -> Result<bool> {
        let there = self.honest(text).await?;
        match (self.rule, there) {
            (Rule::TouchDropsValue, Some(_)) => {
                self.put(text, cache_core::Entry::from_bytes(bytes::Bytes::from_static(b"\x81\xc0")), life)
                    .await
            }
            (Rule::TouchIgnoresLife, there) => Ok(there.is_some()),
            (Rule::TouchMakesEntries, None) => self.put(text, cache_core::Entry::from_integer(0), life).await,
            (Rule::TouchSaysFalse, Some(_)) if self.honest_life(text).await? == Some(life) => Ok(false),
            _ => {
                let life = self.changed_life(text, life).await?;
                self.below.atouch(&self.key(text), life).await
            }
        }
    }

    pub(crate) async fn delete(&self, text: &str, when: &When) -> Result<bool> {
        let when = match (self.rule, when) {
            (Rule::DeleteUnchangedIgnored, When::Unchanged(_))
            | (Rule::DeleteAbsentDeletes, When::Absent) => &When::Always,
            (Rule::TokenOfTheValue | Rule::TokenOfTheKey, When::Unchanged(token)) => {
                if !self.is_own_token(text, token).await? {
                    return Ok(false);
                }
                &When::Always
            }
            (_, when) => when,
        };
        if self.breaks(Rule::DeleteDoesNothing) {
            return Ok(self.honest(text).await?.is_some());
        }
        let was_written = self.remembered(text).last.is_some();
        let deleted = self.below.adelete(&self.key(text), when).await?;
        // What is deleted is remembered only by the mutant that serves it.
        if deleted && !self.breaks(Rule::ProbeSeesDeleted) {
            self.memory().remove(text);
        }
        Ok(match self.rule {
            Rule::DeleteAlwaysTrue => true,
            Rule::DeleteNeverTrue => false,
            Rule::DeleteTrueOfExpired => deleted || was_written && *when == When::Always,
            _ => deleted,
        })
    }

    pub(crate) async fn set_all(
        &self,
        items: &[(Key<'_>, NewEntry<'_>, Write)],
    ) -> Result<Vec<Result<bool>>> {
        let mut outcomes: Vec<Result<bool>> = items.iter().map(|_| Ok(true)).collect();
        let mut positions: Vec<_> = (0..items.len()).collect();
        if self.breaks(Rule::SetManyReversed) {
            positions.reverse();
        }
        if self.breaks(Rule::SetManyDropsTheLast) && items.len() > 1 {
            positions.pop();
        }
        let judged = self.judged_first(items).await?;
        for position in positions {
            let (key, value, write) = &items[position];
            let text = self.text(key);
            let mut write = write.clone();
            match self.rule {
                Rule::SetManyIgnoresLives => write.life = Life::Forever,
                Rule::SetManySharesTheFirstLife => write.life = items[0].2.life,
                Rule::SetManyJudgesFirst if !judged[position] => {
                    outcomes[position] = Ok(false);
                    continue;
                }
                Rule::SetManyIgnoresConditions | Rule::SetManyJudgesFirst => write.when = When::Always,
                _ => {}
            }
            let life = write.life;
            match (self.rule, self.set(&text, value, write).await) {
                (Rule::SetManySaysItDidNot, Ok(_)) => outcomes[position] = Ok(false),
                (Rule::SetManySaysTrueOfRefused, Ok(_)) | (Rule::SetManyHidesFailures, Err(_)) => {}
                (Rule::SetManyFailsAsAWhole, Err(error)) => return Err(error),
                (Rule::SetManyTouchesRefused, Ok(false)) => {
                    self.below.atouch(&self.key(&text), life).await?;
                    outcomes[position] = Ok(false);
                }
                (Rule::SetManyStopsAtRefused, Ok(false)) => {
                    outcomes[position..].fill(Ok(false));
                    break;
                }
                (_, outcome) => outcomes[position] = outcome,
            }
        }
        Ok(outcomes)
    }

    /// Which items would be written if all of them came first.
    async fn judged_first(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<bool>> {
        let mut judged = Vec::with_capacity(items.len());
        for (key, _, write) in items {
            let there = self.honest(&self.text(key)).await?;
            judged.push(match &write.when {
                When::Always => true,
                When::Absent => there.is_none(),
                When::Present => there.is_some(),
                When::Unchanged(token) => there.and_then(|found| found.token).as_ref() == Some(token),
            });
        }
        Ok(judged)
    }
}
