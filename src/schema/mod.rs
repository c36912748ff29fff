//! The JSON Schema of a whole configuration, made from the tables that it is
//! checked against.

mod alias;
mod django;
mod kind;
mod native;

use serde_json::{Value as Json, json};

use crate::config::{DJANGO_SETTINGS, ROOTS};
use crate::registry::Registry;

impl Registry {
    /// The JSON Schema (draft 2020-12) of a configuration that names these
    /// backends, key functions, validators and codecs, in either spelling.
    ///
    /// Editors complete and check by it as one writes: the library's own is
    /// `docs/caches.schema.json`, and a program with backends of its own
    /// writes theirs. It accepts what [`CachesBuilder::json`] does: the map
    /// of aliases under `caches` or `CACHES`, where other roots are free, or a
    /// bare map. What can only be known at opening it does not check, such as
    /// whether two aliases of one location agree, nor does it know of the
    /// environment: an alias that gets its backend from there lacks one here.
    ///
    /// [`CachesBuilder::json`]: crate::CachesBuilder::json
    ///
    /// ```
    /// let schema = cache_sdk::Registry::new().json_schema();
    /// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    /// ```
    pub fn json_schema(&self) -> Json {
        let is_django: Vec<_> = DJANGO_SETTINGS.iter().map(|(name, _)| json!({"required": [name]})).collect();
        // A bare map may have an alias of such a name.
        let an_alias = json!({"type": "object", "anyOf": [
            {"required": ["backend"], "properties": {"backend": {"type": "string"}}},
            {"required": ["BACKEND"], "properties": {"BACKEND": {"type": "string"}}},
        ]});
        let holds_aliases =
            ROOTS.map(|name| json!({"required": [name], "properties": {name: {"not": an_alias}}}));
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Caches of cache-sdk",
            "description": "Aliases and their settings: under `caches` or `CACHES`, where other roots belong to the \
                            program, or as a bare map.",
            "type": "object",
            "properties": {"$schema": {"type": "string"}},
            "if": {"anyOf": holds_aliases.as_slice()},
            "then": {
                "properties": {"caches": {"$ref": "#/$defs/aliases"}, "CACHES": {"$ref": "#/$defs/aliases"}},
                "not": {"required": ROOTS.as_slice()},
            },
            "else": {
                "properties": {"$schema": true},
                "additionalProperties": {"$ref": "#/$defs/alias"},
            },
            "$defs": {
                "aliases": {
                    "title": "Aliases",
                    "description": "The settings of each cache, by the name that the program asks for.",
                    "type": "object",
                    "additionalProperties": {"$ref": "#/$defs/alias"},
                },
                "alias": {
                    "type": "object",
                    "if": {"anyOf": is_django},
                    "then": {"$ref": "#/$defs/django"},
                    "else": {"$ref": "#/$defs/native"},
                },
                "native": native::alias(self),
                "django": django::alias(self),
            },
        })
    }
}
