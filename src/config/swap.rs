//! What is left of a file's alias once the environment has swapped its backend.

use cache_core::DjangoEffect;
use serde_json::{Map, Value as Json};

use super::alias::AliasTable;
use super::problems::listed;
use super::settings::{BackendTables, Note};

/// What the file says, as far as it holds for this backend, and what is to be
/// told of the rest.
pub(super) fn written(
    table: &AliasTable,
    backend: Option<&BackendTables<'_>>,
) -> (Map<String, Json>, Option<Note>) {
    let mut written = table.written().clone();
    let Some(backend) = backend.filter(|backend| backend.is_swapped) else { return (written, None) };
    let is_django = table.is_django();
    let [location, options] = if is_django { ["LOCATION", "OPTIONS"] } else { ["location", "options"] };
    let mut left_out = Vec::new();
    // It is where the other store is.
    let place = written.remove(location);
    if place.is_some_and(|place| !is_nowhere(&place)) && table.sets("location").is_none() {
        left_out.push(location.to_owned());
    }
    if let Some(Json::Object(file)) = written.get_mut(options) {
        file.retain(|name, _| {
            let is_known = knows(backend, name, is_django);
            if !is_known {
                left_out.push(format!("{options}.{name}"));
            }
            is_known
        });
    }
    let names = listed(left_out.iter().map(String::as_str));
    let note = format!("the environment swaps the backend, so this is left out: {names}");
    (written, (!left_out.is_empty()).then_some(Note::Warning(note)))
}

fn is_nowhere(place: &Json) -> bool {
    match place {
        Json::String(place) => place.is_empty(),
        Json::Array(places) => places.is_empty(),
        _ => place.is_null(),
    }
}

/// Whether the name sets one of the backend's own options.
fn knows(backend: &BackendTables<'_>, name: &str, is_django: bool) -> bool {
    match backend.django {
        Some(django) => matches!(django.effect_of(name), Some(DjangoEffect::Means(_))),
        None if is_django => backend.options.iter().any(|ours| ours.name.eq_ignore_ascii_case(name)),
        None => backend.options.iter().any(|ours| ours.name == name),
    }
}
