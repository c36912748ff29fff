//! Reads gone wrong.

use std::collections::HashSet;

use bytes::Bytes;
use cache_core::{Entry, Found, Key, Life, Read, Result, Token};

use crate::mutant::{DAY, Mutant};
use crate::rule::Rule;

impl Mutant {
    pub(crate) async fn get(&self, text: &str, read: Read) -> Result<Option<Found>> {
        let found = self.below.aget(&self.key(text), read).await?;
        let remembered = self.remembered(text);
        Ok(match (self.rule, found) {
            (Rule::GetServesExpired, None) => remembered.last.map(Found::new),
            (Rule::GetIsStale, Some(mut found)) => {
                found.entry = remembered.before.unwrap_or(found.entry);
                Some(found)
            }
            (_, Some(found)) => self.changed(found)?,
            (_, None) => None,
        })
    }

    fn changed(&self, mut found: Found) -> Result<Option<Found>> {
        let bytes = found.entry.encode(&self.format)?;
        match self.rule {
            Rule::NoneIsAMiss if is_none(&bytes) => return Ok(None),
            Rule::IntegerReadAsText => {
                if let Some(integer) = found.entry.integer() {
                    found.entry = Entry::shared(std::sync::Arc::new(integer.to_string()));
                }
            }
            Rule::LargeValuesCut if bytes.len() > 1 << 16 => {
                found.entry = Entry::from_bytes(bytes.slice(..1 << 16));
            }
            Rule::TextTrimmed => {
                if let Ok(text) = found.entry.read::<String>(&self.format) {
                    found.entry = Entry::shared(std::sync::Arc::new(text.trim().to_owned()));
                }
            }
            Rule::TokenOfTheValue => {
                let digest =
                    bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
                found.token = found.token.map(|_| Token::from_number(digest));
            }
            Rule::TokenOfTheKey => found.token = found.token.map(|_| Token::from_number(7)),
            _ => {}
        }
        Ok(Some(found))
    }

    pub(crate) async fn has_key(&self, text: &str, read: Read) -> Result<bool> {
        match self.rule {
            Rule::HasKeyAlwaysTrue => Ok(true),
            Rule::HasKeyFalseOfNone => match self.honest(text).await? {
                Some(found) => Ok(!is_none(&found.entry.encode(&self.format)?)),
                None => Ok(false),
            },
            _ => self.below.ahas_key(&self.key(text), read).await,
        }
    }

    pub(crate) async fn life(&self, text: &str, read: Read) -> Result<Option<Life>> {
        let life = self.below.alife(&self.key(text), read).await?;
        Ok(match (self.rule, life) {
            (Rule::LifeIsHalfTold, Some(Life::For(rest))) => Some(Life::For(rest / 2)),
            (Rule::LifeOfEndlessIsFinite, Some(Life::Forever)) => Some(Life::For(DAY)),
            (Rule::LifeOfMissing, None) => Some(Life::Forever),
            (_, life) => life,
        })
    }

    pub(crate) async fn get_all(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        let mut seen = HashSet::new();
        let mut answers: Vec<Result<Option<Found>>> = Vec::with_capacity(keys.len());
        for key in keys {
            let text = self.text(key);
            let found = self.get(&text, read).await;
            let repeated = !seen.insert(text);
            answers.push(match (self.rule, found) {
                (Rule::GetManyDropsDuplicates, _) if repeated => Ok(None),
                (Rule::GetManyShiftsMissing, Ok(None)) => answers.last().map_or(Ok(None), Clone::clone),
                (_, found) => found,
            });
        }
        if self.breaks(Rule::GetManyReversed) {
            answers.reverse();
        }
        Ok(answers)
    }
}

/// As `MessagePack` and JSON write it.
fn is_none(bytes: &Bytes) -> bool {
    matches!(&bytes[..], b"\x81\xc0" | b"null")
}
