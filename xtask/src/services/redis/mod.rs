//! Redis in three kinds, none of which keeps anything: over plain TCP, over TLS with a password,
//! and over a socket of Unix.

mod certificates;
mod command;
mod dialogue;
mod plain;
mod socket;
mod tls;
mod unix;

pub(crate) use self::{plain::REDIS, tls::REDIS_TLS, unix::REDIS_UNIX};
