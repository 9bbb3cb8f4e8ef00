//! One request and its answer, over any line: enough of HTTP to ask our own servers.

use std::fmt::Write as _;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The lines of the head behind the status, as they came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

/// Asks, and reads to the end of the line. HTTP/1.0, so that nothing comes in chunks.
///
/// # Panics
/// When the line breaks, or what comes is no answer.
pub async fn ask(
    mut line: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n");
    for (name, value) in headers {
        // Writing to a text cannot fail.
        let _ = write!(request, "{name}: {value}\r\n");
    }
    if !body.is_empty() {
        let _ = write!(request, "Content-Length: {}\r\n", body.len());
    }
    request.push_str("\r\n");
    request.push_str(body);
    // A server may refuse before it has read all.
    let _ = line.write_all(request.as_bytes()).await;
    let mut bytes = Vec::new();
    let _ = line.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).expect("an answer is text");
    parse(&text).unwrap_or_else(|| panic!("{method} {path}: no answer: {text:?}"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (status, head) = head.split_once("\r\n").unwrap_or((head, ""));
    Some(Answer {
        status: status.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
