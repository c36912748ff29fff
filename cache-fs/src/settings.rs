//! What a store in files can be told.

use cache_core::Settings;

/// What a [`FsStore`](crate::FsStore) can be told.
///
/// ```
/// use cache_fs::{Eviction, FsSettings};
///
/// let mut settings = FsSettings::default();
/// settings.max_entries = 10_000;
/// settings.eviction = Eviction::Lru;
/// assert_eq!(settings.max_bytes, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FsSettings {
    /// How many entries of one key prefix there may be before some are
    /// evicted; 1,000,000 unless set.
    pub max_entries: u64,
    /// How many bytes their files may have before some are evicted; no limit
    /// unless set. A file has 56 bytes beside its key and its value; what the
    /// file system needs beyond that is not counted.
    pub max_bytes: Option<u64>,
    /// One entry in so many goes when there are too many; zero: all of them.
    /// 3 unless set, as in Django.
    pub cull_frequency: u32,
    /// Which entries go first, once those are gone whose life is over.
    pub eviction: Eviction,
    /// When what was written is on the disk.
    pub fsync: Fsync,
    /// Who may read and write the files.
    pub sharing: Sharing,
    /// Directories that are served to everybody: a location in one of them is
    /// warned of. [`SERVED`](crate::SERVED) unless set.
    pub served: Vec<String>,
}

/// Which entries go first when there are too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// Those that were written longest ago.
    #[default]
    Oldest,
    /// Those that were used longest ago. Reads are noted in memory, and their
    /// times given to the files now and then.
    Lru,
    /// Any, as in Django.
    Random,
}

/// When what was written is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// When the system sees fit. After a loss of power an entry may be gone;
    /// it is never wrong, since its checksum tells.
    #[default]
    Never,
    /// Before a write ends: the file's content is on the disk when it gets its
    /// name.
    Data,
}

/// Who may read and write what the store makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// The user of the process: files 0600, directories 0700.
    #[default]
    Private,
    /// Its group too: files 0660, directories 2770.
    Group,
}

/// Directories that web servers serve as they come, and parts of paths that
/// frameworks call what they serve.
pub const SERVED: &[&str] = &[
    "/var/www",
    "/srv/http",
    "/srv/www",
    "/usr/share/nginx",
    "public_html",
    "htdocs",
    "wwwroot",
    "static",
    "media",
];

impl Default for FsSettings {
    fn default() -> Self {
        Self {
            max_entries: 1_000_000,
            max_bytes: None,
            cull_frequency: 3,
            eviction: Eviction::default(),
            fsync: Fsync::default(),
            sharing: Sharing::default(),
            served: SERVED.iter().map(|path| (*path).to_owned()).collect(),
        }
    }
}

impl FsSettings {
    /// What a configuration says, and the defaults for what it does not.
    pub(crate) fn from_options(options: &Settings) -> Self {
        let default = Self::default();
        Self {
            max_entries: integer(options, "max_entries").unwrap_or(default.max_entries),
            max_bytes: integer(options, "max_bytes"),
            cull_frequency: integer(options, "cull_frequency").unwrap_or(default.cull_frequency),
            eviction: match options.text("eviction") {
                Some("lru") => Eviction::Lru,
                Some("random") => Eviction::Random,
                _ => Eviction::Oldest,
            },
            fsync: match options.text("fsync") {
                Some("data") => Fsync::Data,
                _ => Fsync::Never,
            },
            sharing: match options.text("sharing") {
                Some("group") => Sharing::Group,
                _ => Sharing::Private,
            },
            served: options.list("served").map_or(default.served, <[String]>::to_vec),
        }
    }
}

/// The table bounds the number, so that it fits.
fn integer<T: TryFrom<i64>>(options: &Settings, name: &str) -> Option<T> {
    T::try_from(options.integer(name)?).ok()
}
