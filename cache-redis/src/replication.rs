//! Where a server is in the writes of its leader, as `INFO replication` tells.

use cache_core::Lag;

use crate::settings::Part;

/// The position that the text tells, for a server that is configured as this.
///
/// A replica whose server says that it is none follows nobody: what it counts
/// are writes of its own.
pub(crate) fn position(text: &[u8], part: Part) -> Lag {
    let text = String::from_utf8_lossy(text);
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(field, _)| *field == name).map(|(_, value)| value.trim().to_owned())
    };
    let name = match (part, field("role").as_deref()) {
        (Part::Replica, Some("slave")) => "slave_repl_offset",
        (Part::Leader, _) => "master_repl_offset",
        _ => return Lag::Unknown,
    };
    field(name).and_then(|offset| offset.parse().ok()).map_or(Lag::Unknown, Lag::Position)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: &[u8] =
        b"# Replication\r\nrole:master\r\nconnected_slaves:2\r\nmaster_replid:8f\r\nmaster_repl_offset:1414\r\n";
    const REPLICA: &[u8] = b"# Replication\r\nrole:slave\r\nmaster_link_status:up\r\n\
        slave_read_repl_offset:1430\r\nslave_repl_offset:1400\r\nmaster_repl_offset:1400\r\n";

    #[test]
    fn each_part_has_its_own_field() {
        assert_eq!(position(LEADER, Part::Leader), Lag::Position(1414));
        assert_eq!(position(REPLICA, Part::Replica), Lag::Position(1400));
    }

    #[test]
    fn whoever_follows_nobody_cannot_tell() {
        assert_eq!(position(LEADER, Part::Replica), Lag::Unknown);
        assert_eq!(position(b"", Part::Leader), Lag::Unknown);
        assert_eq!(position(b"role:slave\r\nslave_repl_offset:-1\r\n", Part::Replica), Lag::Unknown);
    }
}
