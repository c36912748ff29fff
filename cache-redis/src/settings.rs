//! What a store is told: a location and options, checked and put together.

use std::path::Path;
use std::time::Duration;

use cache_core::{DjangoEffect, Error, ErrorKind, Result, Setting, SettingKind, Settings};

use crate::django::DJANGO;
use crate::driver::{Driver, Target};
use crate::identity::{Identity, Password};
use crate::location::{self, Location, MOST_DATABASES};
use crate::secret::Secret;
use crate::tls;

/// The options of the backend, beside those that every alias has.
pub(crate) const OPTIONS: &[Setting] = &[
    Setting::new(
        "driver",
        SettingKind::OneOf(Driver::NAMES),
        "\"fred\"",
        "The library that speaks to the server; each needs its cargo feature.",
    ),
    Setting::new(
        "pool_size",
        SettingKind::Integer(1, 256),
        "1",
        "How many connections. Each serves any number of tasks at once; more help where one core cannot keep up \
         with large values or with TLS.",
    ),
    Setting::new(
        "username",
        SettingKind::Text,
        "none",
        "The user of the server's ACL; also in the location.",
    ),
    Setting::new("password", SettingKind::Text, "none", "The password; also in the location."),
    Setting::new(
        "password_file",
        SettingKind::Text,
        "none",
        "A file that holds the password. It is read again for each connection, so that a new one needs no restart.",
    ),
    Setting::new(
        "database",
        SettingKind::Integer(0, MOST_DATABASES),
        "0",
        "The number of the database; also in the location.",
    ),
    Setting::new("client_name", SettingKind::Text, "none", "What `CLIENT LIST` of the server shows."),
    Setting::new(
        "connect_deadline",
        SettingKind::Duration,
        "\"1s\"",
        "How long it may take to connect, with TLS and the password.",
    ),
    Setting::new(
        "max_in_flight",
        SettingKind::Integer(1, 1_000_000),
        "4000",
        "How many commands may be under way on a connection; further calls wait their turn.",
    ),
    Setting::new(
        "max_waiting",
        SettingKind::Integer(0, 1_000_000_000),
        "10000",
        "How many calls may wait for their turn on a connection; further ones fail at once as overloaded.",
    ),
    Setting::new(
        "tls_ca_file",
        SettingKind::Text,
        "none",
        "The certificates (PEM) that the server's is signed by, in the place of the system's.",
    ),
    Setting::new("tls_cert_file", SettingKind::Text, "none", "The certificate (PEM) that this side shows."),
    Setting::new("tls_key_file", SettingKind::Text, "none", "The key (PEM) of that certificate."),
];

const MAX_IN_FLIGHT: u32 = 4_000;

/// What a store is opened with.
#[derive(Clone, Debug)]
pub(crate) struct RedisSettings {
    pub(crate) driver: Driver,
    pub(crate) target: Target,
    pub(crate) identity: Identity,
    pub(crate) pool_size: usize,
    pub(crate) connect_deadline: Duration,
    pub(crate) max_in_flight: u32,
    pub(crate) max_waiting: usize,
    pub(crate) part: Part,
    /// What stands in the location and has no effect, and why.
    pub(crate) ignored: Vec<String>,
}

/// What a server is among those of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Alone,
    Leader,
    Replica,
}

impl RedisSettings {
    /// Reads options that were checked by the table, once for each location.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), naming the setting and never a value.
    pub(crate) fn each(settings: &Settings) -> Result<Vec<Self>> {
        let locations = location::each(settings.location());
        let count = locations.len();
        if count == 0 {
            return Err(config(
                "`location` is missing: where the server is, such as `redis://127.0.0.1:6379/0`",
            ));
        }
        let place = |(number, text): (usize, &str)| {
            let (part, told) = match (count, number) {
                (1, _) => (Part::Alone, String::new()),
                (_, 0) => (Part::Leader, " (the first, the leader)".to_owned()),
                _ => (Part::Replica, format!(" (replica {number})")),
            };
            let location = Location::parse(text).map_err(|problem| {
                config(format!("`location`{told} cannot be used: {problem}{}", separators(count)))
            })?;
            Self::of_location(settings, location, part)
        };
        locations.into_iter().enumerate().map(place).collect()
    }

    fn of_location(settings: &Settings, location: Location, part: Part) -> Result<Self> {
        let (settings, ignored) = with_parameters(settings.clone(), &location)?;
        let tls = Self::tls(&settings, &location)?;
        Ok(Self {
            driver: Driver::named(settings.text("driver").unwrap_or(Driver::NAMES[0])).map_err(config)?,
            identity: identity(&settings, &location)?,
            target: Target {
                address: location.address,
                tls,
                max_in_flight: number(&settings, "max_in_flight", MAX_IN_FLIGHT as usize),
                max_value_bytes: usize::MAX,
            },
            pool_size: number(&settings, "pool_size", 1),
            connect_deadline: settings.duration("connect_deadline").unwrap_or(Duration::from_secs(1)),
            max_in_flight: number(&settings, "max_in_flight", MAX_IN_FLIGHT),
            max_waiting: number(&settings, "max_waiting", 10_000),
            part,
            ignored,
        })
    }

    fn tls(settings: &Settings, location: &Location) -> Result<Option<tls::Config>> {
        let [roots, certificate, key] =
            ["tls_ca_file", "tls_cert_file", "tls_key_file"].map(|name| settings.text(name).map(Path::new));
        if !location.tls {
            return match [roots, certificate, key] {
                [None, None, None] => Ok(None),
                _ => Err(config("the options for TLS need a `location` with TLS: `rediss://host:6379/0`")),
            };
        }
        tls::config(roots, certificate, key).map(Some)
    }
}

/// What tells the place of these settings from every other, which is that of
/// the leader; for a location that cannot be read, nothing does.
pub(crate) fn place(settings: &Settings) -> Option<String> {
    let leader = Location::parse(location::each(settings.location()).first()?).ok()?;
    let database = database(settings, &leader);
    Some(format!("{}/{database}", leader.address))
}

/// What may be behind a location that cannot be read, where there are several.
fn separators(count: usize) -> &'static str {
    if count == 1 {
        ""
    } else {
        " (a `;` or `,` begins another location; in a password it is written `%3B` or `%2C`)"
    }
}

/// The settings, with what stands behind the question mark of the location. As
/// in Django it wins over the same option.
fn with_parameters(mut settings: Settings, location: &Location) -> Result<(Settings, Vec<String>)> {
    let mut ignored = Vec::new();
    for (name, value) in &location.parameters {
        let option = |wanted: &str| OPTIONS.iter().find(|option| option.name == wanted);
        let option = match (option(name), effect_of(name, value)) {
            (Some(option), _) => option,
            (None, Some(DjangoEffect::Means(native))) => match option(native) {
                Some(option) => option,
                None => return Err(unknown_parameter()),
            },
            (None, Some(DjangoEffect::Ignored(reason))) => {
                ignored.push(format!("`{name}` in `location` has no effect: {reason}"));
                continue;
            }
            (None, Some(DjangoEffect::Refused(sentence) | DjangoEffect::Only(_, sentence))) => {
                return Err(config(format!("`{name}` in `location`: {sentence}")));
            }
            _ => return Err(unknown_parameter()),
        };
        let read = option.read_text(value.reveal());
        let value = read.map_err(|problem| config(format!("`{name}` in `location`: {problem}")))?;
        settings = settings.with(option.name, value);
    }
    Ok((settings, ignored))
}

/// What redis-py means by a parameter. Those that ask for what holds anyway
/// may stand there.
fn effect_of(name: &str, value: &Secret) -> Option<DjangoEffect> {
    let is_given = match name {
        "ssl_cert_reqs" => value.reveal() == "required",
        "ssl_check_hostname" => value.reveal().eq_ignore_ascii_case("true"),
        _ => false,
    };
    if is_given {
        return Some(DjangoEffect::Ignored("certificates are always checked, with the name in them"));
    }
    DJANGO.first()?.effect_of(name)
}

fn unknown_parameter() -> Error {
    let names: Vec<_> = OPTIONS.iter().map(|option| format!("`{}`", option.name)).collect();
    config(format!("`location` has a parameter that is not known; accepted: `db`, {}", names.join(", ")))
}

fn identity(settings: &Settings, location: &Location) -> Result<Identity> {
    let text = |name: &str| settings.text(name).filter(|text| !text.is_empty());
    let password = match (&location.password, text("password"), text("password_file")) {
        (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            return Err(config("`password_file` stands beside another password: give one of them"));
        }
        (Some(password), ..) => Password::Fixed(password.clone()),
        (None, Some(password), None) => Password::Fixed(Secret::new(password.to_owned())),
        (None, None, Some(file)) => Password::File(readable("password_file", file)?.into()),
        (None, None, None) => Password::None,
    };
    let username = location.username.clone().or_else(|| text("username").map(str::to_owned));
    if username.is_some() && matches!(password, Password::None) {
        return Err(config(
            "`username` needs a password: `password`, `password_file`, or one in the location",
        ));
    }
    let client_name = text("client_name").map(str::to_owned);
    if client_name.as_ref().is_some_and(|name| !name.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(config("`client_name` may have no blanks, and only ASCII"));
    }
    Ok(Identity { username, password, database: database(settings, location), client_name })
}

fn database(settings: &Settings, location: &Location) -> i64 {
    location.database.or_else(|| settings.integer("database")).unwrap_or(0)
}

/// A file that is needed later is looked at now, so that a wrong name is told
/// when the configuration is loaded.
fn readable<'f>(setting: &str, file: &'f str) -> Result<&'f str> {
    match std::fs::File::open(file) {
        Ok(_) => Ok(file),
        Err(error) => Err(config(format!("`{setting}` cannot be read")).with_source(error)),
    }
}

/// The table bounds the number, so that it fits.
fn number<T: TryFrom<i64>>(settings: &Settings, name: &str, default: T) -> T {
    settings.integer(name).and_then(|number| T::try_from(number).ok()).unwrap_or(default)
}

#[cold]
pub(crate) fn config(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, detail)
}
