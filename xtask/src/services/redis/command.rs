//! What every kind of Redis is started with.

use std::process::Command;

use crate::services::site::Site;

/// So many that each case of a test program can have one to itself.
const DATABASES: &str = "16384";

/// Makes the command one that stays in the foreground, keeps nothing and listens nowhere.
pub(crate) fn keep_nothing(site: &Site, command: &mut Command) {
    command.args(["--daemonize", "no", "--save", "", "--appendonly", "no", "--port", "0"]);
    command.args(["--databases", DATABASES]);
    command.arg("--dir").arg(&site.data);
}
