//! The tables that an alias is checked against: what every alias can set, and
//! what its backend adds.

use std::collections::BTreeMap;

use cache_core::{DjangoSpelling, ReplicaPolicy, Setting, SettingKind, SettingValue};

/// The backend that an alias names, as far as reading its settings goes.
#[derive(Clone, Copy)]
pub(crate) struct BackendTables<'a> {
    /// As the alias writes it.
    pub(crate) name: &'a str,
    pub(crate) options: &'static [Setting],
    /// How Django spells the options, if it does.
    pub(crate) django: Option<&'static DjangoSpelling>,
    /// Whether the environment names it where the file names another.
    pub(crate) is_swapped: bool,
}

/// What an alias sets, by the names of the tables.
#[derive(Default)]
pub(super) struct Values {
    pub(super) settings: BTreeMap<&'static str, SettingValue>,
    pub(super) options: BTreeMap<&'static str, SettingValue>,
    /// What is worth telling of settings that are fine.
    pub(super) notes: Vec<Note>,
}

/// Something to log once the whole configuration has been found usable.
#[derive(Debug)]
pub(crate) enum Note {
    Info(String),
    Warning(String),
}

/// What every alias can set, whatever its backend.
pub const ALIAS_SETTINGS: &[Setting] = &[
    Setting::new(
        "backend",
        SettingKind::Text,
        "none",
        "The kind of store: the name of a registered backend.",
    ),
    Setting::new(
        "location",
        SettingKind::List,
        "none",
        "Where the store is, in the backend's own terms; of several places the first is the leader, and the others \
         are replicas that take reads.",
    ),
    Setting::new(
        "timeout",
        SettingKind::Timeout,
        "300",
        "How long entries live unless told otherwise; 0 stores nothing.",
    ),
    Setting::new(
        "jitter",
        SettingKind::Share,
        "0",
        "Up to this share of each life is taken off at random, so that entries written together do not expire \
         together.",
    ),
    Setting::new("key_prefix", SettingKind::Text, "\"\"", "What stands before every key."),
    Setting::new("version", SettingKind::Integer(0, i64::MAX), "1", "The version of the keys."),
    Setting::new(
        "key_function",
        SettingKind::Text,
        "\"default\"",
        "`\"default\"`, or the name of a registered function.",
    ),
    Setting::new(
        "key_check",
        SettingKind::Text,
        "\"warn\"",
        "What happens to keys that memcached would refuse: `\"off\"`, `\"warn\"`, `\"error\"`, or the name of a \
         registered validator, which decides instead.",
    ),
    Setting::new(
        "codec",
        SettingKind::Text,
        "\"msgpack\"",
        "How values are written: `\"msgpack\"`, `\"json\"`, `\"postcard\"`, `\"raw\"`, or the name of a registered \
         codec. What others wrote is read all the same.",
    ),
    Setting::new(
        "schema",
        SettingKind::Integer(0, u32::MAX as i64),
        "none",
        "The number of the schema, for `postcard`.",
    ),
    Setting::new(
        "plain",
        SettingKind::Boolean,
        "false",
        "Whether bytes are written without a tag (`json` and `raw`).",
    ),
    Setting::new(
        "on_error",
        SettingKind::OneOf(&["error", "miss"]),
        "\"error\"",
        "Whether a read that fails for lack of an answer is an error, or a counted miss.",
    ),
    Setting::new(
        "on_decode_error",
        SettingKind::OneOf(&["miss", "error"]),
        "\"miss\"",
        "Whether an entry that cannot be decoded is a counted miss, or an error.",
    ),
    Setting::new(
        "deadline",
        SettingKind::Duration,
        "\"1s\" for remote stores",
        "How long an operation may take.",
    ),
    Setting::new(
        "load_deadline",
        SettingKind::Duration,
        "\"30s\"",
        "How long a loader may run before its callers are freed with an error.",
    ),
    Setting::new(
        "max_value_bytes",
        SettingKind::Integer(1, i64::MAX),
        "67108864",
        "The longest encoded value: more is an error on write and a counted miss on read.",
    ),
    Setting::new(
        "replica_policy",
        SettingKind::OneOf(ReplicaPolicy::NAMES),
        "\"random\"",
        "Which replica a read goes to: any, one after the other, or the one whose data is newest.",
    ),
    Setting::new(
        "max_lag",
        SettingKind::Duration,
        "none",
        "How old the data of a replica may be; an older one is left out.",
    ),
    Setting::new(
        "read_your_writes",
        SettingKind::Duration,
        "none",
        "For how long what was written through the alias is read from the leader, and not from replicas.",
    ),
    Setting::new(
        "batching",
        SettingKind::OneOf(&["auto", "off"]),
        "\"auto\"",
        "Whether operations of single keys travel together under load, where the store gains by it.",
    ),
    Setting::new(
        "clear",
        SettingKind::OneOf(&["prefix", "all"]),
        "\"prefix\"",
        "Whether `aclear` removes the alias's own keys, or everything in the store.",
    ),
];
