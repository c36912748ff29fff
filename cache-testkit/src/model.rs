//! What a cache is, in its simplest form: a map, and a time that stands still.

use std::collections::BTreeMap;
use std::time::Duration;

use cache_core::ErrorKind;
use serde::{Deserialize, Serialize};

/// A value of a random history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Stored {
    Text(String),
    List(Vec<Option<f64>>),
}

/// What an entry of the model holds; counters are a kind of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Count(i64),
    Value(Stored),
}

/// Where an entry is: version and name.
pub(crate) type Place = (u64, &'static str);

/// How long an entry is to live; zero is no life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lives {
    Forever,
    For(Duration),
    NotAtAll,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    now: Duration,
    entries: BTreeMap<Place, (Content, End)>,
}

/// When an entry ends, on the model's own clock.
type End = Option<Duration>;

impl Model {
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        self.entries.retain(|_, (_, end)| end.is_none_or(|end| now < end));
    }

    pub(crate) fn get(&self, place: Place) -> Option<&Content> {
        self.entries.get(&place).map(|(content, _)| content)
    }

    /// What remains of the life.
    pub(crate) fn life(&self, place: Place) -> Option<Lives> {
        let (_, end) = self.entries.get(&place)?;
        Some(end.map_or(Lives::Forever, |end| Lives::For(end.saturating_sub(self.now))))
    }

    pub(crate) fn set(&mut self, place: Place, content: Content, lives: Lives) {
        let end = match lives {
            Lives::NotAtAll => return drop(self.entries.remove(&place)),
            Lives::Forever => None,
            Lives::For(life) => Some(self.now + life),
        };
        self.entries.insert(place, (content, end));
    }

    pub(crate) fn add(&mut self, place: Place, content: Content, lives: Lives) -> bool {
        let free = !self.entries.contains_key(&place);
        if free {
            self.set(place, content, lives);
        }
        free
    }

    pub(crate) fn touch(&mut self, place: Place, lives: Lives) -> bool {
        let Some((content, _)) = self.entries.get(&place).cloned() else { return false };
        self.set(place, content, lives);
        true
    }

    pub(crate) fn delete(&mut self, place: Place) -> bool {
        self.entries.remove(&place).is_some()
    }

    pub(crate) fn incr(&mut self, place: Place, delta: i64) -> Result<i64, ErrorKind> {
        match self.entries.get_mut(&place) {
            None => Err(ErrorKind::NotFound),
            Some((Content::Value(_), _)) => Err(ErrorKind::NotAnInteger),
            Some((Content::Count(count), _)) => {
                *count = count.checked_add(delta).ok_or(ErrorKind::Overflow)?;
                Ok(*count)
            }
        }
    }

    pub(crate) fn shift(&mut self, (version, name): Place, delta: i64) -> Result<u64, ErrorKind> {
        let there = version.checked_add_signed(delta).ok_or(ErrorKind::Overflow)?;
        let entry = self.entries.remove(&(version, name)).ok_or(ErrorKind::NotFound)?;
        self.entries.insert((there, name), entry);
        Ok(there)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
