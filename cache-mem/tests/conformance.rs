//! The conformance suite on the store in memory: as it is, under layers, and
//! where it promises less than it could.

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cache_core::{AsyncCache, Batch, Context, Shared, Trip, TripSettings};
use cache_mem::{Eviction, MemSettings, MemStore, Values};
use cache_testkit::{Lesser, PassThrough, Setup, Subject, Suite};

fn main() -> ExitCode {
    let on_real_time = |setup| async move { open(&setup, Values::Typed) };
    Suite::new()
        .subject(Subject::new("typed", typed).owns_store())
        .subject(Subject::new("encoded", encoded).owns_store())
        .subject(Subject::new("lru", lru).owns_store())
        .subject(Subject::new("counted_in_bytes", counted_in_bytes).owns_store())
        .subject(Subject::new("under_layers", under_layers).owns_store())
        .subject(Subject::new("under_trip", under_trip).owns_store())
        .subject(Subject::new("moved_in_steps", moved_in_steps).owns_store())
        .subject(Subject::new("without_tokens", without_tokens).owns_store())
        .subject(Subject::new("without_clear", without_clear).owns_store())
        .subject(Subject::new("shared", shared).real_time())
        .subject(Subject::new("real_time", on_real_time).owns_store().real_time())
        .run()
}

async fn typed(setup: Setup) -> Arc<dyn AsyncCache> {
    open(&setup, Values::Typed)
}

async fn encoded(setup: Setup) -> Arc<dyn AsyncCache> {
    open(&setup, Values::Encoded)
}

/// With room for what the cases keep at once.
async fn lru(setup: Setup) -> Arc<dyn AsyncCache> {
    let mut settings = settings(Values::Typed);
    settings.eviction = Eviction::Lru;
    open_with(&setup, &settings)
}

async fn counted_in_bytes(setup: Setup) -> Arc<dyn AsyncCache> {
    let mut settings = settings(Values::Typed);
    settings.max_bytes = Some(1 << 30);
    open_with(&setup, &settings)
}

async fn under_layers(setup: Setup) -> Arc<dyn AsyncCache> {
    PassThrough::layers(open(&setup, Values::Typed), 3)
}

async fn under_trip(setup: Setup) -> Arc<dyn AsyncCache> {
    let settings = TripSettings::new("suite", Duration::from_secs(1), setup.clock());
    Arc::new(Trip::new(open(&setup, Values::Encoded), settings))
}

/// As many servers are: no move in one step, and batches of a few keys.
async fn moved_in_steps(setup: Setup) -> Arc<dyn AsyncCache> {
    Arc::new(Lesser::new(open(&setup, Values::Encoded), |promised| {
        promised.atomic_move(false).read_batch(Batch::new(7)).write_batch(Batch::new(3))
    }))
}

async fn without_tokens(setup: Setup) -> Arc<dyn AsyncCache> {
    let store = open(&setup, Values::Typed);
    Arc::new(Lesser::new(store, |promised| promised.atomic_move(false).tokens(false)))
}

async fn without_clear(setup: Setup) -> Arc<dyn AsyncCache> {
    let store = open(&setup, Values::Encoded);
    Arc::new(Lesser::new(store, |promised| promised.clear_prefix(false).max_key_bytes(Some(250))))
}

/// One store for all cases at once, as a server would be; so all of them have
/// the machine's time.
async fn shared(setup: Setup) -> Arc<dyn AsyncCache> {
    static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);
    // Never closed: the last alias that closes a location frees its memory.
    static KEEPER: LazyLock<MemStore> = LazyLock::new(|| open_shared(&Context::new("keeper"), &SHARED));

    LazyLock::force(&KEEPER);
    Arc::new(open_shared(setup.context(), &SHARED))
}

fn open_shared(context: &Context, shared: &Shared) -> MemStore {
    let mut context = context.clone();
    context.shared = shared.clone();
    let store = MemStore::open(Some("suite"), &settings(Values::Typed), &context);
    store.expect("all cases open it with the same settings")
}

fn open(setup: &Setup, values: Values) -> Arc<dyn AsyncCache> {
    open_with(setup, &settings(values))
}

fn open_with(setup: &Setup, settings: &MemSettings) -> Arc<dyn AsyncCache> {
    let store = MemStore::open(None, settings, setup.context());
    Arc::new(store.expect("a store without a location is shared with nobody"))
}

fn settings(values: Values) -> MemSettings {
    let mut settings = MemSettings::default();
    settings.values = values;
    // Also in an optimised build: a typed set has to fail where a remote one would.
    settings.check_encoding = true;
    settings
}
