//! An alias in Django's spelling.

use cache_core::{Backend, DjangoEffect, DjangoOption, DjangoSpelling, Setting, SettingKind};
use serde_json::{Map, Value as Json, json};

use super::alias::{of_backends, table};
use super::kind::{of_names, of_setting};
use crate::config::{ALIAS_SETTINGS, DEFAULT_KEY_FUNCTION, DJANGO_SETTINGS};
use crate::dotted_path;
use crate::registry::Registry;

pub(super) fn alias(registry: &Registry) -> Json {
    let settings = DJANGO_SETTINGS.iter().filter_map(|(name, native)| {
        let setting = ALIAS_SETTINGS.iter().find(|setting| setting.name == *native)?;
        let schema = match *native {
            "timeout" => timeout(),
            "location" => location(setting),
            "key_prefix" => key_prefix(setting),
            "key_function" => key_function(setting, registry),
            _ => number_or_text(setting),
        };
        Some(((*name).to_owned(), schema))
    });
    let cases = dotted_path::names(registry).into_iter().filter_map(|name| {
        let found = dotted_path::find(name, registry).ok()?;
        Some((name.to_owned(), options(&**found.backend, found.django)))
    });
    let mut schema = of_backends(["BACKEND", "OPTIONS"], settings.collect(), cases);
    schema["title"] = "An alias in Django's spelling".into();
    schema
}

fn timeout() -> Json {
    json!({
        "description": "How many seconds entries live unless told otherwise: a fraction is dropped, `null` is \
                        forever, and what is not above zero stores nothing.",
        "default": 300,
        "anyOf": [{"type": "null"}, {"type": "number"}, {"type": "string", "pattern": WHOLE_NUMBER}],
    })
}

fn location(setting: &Setting) -> Json {
    let mut schema = of_setting(setting);
    if let Some(accepted) = schema["anyOf"].as_array_mut() {
        accepted.push(json!({"type": "null"}));
    }
    schema
}

/// Of a number Django takes the text.
fn key_prefix(setting: &Setting) -> Json {
    let mut schema = of_setting(setting);
    schema["type"] = json!(["integer", "string"]);
    schema
}

fn key_function(setting: &Setting, registry: &Registry) -> Json {
    let mut schema = of_names(setting, registry.key_function_names().chain([DEFAULT_KEY_FUNCTION]));
    schema["type"] = json!(["string", "null"]);
    if let Some(names) = schema["enum"].as_array_mut() {
        names.push(Json::Null);
    }
    schema
}

fn options(backend: &dyn Backend, django: Option<&DjangoSpelling>) -> Json {
    let Some(django) = django else {
        let any_case =
            backend.options().iter().map(|option| (in_any_case(option.name), number_or_text(option)));
        return json!({
            "type": "object",
            "patternProperties": any_case.collect::<Map<_, _>>(),
            "additionalProperties": false,
        });
    };
    let mut schema = table(django.options.iter().filter_map(|option| entry(option, backend, django)));
    if let Some(others) = django.others.and_then(|effect| of_effect(effect, backend, django)) {
        schema["additionalProperties"] = others;
    }
    schema
}

fn entry(option: &DjangoOption, backend: &dyn Backend, django: &DjangoSpelling) -> Option<(String, Json)> {
    Some((option.name.to_owned(), of_effect(option.effect, backend, django)?))
}

fn of_effect(effect: DjangoEffect, backend: &dyn Backend, django: &DjangoSpelling) -> Option<Json> {
    match effect {
        DjangoEffect::Means(native) => {
            let ours = backend.options().iter().find(|setting| setting.name == native)?;
            let default = django.defaults.iter().find(|(name, _)| *name == native);
            let mut ours = *ours;
            ours.default = default.map_or(ours.default, |(_, text)| text);
            let mut schema = number_or_text(&ours);
            if ours.kind == SettingKind::Text {
                schema["type"] = json!(["string", "null"]);
            }
            Some(schema)
        }
        DjangoEffect::Ignored(reason) => Some(json!({"description": format!("It has no effect: {reason}.")})),
        DjangoEffect::Only(texts, _) => Some(json!({"enum": texts})),
        DjangoEffect::Within(options) => {
            let mut schema = table(options.iter().filter_map(|option| entry(option, backend, django)));
            schema["type"] = json!(["object", "null"]);
            Some(schema)
        }
        // Whatever its value.
        _ => Some(Json::Bool(false)),
    }
}

/// Django reads numbers from text too.
fn number_or_text(setting: &Setting) -> Json {
    let mut schema = of_setting(setting);
    if let SettingKind::Integer(least, _) = setting.kind {
        schema["type"] = json!(["integer", "string"]);
        schema["pattern"] = match least {
            i64::MIN..0 => WHOLE_NUMBER,
            0 => r"^\s*\+?[0-9]+\s*$",
            1.. => r"^\s*\+?0*[1-9][0-9]*\s*$",
        }
        .into();
    }
    schema
}

const WHOLE_NUMBER: &str = r"^\s*[+-]?[0-9]+\s*$";

/// A pattern of the name in upper, lower and mixed case.
fn in_any_case(name: &str) -> String {
    let letters = name.chars().map(|letter| match letter {
        'a'..='z' | 'A'..='Z' => format!("[{}{}]", letter.to_ascii_uppercase(), letter.to_ascii_lowercase()),
        '0'..='9' | '_' | '-' => letter.to_string(),
        other => format!("\\u{{{:x}}}", u32::from(other)),
    });
    format!("^{}$", letters.collect::<String>())
}
