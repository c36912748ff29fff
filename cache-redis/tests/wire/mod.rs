//! A store and what it sends.

use cache_core::{Cache, Settings};

use crate::monitor::{Monitor, Sent};
use crate::opening::Open;
use crate::resp::Client;
use crate::servers::Server;

/// A store on a database of its own, which a monitor listens at.
pub(crate) struct Wire {
    pub(crate) driver: &'static str,
    pub(crate) open: Open,
    pub(crate) cache: Cache,
    pub(crate) other: Client,
    monitor: Monitor,
}

impl Wire {
    pub(crate) async fn of(driver: &'static str) -> Self {
        Self::with(driver, Server::Plain.settings(driver)).await
    }

    /// Its connection is there, so that what is sent is what operations send.
    pub(crate) async fn with(driver: &'static str, settings: Settings) -> Self {
        let other = Client::alone_with(&settings).await;
        let open = Open::with(&settings);
        let cache = open.cache();
        cache.aping().await.expect("the server is there");
        Self { driver, cache, open, other, monitor: Monitor::of(&settings).await }
    }

    /// What has been sent since this was called last.
    pub(crate) async fn sent(&mut self) -> Vec<Sent> {
        self.monitor.sent().await
    }

    /// That since then exactly this has been sent. `<digest>` and `<text>`
    /// stand for those of a script.
    pub(crate) async fn has_sent(&mut self, what: &str, commands: &[&str]) {
        let sent: Vec<_> = self.sent().await.iter().map(Sent::shown).collect();
        assert_eq!(sent, commands, "{}: {what}", self.driver);
    }
}

impl Sent {
    /// Its words in one line.
    pub(crate) fn shown(&self) -> String {
        let mut words = self.words.clone();
        match &*words[0] {
            "EVALSHA" => {
                assert!(words[1].len() == 40 && words[1].bytes().all(|byte| byte.is_ascii_hexdigit()));
                "<digest>".clone_into(&mut words[1]);
            }
            "EVAL" => "<text>".clone_into(&mut words[1]),
            _ => {}
        }
        words.join(" ")
    }
}
