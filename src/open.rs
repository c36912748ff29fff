//! From checked settings to open caches.

use std::collections::BTreeMap;
use std::sync::Arc;

use cache_core::{
    Cache, ClearScope, Clock, CodecChoice, Context, DjangoSpelling, Error, ErrorKind, Format, KeyCheck,
    Layering, OnDecodeError, Opened, Operation, Shared, has_prefix,
};

use crate::config::{Alias, AliasTable, BackendTables, Note, Problems, check_alias, in_django_words, quoted};
use crate::dotted_path::{self, Found};
use crate::registry::Registry;

/// An alias whose settings are fine, and what it is opened with.
struct Checked<'r> {
    alias: Alias,
    found: Found<'r>,
    format: Format,
    is_django: bool,
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
    tell(&checked);
    warn_of_overlaps(&checked);

    let shared = Shared::default();
    let mut caches = BTreeMap::new();
    let mut problems = Problems::default();
    let mut failed = None;
    for (name, alias) in checked {
        let (is_django, django) = (alias.is_django, alias.found.django);
        match open(name, alias, registry, clock, &shared).await {
            Ok(cache) => drop(caches.insert(name.to_owned(), cache)),
            Err(error) if error.kind() == ErrorKind::Config => {
                problems.in_alias(name, told(&error, is_django, django));
            }
            Err(error) => failed = Some(error.with_operation(Operation::Open).with_alias(&name.into())),
        }
    }
    let outcome = problems.into_result().and(failed.map_or(Ok(()), Err));
    if let Err(error) = outcome {
        // None of them can be used, so none is left open.
        for cache in caches.values() {
            let _ = cache.aclose().await;
        }
        return Err(error);
    }
    Ok(caches)
}

fn check<'r>(table: &AliasTable, registry: &'r Registry) -> Result<Checked<'r>, Vec<String>> {
    let mut problems = Vec::new();
    let found = table.backend().and_then(|name| Ok((name, find(name, table, registry)?)));
    let found = found.map_err(|problem| problems.push(problem)).ok();
    let tables = found.as_ref().map(|(name, found)| BackendTables {
        name,
        options: found.backend.options(),
        django: found.django,
        is_swapped: is_swapped(table, found, registry),
    });
    let alias = check_alias(table, tables.as_ref(), &mut problems);
    if let Some(name) = &alias.key_function {
        problems.extend(registry.key_function(name).err());
    }
    problems.extend(key_check(&alias, registry).err());
    let format = format(&alias, registry).map_err(|problem| problems.push(problem));
    match (found, format) {
        (Some((_, found)), Ok(format)) if problems.is_empty() => {
            let is_django = table.is_django() || found.django.is_some();
            found
                .backend
                .check(&alias.settings)
                .map_err(|error| vec![told(&error, is_django, found.django)])?;
            Ok(Checked { alias, found, format, is_django })
        }
        _ => Err(problems),
    }
}

/// The backend of this name, as the alias's spelling understands it. Where
/// the environment alone speaks of an alias, the name decides the spelling.
fn find<'r>(name: &str, table: &AliasTable, registry: &'r Registry) -> Result<Found<'r>, String> {
    if table.is_django() {
        return dotted_path::find(name, registry);
    }
    match (registry.backend(name), dotted_path::by_path(name, registry)) {
        (Ok((registered, backend)), _) => Ok(Found { registered, backend, django: None }),
        (Err(_), Some(found)) if table.is_of_environment() => Ok(found),
        (Err(unknown), _) => Err(dotted_path::hint(name, registry).unwrap_or(unknown)),
    }
}

/// Whether the environment names this backend where the file names another,
/// perhaps one that there is not.
fn is_swapped(table: &AliasTable, found: &Found<'_>, registry: &Registry) -> bool {
    table.replaced_backend().is_some_and(|replaced| {
        find(replaced, table, registry).map_or(true, |replaced| replaced.registered != found.registered)
    })
}

/// Logs what is worth knowing of settings that are fine.
fn tell(checked: &BTreeMap<&str, Checked<'_>>) {
    for (name, Checked { alias, .. }) in checked {
        let name = quoted(name);
        for note in &alias.notes {
            match note {
                Note::Info(text) => tracing::info!(target: "cache::config", "alias {name}: {text}"),
                Note::Warning(text) => tracing::warn!(target: "cache::config", "alias {name}: {text}"),
            }
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
    let Checked { alias, found, format, is_django } = checked;
    let key_check = key_check(&alias, registry).unwrap_or_default();
    let mut context = Context::new(name).with_clock(Arc::clone(clock));
    context.max_value_bytes = format.max_value_bytes();
    context.shared = shared.clone();
    context.deadline = alias.deadline.unwrap_or(context.deadline);

    let (store, deadline) = match found.backend.open(alias.settings.clone(), &context).await? {
        Opened::Local(store) => (store, alias.deadline),
        opened => {
            if is_django {
                warn_of_django_s_bytes(name);
            }
            (opened.layered(&layering(&alias), &context), Some(context.deadline))
        }
    };
    let mut builder = Cache::builder(store)
        .context(&context)
        .key_prefix(&alias.key_prefix)
        .version(alias.version)
        .timeout(alias.timeout)
        .jitter(alias.jitter)
        .format(format)
        .key_check(key_check)
        .on_error(alias.on_error)
        .on_decode_error(alias.on_decode_error)
        .clear(alias.clear);
    if let Some(deadline) = deadline {
        builder = builder.deadline(deadline);
    }
    if let Some(deadline) = alias.load_deadline {
        builder = builder.load_deadline(deadline);
    }
    if let Some(name) = &alias.key_function
        && let Ok(function) = registry.key_function(name)
    {
        builder = builder.key_function(Arc::clone(function));
    }
    Ok(builder.build())
}

fn layering(alias: &Alias) -> Layering {
    // What is no value must not become a miss just because others read too.
    let tells_kinds = alias.on_decode_error == OnDecodeError::Error;
    Layering::new()
        .routing(alias.routing)
        .batch_reads(alias.batching && !tells_kinds)
        .batch_writes(alias.batching)
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
            CodecChoice::registered(*tag, Arc::clone(codec)).map_err(|error| detail_of(&error))?
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

/// What a backend's error says, in the words of the spelling.
fn told(error: &Error, is_django: bool, django: Option<&DjangoSpelling>) -> String {
    let detail = detail_of(error);
    if is_django { in_django_words(&detail, django) } else { detail }
}

/// What a backend's error says, without the words that go before it.
fn detail_of(error: &Error) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}

/// A running Django may have entries in the same store.
fn warn_of_django_s_bytes(name: &str) {
    tracing::warn!(
        target: "cache::config",
        "alias {}: entries are not pickled, so that Django does not read them, nor are its own read here; a \
         `KEY_PREFIX` of its own keeps the two apart",
        quoted(name),
    );
}

/// Two aliases of one place of which one clears the other's keys too, though
/// their prefixes differ.
fn warn_of_overlaps(checked: &BTreeMap<&str, Checked<'_>>) {
    for (wide, outer) in checked {
        for (narrow, inner) in checked {
            if wide != narrow && same_place(outer, inner) && clears(&outer.alias, &inner.alias) {
                let (wide, narrow) = (quoted(wide), quoted(narrow));
                tracing::warn!(
                    target: "cache::config",
                    "clearing {wide} clears {narrow} too: both are in one place, and the keys of {narrow} are among \
                     those that {wide} takes for its own",
                );
            }
        }
    }
}

fn same_place(one: &Checked<'_>, other: &Checked<'_>) -> bool {
    let place = |checked: &Checked<'_>| checked.found.backend.place(&checked.alias.settings);
    one.found.registered == other.found.registered && place(one).is_some() && place(one) == place(other)
}

/// Whether a clear of the one alias takes keys of the other. Where prefixes are
/// equal that is what was asked for.
fn clears(outer: &Alias, inner: &Alias) -> bool {
    match outer.clear {
        ClearScope::All => outer.key_prefix != inner.key_prefix,
        ClearScope::Prefix if outer.key_function.is_some() || inner.key_function.is_some() => false,
        ClearScope::Prefix => {
            outer.key_prefix != inner.key_prefix
                && has_prefix(&format!("{}:1:", inner.key_prefix), &outer.key_prefix)
        }
    }
}
