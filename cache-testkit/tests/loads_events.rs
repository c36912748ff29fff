//! What is logged of loads that cannot be stored. A test program of its own,
//! since one that does not listen turns the events off for others.

mod loads_rig;

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use cache_core::{ErrorKind, Timeout};
use cache_testkit::Call;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use loads_rig::Rig;

/// Keeps the events of loads as lines.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "cache::load"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().expect("nobody panics here").push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string takes all");
    }
}

/// Nobody gets an error of it: so it is said, but not of each.
#[tokio::test]
async fn that_loads_cannot_be_stored_is_said_once_for_each_kind_of_reason() {
    let heard = Heard::default();
    let _listening = tracing::subscriber::set_default(heard.clone());
    let rig = Rig::with(true, |builder| builder.alias("pages"));
    for kind in [ErrorKind::Server, ErrorKind::Connection, ErrorKind::Server, ErrorKind::Connection] {
        rig.faulty.on([Call::Set]).times(1).fail(kind);
        let value = rig.cache.aget_or_set("a secret key", Timeout::Default, async || 1).await;
        assert_eq!(*value.expect("the loader works"), 1);
    }
    assert_eq!(rig.cache.stats().publishes_failed, 4);
    let lines = heard.0.lock().expect("nobody panics here").clone();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, kind) in lines.iter().zip([ErrorKind::Server, ErrorKind::Connection]) {
        assert!(line.starts_with("WARN") && line.contains("cannot be stored"), "{line}");
        assert!(line.contains("pages") && line.contains(&kind.to_string()), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}
