//! What a trip says of an outage, as `tracing` events.

mod heard;
mod rig;

use cache_core::ErrorKind;
use cache_testkit::Call;

use heard::Heard;
use rig::{DEADLINE, GRACE, IDLE, Rig};

#[tokio::test]
async fn an_outage_is_one_event_and_its_end_another() {
    let (heard, _listening) = Heard::of("cache::trip");
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

    let lines = heard.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("deadline passed"), "{lines:?}");
    assert!(lines[1].starts_with("INFO") && lines[1].contains("answers again"), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("rig") && !line.contains("secret")), "{lines:?}");
}
