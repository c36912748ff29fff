//! The few words of Redis' protocol that it takes to ask who answers.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{self, BufRead as _, BufReader, Read, Write},
};

/// Asks for the process that answers.
pub(crate) fn process_id(stream: impl Read + Write, password: Option<&str>) -> io::Result<u32> {
    let server = info(stream, password, "server")?;
    let id =
        server.get("process_id").ok_or_else(|| io::Error::other("the server does not tell its process"))?;
    id.parse().map_err(io::Error::other)
}

/// Asks whether the server is a replica without its leader's data.
pub(crate) fn waits_for_leader(stream: impl Read + Write) -> io::Result<bool> {
    let replication = info(stream, None, "replication")?;
    // A leader says nothing of it.
    Ok(replication.get("master_link_status").is_some_and(|status| status != "up"))
}

/// Says the password if there is one, says PING, and asks for a section of what the server knows
/// of itself.
fn info(
    mut stream: impl Read + Write,
    password: Option<&str>,
    section: &str,
) -> io::Result<HashMap<String, String>> {
    let mut words = String::new();
    let mut answers = Vec::new();
    if let Some(password) = password {
        words = format!("AUTH {password}\r\n");
        answers.push("+OK");
    }
    write!(words, "PING\r\nINFO {section}\r\n").map_err(io::Error::other)?;
    answers.push("+PONG");
    stream.write_all(words.as_bytes())?;

    let mut lines = BufReader::new(stream).lines();
    for answer in answers {
        if lines.next().transpose()?.as_deref() != Some(answer) {
            return Err(io::Error::other(format!("the server does not say {answer}")));
        }
    }
    let mut fields = HashMap::new();
    for line in lines {
        let line = line?;
        // The last field ends its line, and then the answer ends with a line end of its own.
        if line.is_empty() {
            return Ok(fields);
        }
        if let Some((name, value)) = line.split_once(':') {
            fields.insert(name.to_owned(), value.to_owned());
        }
    }
    Err(io::Error::other(format!("the server does not tell all of its {section}")))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Write};

    use super::{process_id, waits_for_leader};

    /// A server whose answers are known beforehand.
    struct Scripted<'a> {
        heard: &'a mut Vec<u8>,
        answers: Cursor<&'a str>,
    }

    impl Read for Scripted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.answers.read(buffer)
        }
    }

    impl Write for Scripted<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn heard<T>(answers: &str, ask: impl FnOnce(Scripted<'_>) -> T) -> (T, String) {
        let mut heard = Vec::new();
        let answered = ask(Scripted { heard: &mut heard, answers: Cursor::new(answers) });
        (answered, String::from_utf8(heard).expect("it is text"))
    }

    fn ask(password: Option<&str>, answers: &str) -> (io::Result<u32>, String) {
        heard(answers, |scripted| process_id(scripted, password))
    }

    const INFO: &str = "$37\r\n# Server\r\nprocess_id:4711\r\nrun_id:0\r\n\r\n";

    #[test]
    fn the_process_is_told() {
        let (answered, heard) = ask(None, &format!("+PONG\r\n{INFO}"));
        assert_eq!(answered.expect("it is told"), 4711);
        assert_eq!(heard, "PING\r\nINFO server\r\n");
    }

    #[test]
    fn the_password_comes_first() {
        let (answered, heard) = ask(Some("secret"), &format!("+OK\r\n+PONG\r\n{INFO}"));
        assert_eq!(answered.expect("it is told"), 4711);
        assert_eq!(heard, "AUTH secret\r\nPING\r\nINFO server\r\n");
    }

    #[test]
    fn another_server_is_not_taken_for_one() {
        for answers in
            ["", "+PONG\r\n", "-NOAUTH Authentication required.\r\n", "HTTP/1.1 400 Bad Request\r\n"]
        {
            assert!(ask(None, answers).0.is_err(), "{answers:?}");
        }
        assert!(ask(Some("secret"), &format!("-WRONGPASS\r\n+PONG\r\n{INFO}")).0.is_err());
    }

    #[test]
    fn a_replica_says_whether_it_waits() {
        let of = |fields: &str| {
            let answers = format!("+PONG\r\n${}\r\n# Replication\r\n{fields}\r\n", fields.len() + 15);
            let (waits, heard) = heard(&answers, |scripted| waits_for_leader(scripted));
            assert_eq!(heard, "PING\r\nINFO replication\r\n");
            waits.expect("it is told")
        };
        assert!(!of("role:master\r\nconnected_slaves:0\r\n"));
        assert!(!of("role:slave\r\nmaster_link_status:up\r\n"));
        assert!(of("role:slave\r\nmaster_link_status:down\r\n"));
    }
}
