//! What `BACKEND` of Django's spelling names: a dotted path of Django's, or a
//! registered name.

use std::collections::BTreeSet;
use std::sync::Arc;

use cache_core::{Backend, DjangoSpelling};

use crate::config::{listed, suggestion};
use crate::registry::{Registry, needs_feature, of_python, shown};

/// A backend, and how Django spells its options, if it does.
pub(crate) struct Found<'r> {
    /// What it is registered as.
    pub(crate) registered: &'r str,
    pub(crate) backend: &'r Arc<dyn Backend>,
    pub(crate) django: Option<&'static DjangoSpelling>,
}

/// Paths of Django and of django-redis, and the backend of this workspace that
/// each belongs to, once there is one. Those of registered backends are found
/// in their own tables.
const PATHS: &[(&str, Option<&str>)] = &[
    ("django.core.cache.backends.locmem.LocMemCache", Some("mem")),
    ("django.core.cache.backends.redis.RedisCache", Some("redis")),
    ("django.core.cache.backends.memcached.PyMemcacheCache", None),
    ("django.core.cache.backends.memcached.PyLibMCCache", None),
    ("django.core.cache.backends.memcached.MemcachedCache", None),
    ("django.core.cache.backends.db.DatabaseCache", None),
    ("django.core.cache.backends.filebased.FileBasedCache", Some("fs")),
    ("django_redis.cache.RedisCache", Some("redis")),
];

/// The backend that `BACKEND` names. A registered name comes first: it is the
/// program's own word.
pub(crate) fn find<'r>(name: &str, registry: &'r Registry) -> Result<Found<'r>, String> {
    if let Ok((registered, backend)) = registry.backend(name) {
        let tables = backend.django();
        let django = tables.iter().find(|django| django.path == name).or(tables.first());
        return Ok(Found { registered, backend, django });
    }
    by_path(name, registry).ok_or_else(|| {
        let known = names(registry);
        if let Some(problem) = not_compiled_in(name) {
            return format!("{problem}; supported are {}", listed(known));
        }
        let similar = suggestion(name, known.iter().copied().chain(PATHS.iter().map(|(path, _)| *path)));
        format!("there is no backend{}; there are {}{similar}{}", shown(name), listed(known), of_python(name))
    })
}

/// All that can stand as `BACKEND`: registered names, and the paths of their
/// backends.
pub(crate) fn names(registry: &Registry) -> BTreeSet<&str> {
    let paths = registry.backends().flat_map(|(_, backend)| backend.django()).map(|django| django.path);
    registry.backends().map(|(name, _)| name).chain(paths).collect()
}

/// What to say to one who writes a path of Django's as the native `backend`.
pub(crate) fn hint(name: &str, registry: &Registry) -> Option<String> {
    match by_path(name, registry) {
        Some(Found { registered, .. }) => Some(format!(
            "`{name}` is what Django calls `{registered}`: write `backend = \"{registered}\"`, or the whole alias \
             in Django's spelling, with `BACKEND`"
        )),
        None => not_compiled_in(name),
    }
}

/// The backend that belongs to this path of Django's.
pub(crate) fn by_path<'r>(path: &str, registry: &'r Registry) -> Option<Found<'r>> {
    let found = registry.backends().filter_map(|(registered, backend)| {
        let django = backend.django().iter().find(|django| django.path == path)?;
        Some(Found { registered, backend, django: Some(django) })
    });
    // Of one that is registered under several names, its own is the plainest.
    found.min_by_key(|found| found.registered != found.backend.name())
}

/// What is known of a path or a name that belongs to no registered backend.
fn not_compiled_in(name: &str) -> Option<String> {
    match PATHS.iter().find(|(path, _)| *path == name) {
        Some((path, None)) => Some(format!("`{path}` is not supported yet")),
        Some((_, Some(backend))) => needs_feature(backend).map(|needs| format!("`{name}` {needs}")),
        None => needs_feature(name).map(|needs| format!("the backend `{name}` {needs}")),
    }
}
