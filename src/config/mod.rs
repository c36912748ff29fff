//! Configuration: from files, the environment and code to checked settings.

mod alias;
mod document;
mod environment;
mod problems;
mod source;

pub use alias::{ALIAS_SETTINGS, AliasSettings};

pub(crate) use alias::{Alias, AliasTable, check_alias};
pub(crate) use environment::{Environment, apply};
pub(crate) use problems::{Problems, config_error, listed, suggestion};
pub(crate) use source::{Aliases, aliases_of, from_deserializer, parse_json, parse_toml, read_file};
