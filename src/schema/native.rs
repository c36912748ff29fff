//! An alias in the native spelling.

use serde_json::Value as Json;

use super::alias::{of_backends, table};
use super::kind::{of_names, of_setting};
use crate::config::ALIAS_SETTINGS;
use crate::registry::Registry;

pub(super) fn alias(registry: &Registry) -> Json {
    let settings = ALIAS_SETTINGS.iter().map(|setting| {
        let schema = match setting.name {
            "key_function" => of_names(setting, registry.key_function_names()),
            "key_check" => of_names(setting, registry.key_check_names()),
            "codec" => of_names(setting, registry.codec_names()),
            _ => of_setting(setting),
        };
        (setting.name.to_owned(), schema)
    });
    let cases = registry.backends().map(|(name, backend)| {
        let options = backend.options().iter().map(|option| (option.name.to_owned(), of_setting(option)));
        (name.to_owned(), table(options))
    });
    let mut schema = of_backends(["backend", "options"], settings.collect(), cases);
    schema["title"] = "An alias".into();
    schema
}
