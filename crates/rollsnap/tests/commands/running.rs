//! A daemon that runs: its log as it comes, its signals, its end.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use crate::program::{LIMIT, assert_no_secret};

/// A running program. It is killed with the value.
pub(crate) struct Running {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    /// Every line that was read so far.
    pub(crate) seen: Vec<String>,
}

/// How it ended, and every line that it logged.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) log: Vec<String>,
}

impl Running {
    pub(crate) fn new(mut child: Child) -> Self {
        let log = child.stderr.take().expect("its log is a pipe");
        Self {
            child,
            log: BufReader::new(log).lines(),
            seen: Vec::new(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The next line.
    pub(crate) async fn next_line(&mut self) -> String {
        let line = timeout(LIMIT, self.log.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing more is logged:\n{}", self.so_far()));
        let line = line.expect("the log is text");
        let line = line.unwrap_or_else(|| panic!("it ended:\n{}", self.so_far()));
        self.see(line.clone());
        line
    }

    /// What it says holds no secret, and once it speaks, neither does the process list.
    fn see(&mut self, line: String) {
        assert_no_secret("log", &line);
        if self.seen.is_empty() {
            let path = format!("/proc/{}/cmdline", self.pid());
            let words = fs::read(path).unwrap_or_default();
            assert_no_secret("command line", &String::from_utf8_lossy(&words));
        }
        self.seen.push(line);
    }

    /// The next line that holds these words.
    pub(crate) async fn line(&mut self, words: &str) -> String {
        let look = async {
            loop {
                let line = self.next_line().await;
                if line.contains(words) {
                    return line;
                }
            }
        };
        let found = timeout(LIMIT, look).await.ok();
        found.unwrap_or_else(|| panic!("{words:?} is not logged:\n{}", self.so_far()))
    }

    /// The next `count` lines that hold these words.
    pub(crate) async fn lines(&mut self, count: usize, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            lines.push(self.line(words).await);
        }
        lines
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id is positive"), signal).expect("signal it");
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) -> End {
        self.signal(Signal::TERM);
        self.end().await
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> End {
        let rest = async {
            while let Ok(Some(line)) = self.log.next_line().await {
                self.see(line);
            }
            self.child.wait().await.expect("it can be waited for")
        };
        let status = timeout(LIMIT, rest).await;
        let status = status.unwrap_or_else(|_| panic!("it does not end:\n{}", self.so_far()));
        End {
            code: status.code(),
            log: self.seen,
        }
    }

    fn so_far(&self) -> String {
        self.seen.join("\n")
    }
}

impl End {
    /// It ended well; how many lines hold these words.
    #[track_caller]
    pub(crate) fn count(&self, words: &str) -> usize {
        assert_eq!(self.code, Some(0), "{}", self.log.join("\n"));
        self.log.iter().filter(|line| line.contains(words)).count()
    }
}

/// The keys and raw values of a line in logfmt, in order.
pub(crate) fn fields(line: &str) -> Vec<(&str, &str)> {
    let mut fields = Vec::new();
    let mut rest = line;
    while let Some((key, value)) = rest.split_once('=') {
        let end = if let Some(quoted) = value.strip_prefix('"') {
            let mut escaped = false;
            let close = quoted.find(|c| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                closes
            });
            close.expect("a quoted value ends") + 2
        } else {
            value.find(' ').unwrap_or(value.len())
        };
        fields.push((key, &value[..end]));
        rest = value[end..].trim_start();
    }
    assert_eq!(rest, "", "{line:?} is no logfmt");
    fields
}

/// The value of a key without its quotes.
#[track_caller]
pub(crate) fn field<'a>(line: &'a str, key: &str) -> &'a str {
    let found = fields(line).into_iter().find(|(name, _)| *name == key);
    let (_, value) = found.unwrap_or_else(|| panic!("{key} is missing in {line}"));
    value.trim_matches('"')
}
