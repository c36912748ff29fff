//! Redis in four kinds, none of which keeps anything: over plain TCP, over TLS with a password,
//! over a socket of Unix, and as a leader with two replicas.

mod certificates;
mod command;
mod dialogue;
mod plain;
mod replicated;
mod socket;
mod tcp;
mod tls;
mod unix;

pub(crate) use self::{plain::REDIS, replicated::REDIS_REPLICAS, tls::REDIS_TLS, unix::REDIS_UNIX};
