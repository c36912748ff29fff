//! What a server is sent, as the server itself tells it.

use cache_core::Settings;

use crate::resp::{Answer, Client, database_of};

/// Listens at one database of a server.
pub(crate) struct Monitor {
    feed: Client,
    marker: Client,
    marks: u64,
    database: i64,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The address of the connection that it came by.
    pub(crate) client: String,
    pub(crate) words: Vec<String>,
}

impl Monitor {
    /// Of the database of these settings.
    pub(crate) async fn of(settings: &Settings) -> Self {
        let (marker, mut feed) = (Client::of(settings).await, Client::of(settings).await);
        assert_eq!(feed.ask("MONITOR").await, Answer::Status("OK".to_owned()));
        Self { feed, marker, marks: 0, database: database_of(settings) }
    }

    /// What has been sent since it was asked last. What scripts call is no
    /// command of anybody's.
    pub(crate) async fn sent(&mut self) -> Vec<Sent> {
        self.marks += 1;
        let mark = format!("mark-{}", self.marks);
        self.marker.ask(&format!("ECHO {mark}")).await;
        let mut sent = Vec::new();
        loop {
            let line = self.feed.line().await;
            let Some((database, command)) = parsed(&line) else { panic!("MONITOR says {line:?}") };
            if database != self.database || command.client == "lua" {
                continue;
            }
            if command.words == ["ECHO", &mark] {
                return sent;
            }
            sent.push(command);
        }
    }
}

/// `+1339518083.107412 [0 127.0.0.1:60866] "SET" "key" "value"`: what is not
/// printable is written with backslashes, and left as it is.
fn parsed(line: &str) -> Option<(i64, Sent)> {
    let (origin, words) = line.split_once('[')?.1.split_once("] ")?;
    let (database, client) = origin.split_once(' ')?;
    let (mut parts, mut word, mut is_escaped, mut is_inside) = (Vec::new(), String::new(), false, false);
    for character in words.chars() {
        match character {
            '"' if !is_escaped => {
                if is_inside {
                    parts.push(std::mem::take(&mut word));
                }
                is_inside = !is_inside;
            }
            character if is_inside => {
                word.push(character);
                is_escaped = character == '\\' && !is_escaped;
            }
            _ => {}
        }
    }
    Some((database.parse().ok()?, Sent { client: client.to_owned(), words: parts }))
}
