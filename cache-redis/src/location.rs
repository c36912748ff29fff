//! Where a server is, in all the ways that users write it.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Url, form_urlencoded};

use crate::secret::Secret;

/// A location, taken apart.
///
/// ```text
/// redis://[[username]:password@]host[:port][/database][?parameters]
/// rediss://..., valkeys://...     the same with TLS
/// host, host:port, [v6]:port      without TLS and password
/// unix:[//[username[:password]@]]/path[?parameters], /path
/// ```
#[derive(Debug)]
pub(crate) struct Location {
    pub(crate) address: Address,
    pub(crate) tls: bool,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: Option<i64>,
    /// What stands behind the question mark.
    pub(crate) parameters: Vec<(String, Secret)>,
}

/// What is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

const DEFAULT_PORT: u16 = 6379;

const ACCEPTED: &str = "expected `redis://host:6379/0`, `rediss://` for TLS, `unix:/path`, or `host:port`";

/// Each URL scheme, and whether it means TLS.
const SCHEMES: &[(&str, bool)] = &[
    ("redis", false),
    ("rediss", true),
    ("valkey", false),
    ("valkeys", true),
    ("redis+tls", true),
    ("redis+tcp", false),
    ("tcp", false),
];

/// Schemes of a unix socket.
const UNIX_SCHEMES: &[&str] = &["unix", "redis+unix", "redis+socket", "valkey+unix"];

/// Schemes of what is known and cannot be done here.
const NOT_YET: &[&str] = &["redis+sentinel", "redis-sentinel", "redis+cluster", "redis-cluster", "sentinel"];

/// The locations that a setting spells: those of a list, or, as in Django, of
/// one text with `;` or `,` between them.
pub(crate) fn each(locations: &[String]) -> Vec<&str> {
    let texts: Vec<_> = match locations {
        [text] => text.split([';', ',']).collect(),
        texts => texts.iter().map(String::as_str).collect(),
    };
    texts.into_iter().map(str::trim).filter(|text| !text.is_empty()).collect()
}

impl Location {
    /// Reads one location. What is said of a bad one never quotes it: it may
    /// hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if rest.starts_with("//") || UNIX_SCHEMES.contains(&scheme) => {
                (scheme, rest)
            }
            _ if text.starts_with('/') => return unix(text),
            _ => return tcp(&format!("redis://{text}"), false),
        };
        let scheme = scheme.to_ascii_lowercase();
        if let Some((_, tls)) = SCHEMES.iter().find(|(known, _)| *known == scheme) {
            return tcp(&format!("redis:{rest}"), *tls);
        }
        if UNIX_SCHEMES.contains(&scheme.as_str()) {
            return unix(rest.strip_prefix("//").unwrap_or(rest));
        }
        if NOT_YET.contains(&scheme.as_str()) {
            return Err("sentinels and clusters are not supported yet: name one server".to_owned());
        }
        Err(format!("its scheme is not known; {ACCEPTED}"))
    }
}

fn tcp(url: &str, tls: bool) -> Result<Location, String> {
    let url = Url::parse(url).map_err(|error| match error {
        url::ParseError::InvalidPort => format!(
            "its port is no number from 1 to 65535 (in a password `/`, `?`, `#` and `@` are written with a percent \
             sign: `%2F`, `%3F`, `%23`, `%40`); {ACCEPTED}"
        ),
        url::ParseError::EmptyHost => format!("it names no host; {ACCEPTED}"),
        _ => format!("it is no URL; {ACCEPTED}"),
    })?;
    if url.fragment().is_some() {
        return Err("`#` has no meaning in it; in a password it is written `%23`".to_owned());
    }
    let host = match url.host() {
        None => return Err(format!("it names no host; {ACCEPTED}")),
        Some(url::Host::Domain(domain)) => decoded(domain)?,
        Some(url::Host::Ipv4(address)) => address.to_string(),
        Some(url::Host::Ipv6(address)) => address.to_string(),
    };
    let port = match url.port() {
        Some(0) => return Err("its port is no number from 1 to 65535".to_owned()),
        port => port.unwrap_or(DEFAULT_PORT),
    };
    let database = match url.path().trim_matches('/') {
        "" => None,
        number => Some(database(number)?),
    };
    let username = Some(decoded(url.username())?).filter(|name| !name.is_empty());
    let password = url.password().map(decoded).transpose()?.map(Secret::new);
    let address = Address::Tcp { host, port };
    let location =
        Location { address, tls, username, password, database, parameters: parameters(url.query()) };
    location.with_database_parameter()
}

fn unix(text: &str) -> Result<Location, String> {
    let (before, query) = match text.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (text, None),
    };
    let (credentials, path) = match before.find('/') {
        Some(slash) => before.split_at(slash),
        None => return Err("the path of the socket has to be absolute: `unix:/path`".to_owned()),
    };
    let (username, password) = match credentials.strip_suffix('@') {
        None if credentials.is_empty() => (None, None),
        None => return Err("a socket has no host: `unix:/path`, with a slash after the colon".to_owned()),
        Some(credentials) => match credentials.split_once(':') {
            Some((username, password)) => (Some(username), Some(password)),
            None => (Some(credentials), None),
        },
    };
    let path = decoded(path)?;
    if path == "/" {
        return Err("it names no socket: `unix:/path`".to_owned());
    }
    Location {
        address: Address::Unix(path.into()),
        tls: false,
        username: username.map(decoded).transpose()?.filter(|name| !name.is_empty()),
        password: password.map(decoded).transpose()?.map(Secret::new),
        database: None,
        parameters: parameters(query),
    }
    .with_database_parameter()
}

fn parameters(query: Option<&str>) -> Vec<(String, Secret)> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.map(|(name, value)| (name.into_owned(), Secret::new(value.into_owned()))).collect()
}

impl Location {
    /// As in redis-py, `?db=` wins over the path.
    fn with_database_parameter(mut self) -> Result<Self, String> {
        for (_, value) in self.parameters.extract_if(.., |(name, _)| name == "db") {
            self.database = Some(database(value.reveal())?);
        }
        Ok(self)
    }
}

/// The server says how many there are; here it only has to be a number.
fn database(text: &str) -> Result<i64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_number && *number <= MOST_DATABASES);
    number.ok_or_else(|| "its database is no number from 0: `redis://host:6379/0`".to_owned())
}

/// What Redis takes for the number of a database is a C `int`.
pub(crate) const MOST_DATABASES: i64 = i32::MAX as i64;

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| "what its percent signs spell is no UTF-8".to_owned())
}

/// As a reader of an error knows it; it holds no secret.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.to_owned(), port }
    }

    fn parsed(text: &str) -> Location {
        Location::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn every_form_names_its_address() {
        for (text, address, tls, database) in [
            ("redis://h", tcp("h", 6379), false, None),
            ("redis://h/", tcp("h", 6379), false, None),
            ("redis://h:1234/7", tcp("h", 1234), false, Some(7)),
            ("REDISS://h:1/299", tcp("h", 1), true, Some(299)),
            ("valkey://h", tcp("h", 6379), false, None),
            ("valkeys://h", tcp("h", 6379), true, None),
            ("redis://[::1]:7", tcp("::1", 7), false, None),
            ("redis://10.0.0.1:7?db=3", tcp("10.0.0.1", 7), false, Some(3)),
            ("redis://h/1?db=3", tcp("h", 6379), false, Some(3)),
            ("h", tcp("h", 6379), false, None),
            ("h:7", tcp("h", 7), false, None),
            ("[::1]:7", tcp("::1", 7), false, None),
            ("127.0.0.1:6379", tcp("127.0.0.1", 6379), false, None),
            ("/run/redis.sock", Address::Unix("/run/redis.sock".into()), false, None),
            ("unix:/run/redis.sock", Address::Unix("/run/redis.sock".into()), false, None),
            ("unix:///run/a%20b.sock?db=2", Address::Unix("/run/a b.sock".into()), false, Some(2)),
            ("redis+unix:///run/redis.sock", Address::Unix("/run/redis.sock".into()), false, None),
        ] {
            let location = parsed(text);
            assert_eq!(
                (location.address, location.tls, location.database),
                (address, tls, database),
                "{text}"
            );
        }
    }

    #[test]
    fn credentials_are_decoded() {
        for (text, username, password) in [
            ("redis://h", None, None),
            ("redis://:p%40%2F%3a@h", None, Some("p@/:")),
            ("redis://user:pass@h", Some("user"), Some("pass")),
            ("redis://user@h", Some("user"), None),
            ("user:pass@h:1", Some("user"), Some("pass")),
            ("unix://user:p%40@/run/s", Some("user"), Some("p@")),
            ("unix://user@/run/s", Some("user"), None),
            ("unix://:pass@/run/s", None, Some("pass")),
        ] {
            let location = parsed(text);
            assert_eq!(location.username.as_deref(), username, "{text}");
            assert_eq!(location.password.as_ref().map(Secret::reveal), password, "{text}");
        }
    }

    #[test]
    fn what_is_said_of_a_bad_one_does_not_quote_it() {
        for text in [
            "http://:hunter2@h",
            "redis://",
            "redis://:hunter2@",
            "redis://:hunter2@h:port",
            "redis://:hunter2@h:0",
            "redis://:hunter2@h:70000",
            "redis://:hun/ter2@h",
            "redis://:hunter2@h/one",
            "redis://:hunter2@h/-1",
            "redis://:hunter2@h/99999999999",
            "redis://:hunter2@h#1",
            "redis://:hunter2%ff@h",
            "redis+sentinel://:hunter2@h",
            "unix:hunter2.sock",
            "unix://hunter2/run/s",
            "unix:/",
            "hunter2 and more",
            "h:1:hunter2",
        ] {
            let problem = Location::parse(text).map(|location| location.address.to_string()).unwrap_err();
            assert!(!problem.contains("hun"), "{text}: {problem}");
        }
    }

    #[test]
    fn one_text_may_hold_several() {
        let each_of = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            each(&texts).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(each_of(&["redis://a;redis://b, c;"]), ["redis://a", "redis://b", "c"]);
        assert_eq!(each_of(&["redis://:x,y@a", " b ", ""]), ["redis://:x,y@a", "b"]);
        assert!(each_of(&[]).is_empty());
    }
}
