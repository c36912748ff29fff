//! Configuration: from files, the environment and code to checked settings.

mod alias;
mod check;
mod django;
mod document;
mod environment;
mod native;
mod problems;
mod settings;
mod source;
mod swap;

pub use alias::AliasSettings;
pub use settings::ALIAS_SETTINGS;

pub(crate) use alias::AliasTable;
pub(crate) use check::{Alias, check_alias};
pub(crate) use django::{DEFAULT_KEY_FUNCTION, DJANGO_SETTINGS, in_django_words};
pub(crate) use environment::{Environment, apply};
pub(crate) use problems::{Problems, config_error, listed, quoted, suggestion};
pub(crate) use settings::{BackendTables, Note};
pub(crate) use source::{Aliases, ROOTS, aliases_of, from_deserializer, parse_json, parse_toml, read_file};
