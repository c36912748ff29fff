//! What can go wrong: one opaque, cheap error type with a kind to branch on.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of a cache operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of another library, as sources and codecs hand them over.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// An error of a cache: what went wrong, in which operation, on which alias.
///
/// One word wide and cheap to clone, since one failure may have to be told to
/// many callers. `Display` never prints the source (walk
/// [`source`](StdError::source) for that), and neither keys nor values nor
/// secrets ever appear in it.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Option<Operation>,
    alias: Option<Arc<str>>,
    detail: Option<Cow<'static, str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    failures: Vec<(usize, Error)>,
}

/// What went wrong, coarse enough to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// `aincr`, `adecr`, `aincr_version` or `adecr_version` of a key that is
    /// not there. (A read that finds nothing is `Ok(None)`.)
    NotFound,
    /// The store cannot do this under the present settings.
    Unsupported,
    /// The key is not acceptable to the store or to the alias's key check.
    InvalidKey,
    /// The value is larger than the store or `max_value_bytes` admits.
    TooLarge,
    /// The stored value is not an integer.
    NotAnInteger,
    /// The result does not fit: a counter beyond 64 bits, a version below 0.
    Overflow,
    /// The value cannot be encoded, or (with `on_decode_error = "error"`) what
    /// is stored cannot be decoded.
    Codec,
    /// The operation did not finish within its deadline. A write may still
    /// have taken effect.
    Deadline,
    /// The store cannot be reached, or is known to be down.
    Connection,
    /// The store refused the credentials.
    Auth,
    /// The store answered with an error of its own.
    Server,
    /// The store does not accept writes.
    ReadOnly,
    /// The place where entries are kept does not exist (a table, say).
    Missing,
    /// Too many operations are waiting already.
    Overloaded,
    /// The store is full and evicts nothing.
    Full,
    /// A loader failed.
    Load,
    /// A loader panicked.
    Panicked,
    /// A loader asked for the key that it was loading.
    Recursion,
    /// The cache, or the runtime it lived on, has been closed.
    Closed,
    /// The configuration cannot be used.
    Config,
}

/// The operation in which an error arose; displayed as the method's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `aget`, `aget_arc`.
    Get,
    /// `aset`, `aset_arc`.
    Set,
    /// `aadd`.
    Add,
    /// `atouch`.
    Touch,
    /// `adelete`.
    Delete,
    /// `ahas_key`.
    HasKey,
    /// `alife`.
    Life,
    /// `aget_or_set`, `aget_or_try_set` and `load`.
    GetOrSet,
    /// `get_or_set_many`, `get_or_try_set_many` and `load_many`.
    GetOrSetMany,
    /// `aincr`.
    Incr,
    /// `adecr`.
    Decr,
    /// `aincr_version`.
    IncrVersion,
    /// `adecr_version`.
    DecrVersion,
    /// `get_many` and its variants.
    GetMany,
    /// `set_many`.
    SetMany,
    /// `delete_many`.
    DeleteMany,
    /// `aclear`.
    Clear,
    /// `aping`.
    Ping,
    /// `aclose`.
    Close,
    /// Opening the stores of a configuration.
    Open,
}

impl Error {
    /// An error of this kind, with a sentence that says what a reader can do.
    ///
    /// The detail must hold neither keys nor values nor secrets.
    #[cold]
    pub fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner { detail: Some(detail.into()), ..Inner::of(kind) }))
    }

    /// An error of this kind that needs no further words.
    #[cold]
    pub fn of(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner::of(kind)))
    }

    /// The error of a bulk call: which positions failed, and how.
    ///
    /// Its kind is that of the first failure, which is its source too.
    ///
    /// ```
    /// use cache_core::{Error, ErrorKind};
    ///
    /// let error = Error::bulk(vec![(3, Error::of(ErrorKind::TooLarge))]);
    /// assert_eq!(error.kind(), ErrorKind::TooLarge);
    /// assert_eq!(error.failures()[0].0, 3);
    /// ```
    #[cold]
    pub fn bulk(failures: Vec<(usize, Error)>) -> Self {
        let kind = failures.first().map_or(ErrorKind::Server, |(_, error)| error.kind());
        let detail = format!("{} of the keys failed", failures.len()).into();
        let first = failures.first().map(|(_, error)| Arc::new(error.clone()) as Arc<_>);
        Self(Arc::new(Inner { detail: Some(detail), source: first, failures, ..Inner::of(kind) }))
    }

    /// The same error with the error of another library beneath it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(source.into()));
        self
    }

    /// The same error, told of the operation; one that is there already stays.
    #[must_use]
    pub fn with_operation(mut self, operation: Operation) -> Self {
        if self.0.operation.is_none() {
            Arc::make_mut(&mut self.0).operation = Some(operation);
        }
        self
    }

    /// The same error, told of the alias; one that is there already stays.
    #[must_use]
    pub fn with_alias(mut self, alias: &Arc<str>) -> Self {
        if self.0.alias.is_none() {
            Arc::make_mut(&mut self.0).alias = Some(Arc::clone(alias));
        }
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation in which it went wrong, once a handle has passed it on.
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The alias on which it went wrong, once a handle has passed it on.
    pub fn alias(&self) -> Option<&str> {
        self.0.alias.as_deref()
    }

    /// The sentence that it was made with, without kind, operation and alias.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The keys of a bulk call that failed, by their position in the call;
    /// empty for every other error.
    pub fn failures(&self) -> &[(usize, Error)] {
        &self.0.failures
    }

    /// What a loader failed with, if this is an error of a load and that was
    /// an `E`; of a bulk call, what the first of its failures has. Of a load
    /// within the loader, whose error it passed on, what that failed with. (Of an
    /// `anyhow::Error` only the text is left, in [`source`](StdError::source).)
    ///
    /// ```
    /// # use cache_core::{Cache, ErrorKind, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// let load = || async { Err::<u8, _>(std::io::Error::other("the source is down")) };
    /// let error = cache.aget_or_try_set("key", Timeout::Default, load).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Load);
    /// assert_eq!(error.loader_error::<std::io::Error>().unwrap().to_string(), "the source is down");
    /// # }
    /// ```
    pub fn loader_error<E: StdError + 'static>(&self) -> Option<&E> {
        if let Some((_, first)) = self.failures().first() {
            return first.loader_error();
        }
        let is_of_a_loader = matches!(self.kind(), ErrorKind::Load | ErrorKind::Recursion);
        let source = self.source().filter(|_| is_of_a_loader)?;
        // A load within the loader may have been what failed.
        source.downcast_ref().or_else(|| source.downcast_ref::<Self>()?.loader_error())
    }

    /// Whether the same call may succeed a little later, nothing else changed.
    ///
    /// ```
    /// use cache_core::{Error, ErrorKind};
    ///
    /// assert!(Error::of(ErrorKind::Deadline).is_transient());
    /// assert!(!Error::of(ErrorKind::InvalidKey).is_transient());
    /// ```
    pub fn is_transient(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Deadline | ErrorKind::Connection | ErrorKind::Overloaded | ErrorKind::Full
        )
    }
}

impl Inner {
    fn of(kind: ErrorKind) -> Self {
        Self { kind, operation: None, alias: None, detail: None, source: None, failures: Vec::new() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.0.operation {
            write!(f, "{operation} ")?;
        }
        if let Some(alias) = &self.0.alias {
            write!(f, "on cache `{alias}` ")?;
        }
        if self.0.operation.is_some() || self.0.alias.is_some() {
            f.write_str("failed: ")?;
        }
        write!(f, "{}", self.0.kind)?;
        match &self.0.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind);
        if let Some(operation) = &self.0.operation {
            out.field("operation", operation);
        }
        if let Some(alias) = &self.0.alias {
            out.field("alias", alias);
        }
        if let Some(detail) = &self.0.detail {
            out.field("detail", detail);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        if !self.0.failures.is_empty() {
            out.field("failures", &self.0.failures);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl ErrorKind {
    /// All kinds, in the order in which statistics list them.
    pub const ALL: &'static [Self] = &[
        Self::NotFound,
        Self::Unsupported,
        Self::InvalidKey,
        Self::TooLarge,
        Self::NotAnInteger,
        Self::Overflow,
        Self::Codec,
        Self::Deadline,
        Self::Connection,
        Self::Auth,
        Self::Server,
        Self::ReadOnly,
        Self::Missing,
        Self::Overloaded,
        Self::Full,
        Self::Load,
        Self::Panicked,
        Self::Recursion,
        Self::Closed,
        Self::Config,
    ];
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such key",
            Self::Unsupported => "not supported",
            Self::InvalidKey => "invalid key",
            Self::TooLarge => "value too large",
            Self::NotAnInteger => "the stored value is not an integer",
            Self::Overflow => "the result does not fit",
            Self::Codec => "the value does not fit the codec",
            Self::Deadline => "deadline passed",
            Self::Connection => "no connection",
            Self::Auth => "credentials refused",
            Self::Server => "the store answered with an error",
            Self::ReadOnly => "the store is read-only",
            Self::Missing => "the store's place does not exist",
            Self::Overloaded => "too many operations are waiting",
            Self::Full => "the store is full",
            Self::Load => "the loader failed",
            Self::Panicked => "the loader panicked",
            Self::Recursion => "the loader asked for its own key",
            Self::Closed => "closed",
            Self::Config => "configuration",
        })
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "aget",
            Self::Set => "aset",
            Self::Add => "aadd",
            Self::Touch => "atouch",
            Self::Delete => "adelete",
            Self::HasKey => "ahas_key",
            Self::Life => "alife",
            Self::GetOrSet => "aget_or_set",
            Self::GetOrSetMany => "get_or_set_many",
            Self::Incr => "aincr",
            Self::Decr => "adecr",
            Self::IncrVersion => "aincr_version",
            Self::DecrVersion => "adecr_version",
            Self::GetMany => "get_many",
            Self::SetMany => "set_many",
            Self::DeleteMany => "delete_many",
            Self::Clear => "aclear",
            Self::Ping => "aping",
            Self::Close => "aclose",
            Self::Open => "opening",
        })
    }
}
