//! What a store can do under its present settings.

use std::time::Duration;

/// What a store promises. Handles, layers and the conformance suite go by it.
///
/// It is made by chaining, so that it can grow:
///
/// ```
/// use cache_core::Capabilities;
/// use std::time::Duration;
///
/// let capabilities = Capabilities::new().resolution(Duration::from_secs(1)).tokens(true);
/// assert!(capabilities.tokens && !capabilities.atomic_move);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each says of one ability whether it is there")]
pub struct Capabilities {
    /// Whether anything is kept at all. Default: true.
    pub stores: bool,
    /// The unit in which the store counts lives; they are rounded up to it.
    /// Default: one millisecond.
    pub resolution: Duration,
    /// The longest key, in bytes. Default: none.
    pub max_key_bytes: Option<usize>,
    /// Whether reads give tokens and writes can be conditional on one. Default: false.
    pub tokens: bool,
    /// Whether `amove` is one step that nobody sees halfway. Default: false.
    pub atomic_move: bool,
    /// Whether `aclear` can be kept to one prefix. Default: false.
    pub clear_prefix: bool,
    /// Whether a read that does not say [`LEADER`](crate::Read::LEADER) may miss
    /// what has been written, as one by a replica. Default: false.
    pub stale_reads: bool,
    /// Within which time each call ends by itself, whatever the store does: the
    /// handle then keeps no deadline of its own beside it. A layer that queues
    /// calls or makes several of one has to say its own. Default: none.
    pub deadline: Option<Duration>,
    /// How reads may be put together. Default: 100 keys a call.
    pub read_batch: Batch,
    /// How writes may be put together. Default: 100 keys a call.
    pub write_batch: Batch,
}

/// How operations may be put together into bulk calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The most keys of one call; longer ones are split by the handle.
    pub keys: usize,
    /// How operations of single keys are gathered into such calls while others
    /// are under way, by [`Batching`](crate::Batching). None where a store does
    /// not gain by it, which is the default.
    pub gather: Option<Gather>,
}

/// How many operations of single keys travel together, and how many such trips
/// there are at once.
///
/// What wins differs between stores and has to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gather {
    /// How many trips may be under way at once; the operations behind them wait
    /// and travel together. At least one, and one more beside an operation that
    /// left alone. Writes are divided among so many lanes, by their keys.
    pub trips: usize,
    /// The most operations of one trip. At least one.
    pub keys: usize,
    /// About how many bytes of keys and values one trip may carry. A single
    /// operation may exceed it; of reads it is judged by those before.
    pub bytes: usize,
    /// The longest value that is written together with others, in bytes; longer
    /// ones go by themselves, each in its turn. Default: any length.
    pub longest: usize,
}

impl Batch {
    /// At most so many keys a call, and at least one.
    pub const fn new(keys: usize) -> Self {
        Self { keys: if keys == 0 { 1 } else { keys }, gather: None }
    }

    /// The same, with operations of single keys gathered under load.
    #[must_use]
    pub const fn gathering(mut self, gather: Gather) -> Self {
        self.gather = Some(gather);
        self
    }

    /// One call for any number of keys.
    pub const UNLIMITED: Self = Self::new(usize::MAX);
}

impl Gather {
    /// So many trips at once, of at most so many operations and 256 KiB each.
    pub const fn new(trips: usize, keys: usize) -> Self {
        let (trips, keys) = (if trips == 0 { 1 } else { trips }, if keys == 0 { 1 } else { keys });
        Self { trips, keys, bytes: 256 << 10, longest: usize::MAX }
    }

    /// The same, with about so many bytes a trip at most.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// The same, with values of at most so many bytes written together.
    #[must_use]
    pub const fn longest(mut self, longest: usize) -> Self {
        self.longest = longest;
        self
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            stores: true,
            resolution: Duration::from_millis(1),
            max_key_bytes: None,
            tokens: false,
            atomic_move: false,
            clear_prefix: false,
            stale_reads: false,
            deadline: None,
            read_batch: Batch::new(100),
            write_batch: Batch::new(100),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        impl Capabilities {
            /// What a plain store can do; say what yours can beyond it.
            pub fn new() -> Self {
                Self::default()
            }

            $($(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $name: $type) -> Self {
                self.$name = $name;
                self
            })*
        }
    };
}

setters! {
    /// Sets [`stores`](Self::stores).
    stores: bool;
    /// Sets [`resolution`](Self::resolution).
    resolution: Duration;
    /// Sets [`max_key_bytes`](Self::max_key_bytes).
    max_key_bytes: Option<usize>;
    /// Sets [`tokens`](Self::tokens).
    tokens: bool;
    /// Sets [`atomic_move`](Self::atomic_move).
    atomic_move: bool;
    /// Sets [`clear_prefix`](Self::clear_prefix).
    clear_prefix: bool;
    /// Sets [`stale_reads`](Self::stale_reads).
    stale_reads: bool;
    /// Sets [`deadline`](Self::deadline).
    deadline: Option<Duration>;
    /// Sets [`read_batch`](Self::read_batch).
    read_batch: Batch;
    /// Sets [`write_batch`](Self::write_batch).
    write_batch: Batch;
}
