//! Where a server is in the writes of its leader, as `INFO replication` tells.

use cache_core::{Lag, Ping};

use crate::settings::Part;

/// The answer with the position that the text tells, for a server that is
/// configured as this.
///
/// A replica whose server says that it is none follows nobody: what it counts
/// are writes of its own.
pub(crate) fn placed(ping: Ping, text: &[u8], part: Part) -> Ping {
    let text = String::from_utf8_lossy(text);
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(field, _)| *field == name).map(|(_, value)| value.trim())
    };
    let name = match (part, field("role")) {
        (Part::Replica, Some("slave")) => "slave_repl_offset",
        (Part::Leader, _) => "master_repl_offset",
        _ => return ping,
    };
    let Some(position) = field(name).and_then(|offset| offset.parse().ok()) else { return ping };
    // Forty hexadecimal digits, drawn when a leader begins; sixteen tell them apart.
    let history = field("master_replid").and_then(|id| u64::from_str_radix(id.get(..16)?, 16).ok());
    ping.with_lag(Lag::Position(position)).in_history(history.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LEADER: &[u8] = b"# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
        master_replid:00000000000000ff5b0cc1d7a3f8d5e0b4a1c2d3\r\nmaster_repl_offset:1414\r\n";
    const REPLICA: &[u8] = b"# Replication\r\nrole:slave\r\nmaster_link_status:up\r\n\
        slave_read_repl_offset:1430\r\nslave_repl_offset:1400\r\n\
        master_replid:00000000000000ff5b0cc1d7a3f8d5e0b4a1c2d3\r\nmaster_repl_offset:1400\r\n";

    fn place(text: &[u8], part: Part) -> (Lag, u64) {
        let ping = placed(Ping::new(Duration::ZERO), text, part);
        (ping.lag, ping.history)
    }

    #[test]
    fn each_part_has_its_own_field() {
        assert_eq!(place(LEADER, Part::Leader), (Lag::Position(1414), 255));
        assert_eq!(place(REPLICA, Part::Replica), (Lag::Position(1400), 255));
    }

    #[test]
    fn whoever_follows_nobody_cannot_tell() {
        for text in [LEADER, b"", b"role:slave\r\nslave_repl_offset:-1\r\n"] {
            assert_eq!(place(text, Part::Replica), (Lag::Unknown, 0));
        }
        assert_eq!(place(b"", Part::Leader), (Lag::Unknown, 0));
    }
}
