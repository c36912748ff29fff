//! From checked settings to open caches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    Cache, Clock, CodecChoice, Context, Error, ErrorKind, Format, KeyCheck, Opened, Shared, Trip,
    TripSettings, has_prefix,
};

use crate::config::{Alias, AliasTable, Problems, check_alias, listed};
use crate::registry::Registry;

/// How long an operation on a remote store may take unless the alias says so.
const DEADLINE: Duration = Duration::from_secs(1);

/// An alias whose settings are fine, and what it is opened with.
struct Checked<'r> {
    alias: Alias,
    backend_name: String,
    backend: &'r Arc<dyn cache_core::Backend>,
    format: Format,
}

/// Checks all aliases first, so that nothing is opened of a configuration with
/// a problem, and then opens them.
pub(crate) async fn open_all(
    tables: &BTreeMap<String, AliasTable>,
    registry: &Registry,
    clock: &Arc<dyn Clock>,
    mut problems: Problems,
) -> Result<BTreeMap<String, Cache>, Error> {
    let mut checked = BTreeMap::new();
    for (name, table) in tables {
        match check(table, registry) {
            Ok(alias) => drop(checked.insert(name.as_str(), alias)),
            Err(found) => found.into_iter().for_each(|problem| problems.in_alias(name, problem)),
        }
    }
    problems.into_result()?;
    warn_of_overlaps(&checked);

    let shared = Shared::default();
    let mut caches = BTreeMap::new();
    let mut problems = Problems::default();
    for (name, alias) in checked {
        match open(name, alias, registry, clock, &shared).await {
            Ok(cache) => drop(caches.insert(name.to_owned(), cache)),
            Err(error) if error.kind() == ErrorKind::Config => problems.in_alias(name, detail_of(&error)),
            Err(error) => return Err(error.with_alias(&name.into())),
        }
    }
    problems.into_result()?;
    Ok(caches)
}

fn check<'r>(table: &AliasTable, registry: &'r Registry) -> Result<Checked<'r>, Vec<String>> {
    let backend_name = table.backend().map_err(|problem| vec![problem])?;
    let backend = registry.backend(&backend_name).map_err(|problem| vec![problem])?;
    let alias = check_alias(table, &backend_name, backend.options())?;
    let mut problems = Vec::new();
    if let Some(name) = &alias.key_function {
        problems.extend(registry.key_function(name).err());
    }
    problems.extend(key_check(&alias, registry).err());
    match format(&alias, registry) {
        Ok(format) if problems.is_empty() => Ok(Checked { alias, backend_name, backend, format }),
        outcome => {
            problems.extend(outcome.err());
            Err(problems)
        }
    }
}

async fn open(
    name: &str,
    checked: Checked<'_>,
    registry: &Registry,
    clock: &Arc<dyn Clock>,
    shared: &Shared,
) -> Result<Cache, Error> {
    let Checked { alias, backend, format, .. } = checked;
    let key_check = key_check(&alias, registry).unwrap_or_default();
    let mut context = Context::new(name).with_clock(Arc::clone(clock));
    context.max_value_bytes = format.max_value_bytes();
    context.shared = shared.clone();

    let (store, deadline) = match backend.open(alias.settings, &context).await? {
        Opened::Local(store) => (store, alias.deadline),
        Opened::Remote { leader, replicas } if replicas.is_empty() => {
            let deadline = alias.deadline.unwrap_or(DEADLINE);
            let settings =
                TripSettings::new(name, deadline, Arc::clone(clock)).counters(context.counters.clone());
            (Arc::new(Trip::new(leader, settings)) as Arc<_>, Some(deadline))
        }
        _ => {
            return Err(Error::new(
                ErrorKind::Config,
                "read replicas are not supported yet: give one `location`",
            ));
        }
    };
    let mut builder = Cache::builder(store)
        .context(&context)
        .key_prefix(&alias.key_prefix)
        .version(alias.version)
        .timeout(alias.timeout)
        .format(format)
        .key_check(key_check)
        .on_error(alias.on_error)
        .on_decode_error(alias.on_decode_error)
        .clear(alias.clear);
    if let Some(deadline) = deadline {
        builder = builder.deadline(deadline);
    }
    if let Some(name) = &alias.key_function
        && let Ok(function) = registry.key_function(name)
    {
        builder = builder.key_function(Arc::clone(function));
    }
    Ok(builder.build())
}

fn key_check(alias: &Alias, registry: &Registry) -> Result<KeyCheck, String> {
    Ok(match alias.key_check.as_deref() {
        None => KeyCheck::Warn,
        Some("off") => KeyCheck::Off,
        Some("error") => KeyCheck::Error,
        Some(name) => KeyCheck::Custom(Arc::clone(registry.validator(name)?)),
    })
}

fn format(alias: &Alias, registry: &Registry) -> Result<Format, String> {
    let codec = match (alias.codec.as_deref(), alias.schema) {
        (None, _) => CodecChoice::Msgpack,
        (Some("json"), _) => CodecChoice::Json,
        (Some("raw"), _) => CodecChoice::Raw,
        (Some("postcard"), Some(schema)) => CodecChoice::Postcard { schema },
        (Some("postcard"), None) => {
            return Err("the codec `postcard` needs `schema`, a number to raise with every change of a type"
                .to_owned());
        }
        (Some(name), _) => {
            let (tag, codec) = registry.codec(name)?;
            CodecChoice::Registered { tag: *tag, codec: Arc::clone(codec) }
        }
    };
    let mut format = Format::new(codec).with_registered(registry.codecs_by_tag());
    if let Some(schema) = alias.schema {
        format = format.with_schema(schema);
    }
    if let Some(bytes) = alias.max_value_bytes {
        format = format.with_max_value_bytes(bytes);
    }
    if alias.plain { format.plain().map_err(|error| detail_of(&error)) } else { Ok(format) }
}

/// What a backend's error says, without the words that go before it.
fn detail_of(error: &Error) -> String {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((_, detail)) => detail.to_owned(),
        None => text,
    }
}

/// Two aliases of one place whose prefixes differ, and of which one clears the
/// other's keys.
fn warn_of_overlaps(checked: &BTreeMap<&str, Checked<'_>>) {
    for (wide, outer) in checked {
        for (narrow, inner) in checked {
            if wide != narrow
                && same_place(outer, inner)
                && covers(&outer.alias.key_prefix, &inner.alias.key_prefix)
            {
                tracing::warn!(
                    target: "cache::config",
                    "clearing `{wide}` clears `{narrow}` too: both are in one place, and the keys of the prefix of \
                     {} begin as those of {}",
                    listed([*narrow]),
                    listed([*wide]),
                );
            }
        }
    }
}

fn same_place(one: &Checked<'_>, other: &Checked<'_>) -> bool {
    let place = |checked: &Checked<'_>| checked.backend.place(&checked.alias.settings);
    one.backend_name == other.backend_name && place(one).is_some() && place(one) == place(other)
}

/// Whether keys of the prefix `inner` are keys of the prefix `outer` as well.
fn covers(outer: &str, inner: &str) -> bool {
    outer != inner && has_prefix(&format!("{inner}:1:"), outer)
}
