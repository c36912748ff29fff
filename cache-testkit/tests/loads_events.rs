//! What is logged of loads that cannot be stored. A test program of its own,
//! since one that does not listen turns the events off for others.

mod heard;
mod loads_rig;

use cache_core::{ErrorKind, Timeout};
use cache_testkit::Call;

use heard::Heard;
use loads_rig::Rig;

/// Nobody gets an error of it: so it is said, but not of each.
#[tokio::test]
async fn that_loads_cannot_be_stored_is_said_once_for_each_kind_of_reason() {
    let (heard, _listening) = Heard::of("cache::load");
    let rig = Rig::with(true, |builder| builder.alias("pages"));
    for kind in [ErrorKind::Server, ErrorKind::Connection, ErrorKind::Server, ErrorKind::Connection] {
        rig.faulty.on([Call::Set]).times(1).fail(kind);
        let value = rig.cache.aget_or_set("a secret key", Timeout::Default, async || 1).await;
        assert_eq!(*value.expect("the loader works"), 1);
    }
    assert_eq!(rig.cache.stats().publishes_failed, 4);
    let lines = heard.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, kind) in lines.iter().zip([ErrorKind::Server, ErrorKind::Connection]) {
        assert!(line.starts_with("WARN") && line.contains("cannot be stored"), "{line}");
        assert!(line.contains("pages") && line.contains(&kind.to_string()), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}
