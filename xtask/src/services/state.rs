//! What has to be known of a running server to find it again.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{process, site::Site};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) pid: u32,
    #[serde(flatten)]
    pub(crate) site: Site,
    /// When the process began: another one can have its id by now.
    pub(crate) born: String,
}

const FILE: &str = "state.json";

impl State {
    /// Reads the states of a service's servers, in the order in which they were started; there are
    /// none if it was never started or has been stopped.
    pub(crate) fn load(directory: &Path) -> Result<Vec<Self>> {
        let file = directory.join(FILE);
        match fs::read_to_string(&file) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| format!("cannot understand {}", file.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    pub(crate) fn save(servers: &[Self], directory: &Path) -> Result<()> {
        let file = directory.join(FILE);
        // Renamed into place, so that nobody reads half of it.
        let unfinished = directory.join("state.json.new");
        fs::write(&unfinished, serde_json::to_vec_pretty(servers)?)
            .and_then(|()| fs::rename(&unfinished, &file))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// Whether the very process that was started still runs.
    pub(crate) fn runs(&self) -> bool {
        process::birth(self.pid).as_deref() == Some(self.born.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::State;
    use crate::services::{process, site::Site};

    #[test]
    fn is_found_again_and_knows_its_process() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(State::load(directory.path()).expect("no file yet"), []);

        let pid = std::process::id();
        let mut state = State {
            pid,
            site: Site { port: Some(1), data: directory.path().to_owned() },
            born: process::birth(pid).expect("this process runs"),
        };
        State::save(&[state.clone(), state.clone()], directory.path()).expect("it is written");
        assert_eq!(State::load(directory.path()).expect("it is read"), [state.clone(), state.clone()]);
        assert!(state.runs());

        state.born.push('0');
        assert!(!state.runs());
    }

    #[test]
    fn a_server_without_a_port_is_found_by_its_directory() {
        let of = |port| Site { port, data: "/data".into() };
        for site in [of(None), of(Some(6379))] {
            let state = State { pid: 1, site, born: String::new() };
            let text = serde_json::to_string(&state).expect("it is written");
            assert_eq!(serde_json::from_str::<State>(&text).expect("it is read"), state);
        }
        assert_eq!(of(Some(6379)).to_string(), "127.0.0.1:6379");
        assert_eq!(of(None).to_string(), "/data");
    }

    #[test]
    fn the_state_is_one_flat_object() {
        let text = r#"{ "pid": 1, "port": 6379, "data": "/data", "born": "then" }"#;
        let state: State = serde_json::from_str(text).expect("it is read");
        assert_eq!(state.site.port, Some(6379));
        assert_eq!(state.site.data, Path::new("/data"));
    }
}
