//! The few words of Redis' protocol that it takes to ask who answers.

use std::io::{self, BufRead as _, BufReader, Read, Write};

/// Says the password if there is one, says PING, and asks for the process that has answered.
pub(crate) fn process_id(mut stream: impl Read + Write, password: Option<&str>) -> io::Result<u32> {
    let mut words = String::new();
    let mut answers = Vec::new();
    if let Some(password) = password {
        words = format!("AUTH {password}\r\n");
        answers.push("+OK");
    }
    words.push_str("PING\r\nINFO server\r\n");
    answers.push("+PONG");
    stream.write_all(words.as_bytes())?;

    let mut lines = BufReader::new(stream).lines();
    for answer in answers {
        if lines.next().transpose()?.as_deref() != Some(answer) {
            return Err(io::Error::other(format!("the server does not say {answer}")));
        }
    }
    for line in lines {
        if let Some(id) = line?.strip_prefix("process_id:") {
            return id.trim().parse().map_err(io::Error::other);
        }
    }
    Err(io::Error::other("the server does not tell its process"))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Write};

    use super::process_id;

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

    fn ask(password: Option<&str>, answers: &str) -> (io::Result<u32>, String) {
        let mut heard = Vec::new();
        let scripted = Scripted { heard: &mut heard, answers: Cursor::new(answers) };
        let answered = process_id(scripted, password);
        (answered, String::from_utf8(heard).expect("it is text"))
    }

    const INFO: &str = "$40\r\n# Server\r\nprocess_id:4711\r\nrun_id:0\r\n\r\n";

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
}
