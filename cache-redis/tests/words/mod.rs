//! Values that look like something else to who takes a value for the protocol.

use std::sync::LazyLock;

/// Such values, each once.
pub(crate) static WORDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut words: Vec<Vec<u8>> = TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect();
    words.push((0..=255).collect());
    words
});

const TEXTS: &[&str] = &[
    // What servers say to subscribers.
    "message",
    "pmessage",
    "smessage",
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "invalidate",
    "pubsub",
    // What nodes of a cluster say.
    "MOVED 1 127.0.0.1:6379",
    "ASK 1 127.0.0.1:6379",
    // What else is said in the place of a value.
    "QUEUED",
    "OK",
    "PONG",
    "-ERR x",
    "*3",
    "$5",
    ":1",
    "",
    // What looks like a counter.
    "0",
    "1",
    "-1",
    "9223372036854775807",
];

/// Arrays that mean something to subscribers as a whole: the first words of
/// one, which the rest of the values follows.
pub(crate) const MESSAGES: &[&[&str]] = &[
    &["message"],
    &["pmessage"],
    &["smessage"],
    &["subscribe"],
    &["unsubscribe"],
    &["pubsub", "message"],
    &["pubsub", "pmessage"],
    &["pubsub", "smessage"],
    &["pubsub", "subscribe"],
    &["pubsub", "punsubscribe"],
    &["pubsub", "invalidate"],
    &["message", "subscribe"],
    &["message", "message", "message", "message", "message"],
];
