//! How Django spells the settings of a backend, in terms of ours.

/// What the dotted path of a Django backend means here: part of a
/// [`Backend`](crate::Backend), so that `CACHES` of a Django project loads as
/// it stands.
///
/// ```
/// use cache_core::{DjangoEffect, DjangoOption, DjangoSpelling};
///
/// const OPTIONS: &[DjangoOption] = &[
///     DjangoOption::new("MAX_ENTRIES", DjangoEffect::Means("max_entries")),
///     DjangoOption::new("SERIALIZER", DjangoEffect::Refused("`codec` of the alias says how values are written")),
/// ];
/// const SPELLING: DjangoSpelling =
///     DjangoSpelling::new("acme.cache.FastCache").defaults(&[("max_entries", "300")]).options(OPTIONS);
/// assert_eq!(SPELLING.path, "acme.cache.FastCache");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DjangoSpelling {
    /// The dotted path that stands as `BACKEND`.
    pub path: &'static str,
    /// Options of ours that hold in this spelling unless `OPTIONS` sets them,
    /// each with its value as an environment variable would write it. They keep
    /// what Django's own backend does.
    pub defaults: &'static [(&'static str, &'static str)],
    /// The location where `LOCATION` is absent, if that means one.
    pub location: Option<&'static str>,
    /// What may stand in `OPTIONS`.
    pub options: &'static [DjangoOption],
    /// What becomes of any other name in `OPTIONS`: an error, unless said.
    pub others: Option<DjangoEffect>,
}

/// One of the names that can stand in `OPTIONS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DjangoOption {
    /// As Django, or the client library behind it, spells it.
    pub name: &'static str,
    /// What becomes of it here.
    pub effect: DjangoEffect,
}

/// What becomes of a Django option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DjangoEffect {
    /// It is this option of ours.
    Means(&'static str),
    /// It is accepted and has no effect, for this reason; said once in a warning.
    Ignored(&'static str),
    /// It is an error, which says this: what to write instead.
    Refused(&'static str),
    /// It is accepted if it is one of these texts, which ask for what holds
    /// anyway; any other value is an error, which says this.
    Only(&'static [&'static str], &'static str),
    /// It is a table of such options; any other name in it is an error.
    Within(&'static [DjangoOption]),
}

impl DjangoSpelling {
    /// A path without defaults, location or options.
    pub const fn new(path: &'static str) -> Self {
        Self { path, defaults: &[], location: None, options: &[], others: None }
    }

    /// Sets [`defaults`](Self::defaults).
    #[must_use]
    pub const fn defaults(mut self, defaults: &'static [(&'static str, &'static str)]) -> Self {
        self.defaults = defaults;
        self
    }

    /// Sets [`location`](Self::location).
    #[must_use]
    pub const fn location(mut self, location: &'static str) -> Self {
        self.location = Some(location);
        self
    }

    /// Sets [`options`](Self::options).
    #[must_use]
    pub const fn options(mut self, options: &'static [DjangoOption]) -> Self {
        self.options = options;
        self
    }

    /// Sets [`others`](Self::others), for a backend that takes any `OPTIONS`.
    #[must_use]
    pub const fn others(mut self, effect: DjangoEffect) -> Self {
        self.others = Some(effect);
        self
    }

    /// What becomes of this name in `OPTIONS`; `None` for one that is unknown.
    pub fn effect_of(&self, name: &str) -> Option<DjangoEffect> {
        let listed = self.options.iter().find(|option| option.name == name);
        listed.map(|option| option.effect).or(self.others)
    }
}

impl DjangoOption {
    /// An option and what becomes of it.
    pub const fn new(name: &'static str, effect: DjangoEffect) -> Self {
        Self { name, effect }
    }
}
