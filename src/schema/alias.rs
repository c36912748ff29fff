//! What an alias of either spelling has: a backend, and options that depend on it.

use serde_json::{Map, Value as Json, json};

/// An alias whose options are those of the backend that it names: `cases`
/// has, for each backend, what it is named and its options.
pub(super) fn of_backends(
    [backend, options]: [&str; 2],
    mut properties: Map<String, Json>,
    cases: impl Iterator<Item = (String, Json)>,
) -> Json {
    let (names, cases): (Vec<_>, Vec<_>) = cases
        .map(|(name, schema)| {
            let case = json!({
                "if": {"required": [backend], "properties": {backend: {"const": name}}},
                "then": {"properties": {options: schema}},
            });
            (name, case)
        })
        .unzip();
    properties
        .insert(options.to_owned(), json!({"type": "object", "description": "The backend's own settings."}));
    if let Some(Json::Object(backend)) = properties.get_mut(backend) {
        backend.insert("enum".to_owned(), names.into());
    }
    json!({
        "type": "object",
        "required": [backend],
        "properties": properties,
        "additionalProperties": false,
        "allOf": cases,
    })
}

/// A table of options: these and no others.
pub(super) fn table(options: impl Iterator<Item = (String, Json)>) -> Json {
    let options: Map<_, _> = options.collect();
    json!({"type": "object", "properties": options, "additionalProperties": false})
}
