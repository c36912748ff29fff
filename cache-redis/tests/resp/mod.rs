//! Another program at the same server: it speaks the protocol by itself, so
//! that no driver stands between a test and what is stored.
#![allow(dead_code, reason = "each test program uses a part of it")]

use cache_core::Settings;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use url::Url;

/// A connection of that program.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Status(String),
    Error(String),
    Integer(i64),
    Value(Vec<u8>),
    Nil,
    Array(Vec<Answer>),
}

impl Client {
    /// Connected to this server, `host:port`, and its first database.
    pub(crate) async fn at(server: &str) -> Self {
        let stream = TcpStream::connect(server).await.expect("the server is there");
        stream.set_nodelay(true).expect("it is a TCP connection");
        Self { stream: BufReader::new(stream) }
    }

    /// Connected to the server and the database of these settings.
    pub(crate) async fn of(settings: &Settings) -> Self {
        let mut client = Self::at(&server_of(settings)).await;
        let selected = client.ask(&format!("SELECT {}", database_of(settings))).await;
        assert_eq!(selected, Answer::Status("OK".to_owned()));
        client
    }

    /// As [`of`](Self::of), and the database is emptied: the server may have
    /// outlived an earlier run.
    pub(crate) async fn alone_with(settings: &Settings) -> Self {
        let mut client = Self::of(settings).await;
        assert_eq!(client.ask("FLUSHDB").await, Answer::Status("OK".to_owned()));
        client
    }

    /// Sends a command of words without blanks.
    pub(crate) async fn ask(&mut self, command: &str) -> Answer {
        let words: Vec<_> = command.split(' ').map(str::as_bytes).collect();
        self.call(&words).await
    }

    /// Writes the bytes under the key, as they are.
    pub(crate) async fn set(&mut self, key: &str, value: &[u8]) {
        let answer = self.call(&[b"SET", key.as_bytes(), value]).await;
        assert_eq!(answer, Answer::Status("OK".to_owned()));
    }

    /// The bytes under the key.
    pub(crate) async fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        match self.call(&[b"GET", key.as_bytes()]).await {
            Answer::Value(value) => Some(value),
            Answer::Nil => None,
            other => panic!("GET is answered by {other:?}"),
        }
    }

    /// What lies under the key: `string`, `list`, and so on.
    pub(crate) async fn kind_of(&mut self, key: &str) -> String {
        match self.ask(&format!("TYPE {key}")).await {
            Answer::Status(kind) => kind,
            other => panic!("TYPE is answered by {other:?}"),
        }
    }

    /// How many clients of this name are connected.
    pub(crate) async fn connections_of(&mut self, client_name: &str) -> usize {
        let Answer::Value(list) = self.ask("CLIENT LIST").await else { panic!("it is a text") };
        let list = String::from_utf8(list).expect("it is a text");
        let name = format!("name={client_name}");
        list.lines().filter(|line| line.split(' ').any(|field| field == name)).count()
    }

    pub(crate) async fn call(&mut self, command: &[&[u8]]) -> Answer {
        self.send(command).await;
        self.answer().await
    }

    async fn send(&mut self, command: &[&[u8]]) {
        let mut request = format!("*{}\r\n", command.len()).into_bytes();
        for word in command {
            request.extend(format!("${}\r\n", word.len()).into_bytes());
            request.extend_from_slice(word);
            request.extend(b"\r\n");
        }
        self.stream.write_all(&request).await.expect("the server reads");
    }

    async fn answer(&mut self) -> Answer {
        let line = self.line().await;
        let (kind, rest) = line.split_at(1);
        let number = || rest.parse::<i64>().expect("it is a number");
        match kind {
            "+" => Answer::Status(rest.to_owned()),
            "-" => Answer::Error(rest.to_owned()),
            ":" => Answer::Integer(number()),
            "$" => match usize::try_from(number()) {
                Ok(length) => Answer::Value(self.bytes(length).await),
                Err(_) => Answer::Nil,
            },
            "*" => match usize::try_from(number()) {
                Ok(length) => {
                    let mut items = Vec::new();
                    for _ in 0..length {
                        items.push(Box::pin(self.answer()).await);
                    }
                    Answer::Array(items)
                }
                Err(_) => Answer::Nil,
            },
            _ => panic!("the server answers {line:?}"),
        }
    }

    /// The next line, without its end.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).await.expect("the server answers");
        assert_ne!(length, 0, "the server has closed the connection");
        line.trim_end_matches("\r\n").to_owned()
    }

    async fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).await.expect("the server answers");
        bytes.truncate(length);
        bytes
    }
}

/// Where the server is, `host:port`.
pub(crate) fn server_of(settings: &Settings) -> String {
    let location = url_of(settings);
    format!("{}:{}", location.host_str().expect("it names a host"), location.port().unwrap_or(6379))
}

/// The number of the database.
pub(crate) fn database_of(settings: &Settings) -> i64 {
    let location = url_of(settings);
    let (_, number) =
        location.query_pairs().find(|(name, _)| name == "db").expect("it is of `Server::settings`");
    number.parse().expect("it is a number")
}

fn url_of(settings: &Settings) -> Url {
    Url::parse(&settings.location()[0]).expect("it is a URL")
}
