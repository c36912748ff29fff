//! What is asked for: an operation, over 1,000 keys of 20 bytes and a head,
//! round and round.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use clap::ValueEnum;

use super::contender::Contender;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    Get,
    Set,
    GetMany,
    SetMany,
}

/// One task's part of the work.
#[derive(Clone)]
pub struct Job {
    pub operation: Operation,
    pub value: Bytes,
    pub keys: Arc<[String]>,
    /// With which key it begins.
    pub start: usize,
}

/// So many keys there are.
pub const KEYS: usize = 1_000;

/// So many keys one bulk call has.
pub const CHUNK: usize = 100;

/// Of the keys of ours. The tag before a value tells it from what others have
/// written, so that each keeps to keys of its own.
pub const OUR_PREFIX: &str = "ours";

/// As long as the other one.
const PEER_PREFIX: &str = "peer";

impl Operation {
    /// The command that does it, and how many of them one call takes.
    pub fn commands(self) -> (&'static str, u64) {
        match self {
            Self::Get => ("get", 1),
            Self::Set => ("set", 1),
            Self::GetMany => ("mget", 1),
            Self::SetMany => ("set", CHUNK as u64),
        }
    }

    /// Whether it finds nothing unless something was set.
    pub fn reads(self) -> bool {
        matches!(self, Self::Get | Self::GetMany)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get => f.write_str("get"),
            Self::Set => f.write_str("set"),
            Self::GetMany => write!(f, "get_many of {CHUNK} keys"),
            Self::SetMany => write!(f, "set_many of {CHUNK} keys"),
        }
    }
}

impl Job {
    /// The whole work, with values of so many bytes.
    pub fn new(operation: Operation, contender: Contender, bytes: usize) -> Self {
        // Ours are told the name alone.
        let head = if contender.is_ours() { String::new() } else { format!("{PEER_PREFIX}:1:") };
        let value: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
        Self {
            operation,
            value: value.into(),
            keys: (0..KEYS).map(|number| format!("{head}session:{number:012}")).collect(),
            start: 0,
        }
    }

    /// The part of one of so many tasks, which begin apart.
    pub fn part(&self, task: usize, tasks: usize) -> Self {
        Self { start: task * KEYS / tasks, ..self.clone() }
    }

    /// Sets each key.
    pub fn filling(&self) -> Self {
        Self { operation: Operation::SetMany, start: 0, ..self.clone() }
    }

    /// The keys one by one, for ever.
    pub fn each(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str).cycle().skip(self.start)
    }

    /// The keys by the hundred, for ever.
    pub fn chunks(&self) -> impl Iterator<Item = &[String]> {
        self.keys.chunks(CHUNK).cycle().skip(self.start / CHUNK)
    }
}

/// So many calls fill all keys.
pub const FILLING: usize = KEYS / CHUNK;
