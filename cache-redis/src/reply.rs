//! What a server answers, without the driver's types, and whether it is an
//! answer to what was asked.

use bytes::Bytes;
use cache_core::{Entry, Token, UndecodableReason};

use crate::script::OTHER_KIND;
use crate::server_error::ServerError;

/// One reply of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nil,
    Integer(i64),
    /// `+OK`, `+PONG`: a status, which is never a value.
    Status,
    Value(Bytes),
    /// A value longer than the alias admits, as it lies in the driver's buffer.
    TooLong(Bytes),
    Array(Vec<Reply>),
    Refused(ServerError),
    /// Anything else: never an answer to what is asked here.
    Other,
}

/// What the reading of a reply can end with beside what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused(ServerError),
    /// It cannot be the reply to the command that was sent: replies and
    /// commands have come apart on the connection.
    Misfit,
}

/// What lies under a key.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Value(Bytes),
    TooLong(Bytes),
    /// A list, a hash or the like.
    OtherKind,
}

impl Reply {
    /// Of commands that answer a number.
    pub(crate) fn integer(self) -> Result<i64, Failure> {
        match self {
            Self::Integer(number) => Ok(number),
            other => Err(other.failure()),
        }
    }

    /// Of commands that answer zero or one.
    pub(crate) fn truth(self) -> Result<bool, Failure> {
        match self {
            Self::Integer(0) => Ok(false),
            Self::Integer(1) => Ok(true),
            other => Err(other.failure()),
        }
    }

    /// Of commands that answer `OK` or the like.
    pub(crate) fn done(self) -> Result<(), Failure> {
        match self {
            Self::Status => Ok(()),
            other => Err(other.failure()),
        }
    }

    /// Of a `SET` under a condition: nil where it was not met.
    pub(crate) fn written(self) -> Result<bool, Failure> {
        match self {
            Self::Nil => Ok(false),
            Self::Status => Ok(true),
            other => Err(other.failure()),
        }
    }

    /// Of `GET`: what is there.
    pub(crate) fn content(self) -> Result<Option<Content>, Failure> {
        match self {
            Self::Nil => Ok(None),
            Self::Value(bytes) => Ok(Some(Content::Value(bytes))),
            Self::TooLong(bytes) => Ok(Some(Content::TooLong(bytes))),
            Self::Refused(ServerError::OtherKind) => Ok(Some(Content::OtherKind)),
            other => Err(other.failure()),
        }
    }

    /// Of `MGET` for so many keys.
    pub(crate) fn contents(self, keys: usize) -> Result<Vec<Option<Content>>, Failure> {
        match self {
            Self::Array(items) if items.len() == keys => items.into_iter().map(Self::content).collect(),
            other => Err(other.failure()),
        }
    }

    /// Of a command that answers text of its own.
    pub(crate) fn value(self) -> Result<Bytes, Failure> {
        match self {
            Self::Value(bytes) => Ok(bytes),
            other => Err(other.failure()),
        }
    }

    /// Of the script that writes so many entries: one answer for all, or one
    /// for each. What all were refused with is the failure of the whole.
    pub(crate) fn writes(self, count: usize) -> Result<Vec<Result<bool, ServerError>>, Failure> {
        let answers = match self {
            Self::Integer(1) => return Ok(vec![Ok(true); count]),
            Self::Array(answers) if answers.len() == count => answers,
            other => return Err(other.failure()),
        };
        let outcome = |answer: Self| match answer.truth() {
            Ok(written) => Ok(Ok(written)),
            Err(Failure::Refused(error)) => Ok(Err(error)),
            Err(Failure::Misfit) => Err(Failure::Misfit),
        };
        let outcomes = answers.into_iter().map(outcome).collect::<Result<Vec<_>, _>>()?;
        match outcomes.first() {
            Some(Err(error)) if outcomes.iter().all(Result::is_err) => Err(Failure::Refused(*error)),
            _ => Ok(outcomes),
        }
    }

    /// Of a script that answers a number as text, lest Lua rounds it.
    pub(crate) fn number_as_text(self) -> Result<Option<i64>, Failure> {
        match self {
            Self::Nil => Ok(None),
            Self::Value(bytes) => cache_core::Format::integer(&bytes).map(Some).ok_or(Failure::Misfit),
            other => Err(other.failure()),
        }
    }

    /// Of `SCAN`: where to go on, and the keys of this step.
    pub(crate) fn page(self) -> Result<(Bytes, Vec<Bytes>), Failure> {
        let Self::Array(parts) = self else { return Err(self.failure()) };
        let Ok([Self::Value(cursor), Self::Array(keys)]) = <[Self; 2]>::try_from(parts) else {
            return Err(Failure::Misfit);
        };
        let keys = keys.into_iter().map(|key| match key {
            Self::Value(key) => Ok(Some(key)),
            // A key as long as that is none of ours.
            Self::TooLong(_) => Ok(None),
            _ => Err(Failure::Misfit),
        });
        Ok((cursor, keys.filter_map(Result::transpose).collect::<Result<_, _>>()?))
    }

    /// The first items of an array that has to have so many.
    #[cfg(feature = "fred")]
    pub(crate) fn truncated(self, first: usize, of: usize) -> Self {
        match self {
            Self::Array(mut items) if items.len() == of => {
                items.truncate(first);
                Self::Array(items)
            }
            Self::Array(_) => Self::Other,
            other => other,
        }
    }

    fn failure(self) -> Failure {
        match self {
            Self::Refused(error) => Failure::Refused(error),
            _ => Failure::Misfit,
        }
    }
}

impl Content {
    /// What stands for it in a later write that is conditional on it.
    pub(crate) fn token(&self) -> Token {
        match self {
            Self::Value(bytes) | Self::TooLong(bytes) => Token::from_bytes(bytes.clone()),
            Self::OtherKind => OTHER_KIND,
        }
    }

    pub(crate) fn into_entry(self) -> Entry {
        match self {
            Self::Value(bytes) => Entry::from_bytes(bytes),
            Self::TooLong(_) => Entry::undecodable(UndecodableReason::TooLarge),
            Self::OtherKind => Entry::undecodable(UndecodableReason::OtherKind),
        }
    }
}
