//! What a trip says of an outage, as `tracing` events.

mod rig;

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use cache_core::ErrorKind;
use cache_testkit::Call;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use rig::{DEADLINE, GRACE, IDLE, Rig};

/// Keeps the events of one target as lines.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "cache::trip"
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

#[tokio::test]
async fn an_outage_is_one_event_and_its_end_another() {
    let heard = Heard::default();
    let _listening = tracing::subscriber::set_default(heard.clone());
    let rig = Rig::new();
    rig.faulty.on(Call::ALL).stall();
    let calls: Vec<_> = (0..20).map(|_| rig.get("a secret key")).collect();
    rig.clock.pass(DEADLINE + GRACE).await;
    for call in calls {
        assert_eq!(call.await.expect("no panic").0.expect_err("stalled").kind(), ErrorKind::Deadline);
    }
    rig.get_at_once("a secret key").expect_err("it is down");
    rig.faulty.heal();
    rig.clock.pass(IDLE).await;
    assert!(!rig.trip.is_down());

    let lines = heard.0.lock().expect("nobody panics here").clone();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("deadline passed"), "{lines:?}");
    assert!(lines[1].starts_with("INFO") && lines[1].contains("answers again"), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("rig") && !line.contains("secret")), "{lines:?}");
}
