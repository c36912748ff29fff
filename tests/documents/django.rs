//! `docs/django-settings.md`: what becomes of `CACHES` of a Django project.

use std::fmt::Write;

use cache_sdk::core::{DjangoEffect, DjangoSpelling};
use cache_sdk::{Backend, Caches, Registry};

use crate::table::table;

const INTRODUCTION: &str = r#"# Django's settings

`CACHES` of a Django project loads as it stands, where its aliases are in local memory, in files, in Redis (by Django's
own backend or by django-redis), or dummies. Those in memcached or a database are [not supported
yet](#not-supported-yet); the environment can put one that is in their place.

```console
$ export DJANGO_SETTINGS_MODULE=myproject.settings
$ (umask 077; python -c 'import json; from django.conf import settings; print(json.dumps(settings.CACHES, default=lambda o: f"{o.__module__}.{o.__qualname__}" if callable(o) else str(o)))' > caches.json)
```

```rust
let caches = Caches::from_json_file("caches.json").await?;
```

The file may hold passwords, so nobody else may read it: keep it out of the repository and of images. A function or a
class, such as a key function, is written as its dotted path, and any other object that JSON lacks as its text: a `Path`
as the path that it is, a `timedelta` as a text that `TIMEOUT` refuses.

So it does under `caches` or `CACHES` in a TOML or JSON file, from any serde map, and in code with
`AliasSettings::django`. An alias is in Django's spelling if any of its names is one of those below. To mix both
spellings in one alias is an error; two aliases may differ.

The environment goes on top in the [native spelling](settings.md#the-environment): `CACHES__DEFAULT__TIMEOUT=60`,
`CACHES__DEFAULT__OPTIONS__MAX_ENTRIES=1000`, and with it go settings that Django does not know, such as
`CACHES__DEFAULT__CODEC=json`. What only Django reads is refused there, such as a negative `TIMEOUT`.

`CACHES__DEFAULT__BACKEND` swaps the backend, by a dotted path or by a registered name: so an alias in a store that is
not supported yet loads as `dummy` or as `mem`. Of the file's `OPTIONS` those stay that the new backend knows; the
others and the `LOCATION` are left out, since they belong to the other store, and a warning names them. As `mem` each such
alias has a store of its own, unless the environment gives it a `LOCATION`. On an alias that no file has, a dotted path makes it one in Django's spelling.

## Settings of an alias

"#;

const SETTINGS: &[[&str; 3]] = &[
    [
        "BACKEND",
        "`backend`",
        "The dotted path of one of the [backends](#backends) below, or the name of a registered one: `mem`, `dummy`, \
         or a dotted path that the [program registers](#names-of-the-project).",
    ],
    [
        "LOCATION",
        "`location`",
        "Text, or a list of texts; in local memory one name, for Redis a URL. Empty text and `null` are as good as none.",
    ],
    [
        "TIMEOUT",
        "`timeout`",
        "Seconds; a fraction is dropped, as Django's `int()` does. `null` is forever (in TOML, which has none, \
         write such an alias natively). Zero and less store nothing. A whole number may be text. 300 unless set.",
    ],
    [
        "OPTIONS",
        "`options`",
        "What the [backend](#backends) says of each. A whole number may be text, or a float without a fraction; for a text, \
         `null` is as good as none.",
    ],
    ["KEY_PREFIX", "`key_prefix`", "Text, or a whole number, which is taken as its text."],
    ["VERSION", "`version`", "A whole number from 0, also as text. 1 unless set."],
    [
        "KEY_FUNCTION",
        "`key_function`",
        "The name of a function that the [program registers](#names-of-the-project), dotted or not. `null`, `default` \
         and `django.core.cache.backends.base.default_key_func` are the default, which makes `prefix:version:key`.",
    ],
];

const DIFFERENCES: &str = r#"
## Where it differs from Django

* What cannot be used is an error, and all of it is told at once. Django takes 300 for a `TIMEOUT` that is no number,
  and its defaults for such `MAX_ENTRIES` and `CULL_FREQUENCY`, without a word, and ignores names that it does not know.
* No alias has to be called `default`. An empty `{}` means memory under `default`, with the native limits.
* `timeout`, `max_entries` and `cull_frequency` in lower case at the top of an alias, which Django once took and still
  prefers, are errors that say where they belong.
* A `VERSION` is a whole number. A `KEY_PREFIX` of `null`, which Django turns into the text `None`, is an error.
* `MAX_ENTRIES` is at least 1. With 0 or less Django comes to hold `CULL_FREQUENCY` entries.
* A negative `CULL_FREQUENCY`, with which Django never culls, is an error. With one above `MAX_ENTRIES` Django grows up
  to it; here at least one entry goes at every cull.
* Expired entries are freed though nobody reads them, at the latest half their life later, and from then on do not count
  towards `MAX_ENTRIES`. What is set for a time of zero or less takes no room and pushes nothing out.
* `incr_version` keeps the time that the entry has left, where Django sets it anew, and does not cull for the entry that
  goes.
* `clear` removes the keys under the alias's own `KEY_PREFIX`, where Django empties the store;
  `CACHES__DEFAULT__CLEAR=all` does that.
* A store in memory belongs to one `Caches`, not to the whole process.
* Two aliases of one `LOCATION` have to agree on its limits. One in Django's spelling culls, so a native one beside it
  needs `eviction = "lru"` and the same `max_entries` and `cull_frequency`.
* Values are not pickled: entries are not shared with a running Django. Where both have entries in one Redis, a
  `KEY_PREFIX` of its own keeps the two apart; a warning says so for each alias.
* `get_many` and `set_many` of Redis are one exchange, as in Django; `incr` of a key that vanishes meanwhile makes none,
  and lives are counted in milliseconds.

## Names of the project

A backend or a key function in Python cannot be run here. Write it in Rust, register it under its dotted path, and
`CACHES` loads unedited:

```rust
let caches = Caches::builder()
    .backend_named("myproject.cache.TieredCache", TieredCache)
    .key_function("myproject.cache.make_key", |key, prefix, version| format!("{prefix}/{version}/{key}"))
    .json_file("caches.json")
    .env()
    .open()
    .await?;
```

A backend says itself, by `Backend::django`, what its `OPTIONS` mean. Where it does not, they are its own options by
their names, without regard to case.

## Not supported yet

These paths are known, and an error says so:

"#;

/// Paths of Django and django-redis that load nothing yet.
const NOT_YET: &[&str] = &[
    "django.core.cache.backends.memcached.PyMemcacheCache",
    "django.core.cache.backends.memcached.PyLibMCCache",
    "django.core.cache.backends.memcached.MemcachedCache",
    "django.core.cache.backends.db.DatabaseCache",
];

pub(crate) async fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let rows = SETTINGS
        .iter()
        .map(|[name, ours, read]| [format!("`{name}`"), (*ours).to_owned(), (*read).to_owned()]);
    page.push_str(&table(["Django", "native", "how it is read"], rows));
    page.push_str("\n## Backends\n");
    for (name, backend) in Registry::new().backends() {
        for django in backend.django() {
            page.push_str(&path(name, &**backend, django));
        }
    }
    page.push_str(DIFFERENCES);
    for path in NOT_YET {
        assert_not_yet(path).await;
        writeln!(page, "* `{path}`").expect("text takes all");
    }
    page
}

/// What becomes of an alias of this path.
fn path(name: &str, backend: &dyn Backend, django: &DjangoSpelling) -> String {
    let mut text =
        format!("\n### `{}`\n\nIt is the backend [`{name}`](settings.md#backend-{name}).", django.path);
    if let Some(location) = django.location {
        let place =
            if location.is_empty() { "the one without a name".to_owned() } else { format!("`{location}`") };
        write!(text, " Aliases without a `LOCATION` share one store, {place}.").expect("text takes all");
    }
    if !django.defaults.is_empty() {
        let defaults = django.defaults.iter().map(|(option, value)| format!("`{option}` is `{value}`"));
        let defaults = defaults.collect::<Vec<_>>().join(", ");
        write!(text, " Unless set otherwise, {defaults}: so it is in Django.").expect("text takes all");
        if django.defaults.iter().any(|(option, _)| *option == "max_entries") {
            text.push_str(" That it holds no more is logged once, at the level info.");
        }
    }
    let rows = django.options.iter().map(|option| {
        let effect = match option.effect {
            DjangoEffect::Means(native) => {
                let ours = backend.options().iter().find(|ours| ours.name == native);
                let ours = ours.unwrap_or_else(|| panic!("`{name}` has no option `{native}`"));
                format!("`{native}`: {}", ours.kind)
            }
            DjangoEffect::Ignored(reason) => format!("accepted without effect, with a warning: {reason}"),
            DjangoEffect::Refused(sentence) => format!("an error: {sentence}"),
            DjangoEffect::Only(texts, sentence) => {
                let texts: Vec<_> = texts.iter().map(|text| format!("`{text}`")).collect();
                format!("{} is accepted; else an error: {sentence}", texts.join(" or "))
            }
            DjangoEffect::Within(_) => {
                "a table of what `OPTIONS` of Django's own backend has, above".to_owned()
            }
            _ => panic!("say what becomes of `{}`", option.name),
        };
        [format!("`{}`", option.name), effect]
    });
    let others = django.others.map(|effect| match effect {
        DjangoEffect::Ignored(reason) => {
            let name = if django.options.is_empty() { "any name" } else { "any other name" };
            [name.to_owned(), format!("accepted without effect, with a warning: {reason}")]
        }
        _ => panic!("say what becomes of other names of `{}`", django.path),
    });
    let rows = rows.chain(others);
    text.push_str("\n\n");
    text.push_str(&table(["under `OPTIONS`", "what becomes of it"], rows));
    for (option, value) in django.defaults {
        let ours = backend.options().iter().find(|ours| ours.name == *option);
        assert!(
            ours.is_some_and(|ours| ours.read_text(value).is_ok()),
            "`{option}` of `{name}` is not `{value}`"
        );
    }
    text
}

async fn assert_not_yet(path: &str) {
    let text = serde_json::json!({"default": {"BACKEND": path}}).to_string();
    let error = Caches::from_json(&text).await.expect_err("it is not supported yet");
    assert!(error.to_string().contains(&format!("`{path}` is not supported yet")), "{error}");
}
