//! What each kind of setting accepts, in terms of JSON Schema.

use cache_core::{Setting, SettingKind};
use serde_json::{Value as Json, json};

/// One number with its unit, and more: `1h 30m`, `1.5s`.
const TIME: &str = r"^(0|\s*([0-9]+(\.[0-9]+)?\s*(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)\s*)+)$";

/// A setting, with its meaning and its default.
pub(super) fn of_setting(setting: &Setting) -> Json {
    let mut schema = of_kind(setting.kind);
    // The table has it as one would write it; where that is no value, it is prose.
    match serde_json::from_str::<Json>(setting.default) {
        Ok(default) => {
            schema["default"] = default;
            schema["description"] = setting.meaning.into();
        }
        Err(_) if setting.default == "none" => schema["description"] = setting.meaning.into(),
        Err(_) => {
            schema["description"] = format!("{} Unless set: {}.", setting.meaning, setting.default).into();
        }
    }
    schema
}

/// One of these names, where a table can only say that it is text.
pub(super) fn of_names<'a>(setting: &Setting, names: impl IntoIterator<Item = &'a str>) -> Json {
    let mut schema = of_setting(setting);
    schema["enum"] = names.into_iter().collect();
    schema
}

fn of_kind(kind: SettingKind) -> Json {
    match kind {
        SettingKind::Text => json!({"type": "string"}),
        SettingKind::OneOf(words) => json!({"type": "string", "enum": words}),
        SettingKind::Integer(least, i64::MAX) => json!({"type": "integer", "minimum": least}),
        SettingKind::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        SettingKind::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
        SettingKind::Boolean => json!({"type": "boolean"}),
        SettingKind::Duration => json!({"anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": TIME},
        ]}),
        SettingKind::Timeout => json!({"anyOf": [
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": TIME},
            {"const": "forever"},
        ]}),
        SettingKind::List => json!({"anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}},
        ]}),
        _ => json!({}),
    }
}
