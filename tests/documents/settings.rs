//! `docs/settings.md`: every setting of every alias, and of each backend.

use std::fmt::Write;

use cache_sdk::{ALIAS_SETTINGS, Registry, Setting};

use crate::table::{accepted, default, table};

const INTRODUCTION: &str = r#"# Settings

A program asks for a cache by its alias; the configuration says which store stands behind it. In a file the aliases
stand under `caches`, where other roots belong to the program:

```toml
[caches.default]
backend = "mem"
timeout = "15m"
key_prefix = "shop"

[caches.default.options]      # the backend's own
max_entries = 50_000
```

JSON files and serde maps hold the same, under `caches` or as a bare map of aliases. What a Django project says in
`CACHES` loads as it stands, and under that name too: see [Django's settings](django-settings.md). An empty
configuration means memory under `default`.

A configuration is checked as a whole before anything is opened. An unknown name or a value that cannot be used is an
error that says where it stands and what would be accepted. It quotes no value, which could be a password; only one
that should be a name, such as that of a backend, is quoted, and only if it looks like one. Names of settings, options
and aliases are quoted.

A whole number may be written as a float without a fraction: `1000.0`, `1e6`.

Editors check and complete by [`caches.schema.json`](caches.schema.json). A TOML file names it in its first line, as
`#:schema ./caches.schema.json`, a JSON file under `$schema` at its root; a program with backends of its own makes
theirs with `Registry::json_schema`.

## The environment

Environment variables go on top of a file (`Caches::from_toml_file`, `Caches::from_json_file`, or
`Caches::builder().env()`): `CACHES__`, the alias, `__` and the setting, or `__OPTIONS__` and the backend's option.

```console
$ export CACHES__DEFAULT__TIMEOUT=60
$ export CACHES__DEFAULT__OPTIONS__MAX_ENTRIES=100000
```

Names are matched without regard to case, and an unknown one under `CACHES__` is an error. An alias that no file has
is made by setting its `BACKEND`. The text is read as the setting wants it: text as it is, without quotes; a list as
JSON or with commas between; `true` and `false` also as `1` and `0`, `yes` and `no`, `on` and `off`.

A `BACKEND` other than the file's swaps it, as in `CACHES__DEFAULT__BACKEND=dummy`. Of the file's options those stay that
the new backend has; the others and the file's `location` are left out, since they belong to the other store, and a
warning names them; as `mem` each such alias has a store of its own. Options from the environment are checked as ever.

## Times

A time is a number of seconds, fractions allowed (`60`, `0.5`), or text with units: `"500ms"`, `"90s"`, `"15m"`,
`"1h 30m"`, `"7days"`. The units are `ns`, `us`, `ms`, `s`, `m`, `h`, `days`, `weeks`, `months` (30.44 days) and
`years` (365.25 days), each also in other usual spellings. `M` is a month, `m` a minute.

## Every alias

In the variables below, put the alias for `ALIAS`.

"#;

pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(&settings(ALIAS_SETTINGS, "CACHES__ALIAS__"));
    let registry = Registry::new();
    for (name, backend) in registry.backends() {
        let Some((_, introduction)) = BACKENDS.iter().find(|(known, _)| *known == name) else {
            panic!("say what the backend `{name}` is, in `tests/documents/settings.rs`");
        };
        write!(page, "\n## Backend `{name}`\n\n{introduction}\n").expect("text takes all");
        if !backend.options().is_empty() {
            write!(page, "\n{}", settings(backend.options(), "CACHES__ALIAS__OPTIONS__"))
                .expect("text takes all");
        }
    }
    page
}

/// What each backend is, and what `location` is to it.
const BACKENDS: &[(&str, &str)] = &[
    (
        "dummy",
        "Keeps nothing: writes succeed and reads find nothing. Always there. It takes no notice of `location`, and has no options.",
    ),
    (
        "fs",
        "Keeps entries in files, which all processes of a machine share and which are there after a restart. The cargo \
         feature `fs`. `location` is the directory, from the root on; it is made if it is not there, for the user of the \
         process alone. [cache-fs](../cache-fs/README.md) says what to rely on, [choosing.md](choosing.md#fs) when to use \
         it.",
    ),
    (
        "mem",
        "Keeps entries in this process, as the values they are. The cargo feature `mem`, on by default. `location` is \
         a name: aliases with the same one share a store within one set of caches, each with its own `key_prefix` and \
         `version`. Without one an alias has a store of its own. Under `options`:",
    ),
    (
        "redis",
        "Keeps entries on a server of Redis or Valkey: [redis.md](redis.md) says how. The cargo feature `redis` brings the \
         driver fred, `redis-rs` the driver redis-rs. `location` is where the server is: \
         `redis://[[username]:password@]host[:port][/database]`, `rediss://` with TLS, `valkey://` and `valkeys://`, \
         `unix:/path`, or `host:port`; options may follow as `?name=value`. Under `options`:",
    ),
];

fn settings(settings: &[Setting], prefix: &str) -> String {
    table(
        ["setting", "accepts", "default", "meaning", "variable"],
        settings.iter().map(|setting| {
            [
                format!("`{}`", setting.name),
                accepted(setting),
                default(setting),
                setting.meaning.to_owned(),
                format!("`{prefix}{}`", setting.name.to_uppercase()),
            ]
        }),
    )
}
