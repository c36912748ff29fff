//! What a server says when it refuses a command.

use cache_core::{Error, ErrorKind};

/// An error that a server answered with.
///
/// Its text may quote keys and values, so nothing of it but the code is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerError {
    /// `WRONGTYPE`: something else than a value lies under the key.
    OtherKind,
    NotAnInteger,
    Overflow,
    /// `NOSCRIPT`: the server has not seen the script yet.
    UnknownScript,
    /// There is nothing to rename.
    NoSuchKey,
    OutOfMemory,
    ReadOnly,
    /// `MISCONF`: it takes no writes since it cannot save them.
    CannotPersist,
    Loading,
    /// `MASTERDOWN`, `CLUSTERDOWN`: it is cut off from what it needs.
    CutOff,
    /// `NOAUTH`, `WRONGPASS`: it wants other credentials.
    Unauthenticated,
    /// There was a password, and the server wants none: nothing is wrong.
    NoPasswordAsked,
    /// `NOPERM`: the user may not do this.
    NotPermitted,
    /// The number of the database is out of its range.
    NoSuchDatabase,
    TooManyClients,
    /// `BUSY`: a script of somebody keeps it from answering.
    Busy,
    UnknownCommand,
    /// `MOVED`, `ASK`, `CROSSSLOT`: it is a node of a cluster.
    Cluster,
    TooLarge,
    Other,
}

impl ServerError {
    /// Reads the text of an error reply, with or without the minus sign.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim_start_matches('-');
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        match code {
            "WRONGTYPE" => Self::OtherKind,
            "NOSCRIPT" => Self::UnknownScript,
            "OOM" => Self::OutOfMemory,
            "READONLY" => Self::ReadOnly,
            "MISCONF" | "NOREPLICAS" => Self::CannotPersist,
            "LOADING" => Self::Loading,
            "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" => Self::CutOff,
            "NOAUTH" | "WRONGPASS" => Self::Unauthenticated,
            "NOPERM" => Self::NotPermitted,
            "BUSY" => Self::Busy,
            "MOVED" | "ASK" | "CROSSSLOT" => Self::Cluster,
            "ERR" => Self::plain(rest),
            // Redis 6 puts an error of a script behind its own words.
            _ if rest.contains("not an integer") => Self::NotAnInteger,
            _ => Self::Other,
        }
    }

    fn plain(text: &str) -> Self {
        let begins =
            |words: &str| text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
        if begins("value is not an integer") || begins("hash value is not an integer") {
            Self::NotAnInteger
        } else if begins("increment or decrement would overflow") {
            Self::Overflow
        } else if begins("no such key") {
            Self::NoSuchKey
        } else if begins("db index is out of range")
            || begins("invalid db index")
            || begins("select is not allowed")
        {
            Self::NoSuchDatabase
        } else if begins("max number of clients") {
            Self::TooManyClients
        } else if begins("auth <password> called without") || begins("client sent auth, but no password") {
            Self::NoPasswordAsked
        } else if begins("acl failure in script") || begins("the user executing the script can't") {
            Self::NotPermitted
        } else if begins("invalid password") || begins("auth ") {
            Self::Unauthenticated
        } else if begins("unknown command") {
            Self::UnknownCommand
        } else if begins("string exceeds maximum") || begins("protocol error: invalid bulk length") {
            Self::TooLarge
        } else {
            Self::Other
        }
    }

    /// Whether another connection may fare better: with a password that has
    /// changed, or with a leader that has.
    pub(crate) fn calls_for_a_new_connection(self) -> bool {
        matches!(self, Self::Unauthenticated | Self::ReadOnly)
    }

    /// The error as callers get it.
    pub(crate) fn into_error(self, command: &str) -> Error {
        let (kind, detail) = match self {
            Self::OtherKind => (ErrorKind::NotAnInteger, "something else than a value lies under the key"),
            Self::NotAnInteger => {
                (ErrorKind::NotAnInteger, "what lies under the key is no integer of 64 bits")
            }
            Self::Overflow => (ErrorKind::Overflow, "the sum is beyond 64 bits"),
            Self::UnknownScript => (ErrorKind::Server, "the server does not keep its scripts"),
            Self::NoSuchKey => (ErrorKind::NotFound, "there is no such key"),
            Self::OutOfMemory => (
                ErrorKind::Full,
                "the server is at its `maxmemory` and evicts nothing: give it more, or a `maxmemory-policy` such as \
                 `allkeys-lru`",
            ),
            Self::ReadOnly => {
                (ErrorKind::ReadOnly, "the server is a replica, and only its leader takes writes")
            }
            Self::CannotPersist => (
                ErrorKind::ReadOnly,
                "the server takes no writes since it cannot save or replicate them (MISCONF, NOREPLICAS)",
            ),
            Self::Loading => (ErrorKind::Connection, "the server is loading its data and serves none yet"),
            Self::CutOff => (ErrorKind::Connection, "the server is cut off from its leader or its cluster"),
            Self::Unauthenticated | Self::NoPasswordAsked => (
                ErrorKind::Auth,
                "the server does not accept the credentials: check `username`, `password` or `password_file`",
            ),
            Self::NotPermitted => {
                let detail =
                    format!("the user may not run {command}, or not on these keys: see the server's ACL");
                return Error::new(ErrorKind::Auth, detail);
            }
            Self::NoSuchDatabase => (
                ErrorKind::Config,
                "the server has no database of that number: see its setting `databases`, 16 unless set",
            ),
            Self::TooManyClients => (ErrorKind::Connection, "the server has as many clients as it takes"),
            Self::Busy => (ErrorKind::Server, "a script keeps the server from answering (BUSY)"),
            Self::UnknownCommand => {
                return Error::new(ErrorKind::Unsupported, format!("the server does not know {command}"));
            }
            Self::Cluster => (
                ErrorKind::Unsupported,
                "the server is a node of a cluster and does not serve all keys; clusters are not supported yet",
            ),
            Self::TooLarge => (ErrorKind::TooLarge, "the value is larger than the server takes"),
            Self::Other => {
                return Error::new(
                    ErrorKind::Server,
                    format!("the server refused {command}; its log may say why"),
                );
            }
        };
        Error::new(kind, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_several_versions_are_understood() {
        for (text, error) in [
            ("WRONGTYPE Operation against a key holding the wrong kind of value", ServerError::OtherKind),
            ("ERR value is not an integer or out of range", ServerError::NotAnInteger),
            ("ERR increment or decrement would overflow", ServerError::Overflow),
            ("NOSCRIPT No matching script. Please use EVAL.", ServerError::UnknownScript),
            ("ERR no such key", ServerError::NoSuchKey),
            ("OOM command not allowed when used memory > 'maxmemory'.", ServerError::OutOfMemory),
            ("READONLY You can't write against a read only replica.", ServerError::ReadOnly),
            ("LOADING Redis is loading the dataset in memory", ServerError::Loading),
            ("NOAUTH Authentication required.", ServerError::Unauthenticated),
            ("WRONGPASS invalid username-password pair or user is disabled.", ServerError::Unauthenticated),
            ("ERR invalid password", ServerError::Unauthenticated),
            (
                "ERR ACL failure in script: User ada has no permissions to run the 'incrby' command",
                ServerError::NotPermitted,
            ),
            (
                "ERR AUTH <password> called without any password configured for the default user.",
                ServerError::NoPasswordAsked,
            ),
            ("ERR Client sent AUTH, but no password is set", ServerError::NoPasswordAsked),
            ("NOPERM this user has no permissions to run the 'get' command", ServerError::NotPermitted),
            ("ERR DB index is out of range", ServerError::NoSuchDatabase),
            ("ERR invalid DB index", ServerError::NoSuchDatabase),
            ("ERR max number of clients reached", ServerError::TooManyClients),
            ("ERR unknown command 'UNLINK', with args beginning with: 'secret'", ServerError::UnknownCommand),
            ("MOVED 3999 127.0.0.1:6381", ServerError::Cluster),
            ("", ServerError::Other),
            ("ERR", ServerError::Other),
            ("ERR \u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", ServerError::Other),
        ] {
            assert_eq!(ServerError::parse(text), error, "{text}");
        }
    }

    #[test]
    fn nothing_of_the_text_is_passed_on() {
        let error = ServerError::parse("ERR unknown command 'UNLINK', with args beginning with: 'secret'");
        assert!(!error.into_error("UNLINK").to_string().contains("secret"));
    }
}
