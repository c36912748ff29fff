//! The settings of a backend: what can be set, and what was.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Number, Value as Json};

use crate::life::Timeout;

/// One setting: its name, what it accepts, and what the documentation says.
///
/// A backend's table of them is what a configuration is checked against, so
/// that no parser's own message, which would quote the value, is ever needed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Setting {
    /// As it is written in a file.
    pub name: &'static str,
    /// What it accepts.
    pub kind: SettingKind,
    /// What holds if it is absent, as one would write it.
    pub default: &'static str,
    /// One sentence.
    pub meaning: &'static str,
}

/// What a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingKind {
    /// Any text.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number from the first to the second.
    Integer(i64, i64),
    /// A number from 0 to 1, both included.
    Share,
    /// `true` or `false`.
    Boolean,
    /// A positive time: seconds as a number, or text with a unit.
    Duration,
    /// A time, zero included, or `"forever"`.
    Timeout,
    /// A text or a list of texts.
    List,
}

/// What was set, as its setting's kind says.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum SettingValue {
    /// Of [`SettingKind::Text`] and [`SettingKind::OneOf`].
    Text(String),
    /// Of [`SettingKind::Integer`].
    Integer(i64),
    /// Of [`SettingKind::Share`].
    Share(f64),
    /// Of [`SettingKind::Boolean`].
    Boolean(bool),
    /// Of [`SettingKind::Duration`].
    Duration(Duration),
    /// Of [`SettingKind::Timeout`].
    Timeout(Timeout),
    /// Of [`SettingKind::List`].
    List(Vec<String>),
}

/// What a backend is opened with, already checked against its table.
///
/// `Debug` shows names and no values, since a location may hold a password.
#[derive(Clone, Default)]
pub struct Settings {
    location: Vec<String>,
    options: BTreeMap<&'static str, SettingValue>,
}

impl Setting {
    /// A setting: its name, what it accepts, its default as one would write
    /// it, and a sentence on what it means.
    pub const fn new(
        name: &'static str,
        kind: SettingKind,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, default, meaning }
    }

    /// What a file's value means, or what would be accepted.
    ///
    /// # Errors
    ///
    /// What is accepted, and the kind of what was found; never the value.
    pub fn read(&self, value: &Json) -> Result<SettingValue, String> {
        self.accept(value).ok_or_else(|| format!("expected {}, found {}", self.kind, self.kind.found(value)))
    }

    /// What the text of an environment variable means.
    ///
    /// # Errors
    ///
    /// What is accepted; never the value.
    pub fn read_text(&self, text: &str) -> Result<SettingValue, String> {
        let value = match self.kind {
            SettingKind::List => match serde_json::from_str::<Vec<String>>(text) {
                Ok(list) => Some(SettingValue::List(list)),
                Err(_) if text.trim_start().starts_with('[') => None,
                Err(_) if text.trim().is_empty() => Some(SettingValue::List(Vec::new())),
                Err(_) => {
                    Some(SettingValue::List(text.split(',').map(|item| item.trim().to_owned()).collect()))
                }
            },
            SettingKind::Boolean => match text {
                "true" | "1" | "yes" | "on" => Some(SettingValue::Boolean(true)),
                "false" | "0" | "no" | "off" => Some(SettingValue::Boolean(false)),
                _ => None,
            },
            SettingKind::Integer(..) | SettingKind::Share | SettingKind::Duration | SettingKind::Timeout => {
                let number = text.parse::<Number>().map(Json::Number);
                self.accept(&number.unwrap_or_else(|_| Json::String(text.to_owned())))
            }
            SettingKind::Text | SettingKind::OneOf(_) => self.accept(&Json::String(text.to_owned())),
        };
        value.ok_or_else(|| format!("expected {}", self.kind))
    }

    fn accept(&self, value: &Json) -> Option<SettingValue> {
        match (self.kind, value) {
            (SettingKind::Text, Json::String(text)) => Some(SettingValue::Text(text.clone())),
            (SettingKind::OneOf(words), Json::String(text)) => {
                words.contains(&text.as_str()).then(|| SettingValue::Text(text.clone()))
            }
            (SettingKind::Integer(least, most), Json::Number(number)) => {
                let number = whole(number)?;
                (least <= number && number <= most).then_some(SettingValue::Integer(number))
            }
            (SettingKind::Share, Json::Number(number)) => {
                let share = number.as_f64()?;
                (0.0..=1.0).contains(&share).then_some(SettingValue::Share(share))
            }
            (SettingKind::Boolean, Json::Bool(value)) => Some(SettingValue::Boolean(*value)),
            (SettingKind::Duration, value) => {
                duration(value).filter(|duration| !duration.is_zero()).map(SettingValue::Duration)
            }
            (SettingKind::Timeout, Json::String(text)) if text == "forever" => {
                Some(SettingValue::Timeout(Timeout::Forever))
            }
            (SettingKind::Timeout, value) => {
                duration(value).map(|duration| SettingValue::Timeout(Timeout::After(duration)))
            }
            (SettingKind::List, Json::String(text)) => Some(SettingValue::List(vec![text.clone()])),
            (SettingKind::List, Json::Array(items)) => {
                let items = items.iter().map(|item| item.as_str().map(str::to_owned));
                items.collect::<Option<Vec<_>>>().map(SettingValue::List)
            }
            _ => None,
        }
    }
}

/// A whole number, also one that is written as a float: `1e6`.
fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
        format!("{float:.0}").parse().ok()
    })
}

/// Seconds as a number, or text with a unit.
fn duration(value: &Json) -> Option<Duration> {
    match value {
        Json::Number(number) => match number.as_u64() {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => Duration::try_from_secs_f64(number.as_f64()?).ok(),
        },
        Json::String(text) => humantime::parse_duration(text).ok(),
        _ => None,
    }
}

impl SettingKind {
    /// What was found where this was expected.
    fn found(self, value: &Json) -> &'static str {
        let is_fraction = |number: &Number| number.as_f64().is_some_and(|float| float.fract() != 0.0);
        match (value, self) {
            (Json::Null, _) => "null",
            (Json::Bool(_), _) => "true or false",
            (Json::Number(number), Self::Integer(..)) if is_fraction(number) => "a number with a fraction",
            (Json::Number(_), Self::Integer(..) | Self::Share | Self::Duration | Self::Timeout) => {
                "a number out of range"
            }
            (Json::Number(_), _) => "a number",
            (Json::String(_), _) => "text",
            (Json::Array(_), _) => "a list",
            (Json::Object(_), _) => "a table",
        }
    }
}

impl fmt::Display for SettingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::OneOf(words) => {
                f.write_str("one of ")?;
                for (position, word) in words.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(f, "{comma}\"{word}\"")?;
                }
                Ok(())
            }
            Self::Integer(least, i64::MAX) => write!(f, "a whole number from {least}"),
            Self::Integer(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Share => f.write_str("a number from 0 to 1"),
            Self::Boolean => f.write_str("true or false"),
            Self::Duration => {
                f.write_str("a time above zero: seconds as a number, or text such as \"500ms\"")
            }
            Self::Timeout => {
                f.write_str("seconds as a number from 0, text such as \"500ms\" or \"2h\", or \"forever\"")
            }
            Self::List => f.write_str("text or a list of texts"),
        }
    }
}

impl fmt::Debug for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl Settings {
    /// A location and no options.
    pub fn new(location: Vec<String>) -> Self {
        Self { location, options: BTreeMap::new() }
    }

    /// The same settings with one option more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: SettingValue) -> Self {
        self.options.insert(name, value);
        self
    }

    /// Where the store is: for a store over a network the first is the leader
    /// and the others are its replicas.
    pub fn location(&self) -> &[String] {
        &self.location
    }

    /// The option of this name, if it was set.
    pub fn option(&self, name: &str) -> Option<&SettingValue> {
        self.options.get(name)
    }

    /// The text of an option, if it was set.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.option(name)? {
            SettingValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an option, if it was set.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.option(name)? {
            SettingValue::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The answer of an option, if it was set.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.option(name)? {
            SettingValue::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The time of an option, if it was set.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.option(name)? {
            SettingValue::Duration(duration) => Some(*duration),
            _ => None,
        }
    }

    /// The texts of an option, if it was set.
    pub fn list(&self, name: &str) -> Option<&[String]> {
        match self.option(name)? {
            SettingValue::List(list) => Some(list),
            _ => None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("locations", &self.location.len())
            .field("options", &self.options.keys())
            .finish()
    }
}
