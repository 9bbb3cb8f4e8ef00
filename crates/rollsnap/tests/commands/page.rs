//! The status page as a browser shows it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rollsnap::http::page::{PAGE, POLICY};
use rollsnap_engine::standing::Standing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

use crate::program::{LIMIT, Program};
use crate::running::field;
use crate::standings;
use crate::world::{a_verified_snapshot_stands, etcd_and_dir, snapshots};

/// Answers as the daemon does, with a state that does not change.
async fn serve(status: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            tokio::spawn(answer(caller, status.clone()));
        }
    });
    url
}

async fn answer(mut caller: TcpStream, status: String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match caller.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    let (code, kind, body) = match path {
        "/" => ("200 OK", "text/html; charset=utf-8", PAGE),
        "/api/v1/status" => ("200 OK", "application/json", status.as_str()),
        other => panic!("the page asks for {other}"),
    };
    let policy = &*POLICY;
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {code}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Content-Security-Policy: {policy}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = caller.write_all(answer.as_bytes()).await;
}

/// What the browser prints. It complains of nothing.
async fn browse(words: &[&str], url: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut browser = Command::new("chromium");
    browser
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=3000", "--no-first-run"])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .args(words)
        .arg(url)
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = timeout(LIMIT, browser.output()).await;
    let done = done.expect("the browser ends").expect("chromium is there");
    let said = String::from_utf8_lossy(&done.stderr);
    for complaint in ["Content Security Policy", "CONSOLE", "Uncaught"] {
        assert!(!said.contains(complaint), "{said}");
    }
    String::from_utf8_lossy(&done.stdout).into_owned()
}

async fn url(standing: &Standing) -> String {
    serve(serde_json::to_string(standing).unwrap()).await
}

/// The page as it stands once it has asked, without its script and style.
async fn shown(standing: &Standing) -> String {
    let page = browse(&["--dump-dom"], &url(standing).await).await;
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (body, _) = rest.split_once("<script>").unwrap();
    format!("{before}{body}")
}

#[tokio::test]
async fn without_a_snapshot_the_page_says_so_with_the_cure() {
    let page = shown(&standings::none()).await;
    for text in [
        "Nothing can be restored: there is no snapshot.",
        "class=\"card failed\"",
        "<title>✗ nothing to restore · rollsnap</title>",
        "Cure: rollsnap save takes one now",
        "in 40 minutes",
        "81.0 GiB free",
    ] {
        assert!(page.contains(text), "{text:?} is not in {page}");
    }
    assert!(page.contains("id=\"timeline\" aria-labelledby=\"timeline-title\" hidden"));
}

#[tokio::test]
async fn one_snapshot_is_told_in_words_drawn_and_listed() {
    let page = shown(&standings::one()).await;
    for text in [
        "The cluster can be restored now, to 20 minutes ago, in about 14 seconds.",
        "no drill has measured it",
        "class=\"card weak\"",
        "aria-label=\"1 snapshot in 20 minutes: 1 proved, 0 not proved, 0 broken.\"",
        "20 minutes ago<small>2026-05-20T12:00:00Z_etcd</small>",
        "1.2 GiB",
        "8.4 s",
        "<td>both</td>",
        "stays: ",
        "Cure: rollsnap drill rehearses one now",
    ] {
        assert!(page.contains(text), "{text:?} is not in {page}");
    }
    assert_eq!(page.matches("<rect class=\"proved\" x=").count(), 1);
}

#[tokio::test]
async fn of_a_thousand_all_are_drawn_and_the_newest_listed() {
    let page = shown(&standings::thousand()).await;
    for text in [
        "class=\"card held\"",
        "aria-label=\"1000 snapshots in 43 days: 1000 proved, 0 not proved, 0 broken.\"",
        "The newest 20 of 1000.",
        "Show all 1000",
        "997 stay",
        "3 go with the next",
    ] {
        assert!(page.contains(text), "{text:?} is not in {page}");
    }
    assert_eq!(page.matches("<tr class=").count(), 20);
    // Two days of an outage are a gap.
    let bars = page.matches("<rect class=\"proved\" x=").count();
    assert!((70..80).contains(&bars), "{bars}");
    assert!(
        page.contains("id=\"findings\" class=\"card\" aria-labelledby=\"findings-title\" hidden")
    );
}

#[tokio::test]
async fn failures_are_shown_with_their_cures_and_nothing_of_them_is_run() {
    let standing = standings::failures();
    let page = shown(&standing).await;
    for finding in &standing.findings {
        let escaped = |text: &str| text.replace('<', "&lt;").replace('>', "&gt;");
        for text in [&finding.text, &finding.cure] {
            assert!(page.contains(&escaped(text)), "{text:?} is not in {page}");
        }
    }
    assert!(!page.contains("<script>alert"));
    for text in [
        "class=\"broken\"",
        "class=\"unproved\"",
        "corrupt",
        "foreign",
    ] {
        assert!(page.contains(text), "{text:?} is not in {page}");
    }
}

/// The head of an answer and its body.
async fn get(url: &str, path: &str) -> (String, String) {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let mut there = TcpStream::connect(host).await.unwrap();
    let asked = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    there.write_all(asked.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = timeout(LIMIT, there.read_to_string(&mut answer)).await;
    reading.expect("it answers").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn the_daemon_shows_what_it_took_and_lets_the_browser_do_nothing_else() {
    let (etcd, dir) = etcd_and_dir().await;
    etcd.put("a", "b").await;
    let daemon = Program::new(["run", "--http", "127.0.0.1:0"]).etcd(&etcd);
    let mut daemon = daemon.dir(dir.path()).start();
    let line = daemon.line("Answering over HTTP").await;
    let url = field(&line, "location").to_owned();
    let name = loop {
        let names = snapshots(dir.path()).into_iter();
        match names.rev().find(|name| !name.starts_with('.')) {
            Some(name) => break name,
            None => tokio::task::yield_now().await,
        }
    };
    a_verified_snapshot_stands(dir.path(), &name).await;
    let (head, status) = get(&url, "/api/v1/status").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["headline"]["snapshot"], *name);
    assert_eq!(status["snapshots"][0]["fate"], "keep");

    let (head, body) = get(&url, "/").await;
    assert_eq!(body, PAGE);
    assert!(head.contains(&*POLICY), "{head}");
    for demand in [
        "default-src 'none'",
        "script-src 'sha256-",
        "frame-ancestors 'none'",
    ] {
        assert!(POLICY.contains(demand), "{}", *POLICY);
    }
    assert!(!POLICY.contains("unsafe"));
    let page = browse(&["--dump-dom"], &url).await;
    assert!(
        page.contains("The cluster can be restored now, to "),
        "{page}"
    );
    assert!(page.contains(&format!("<small>{name}</small>")), "{page}");
    let end = daemon.stop().await;
    assert_eq!(end.code, Some(0));
}

/// Light, dark, and on a phone. For people to look at, below `target/tmp/page`; one of them is the
/// README's.
#[tokio::test]
async fn it_is_drawn_light_dark_and_on_a_phone() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&dir).unwrap();
    let failures = url(&standings::failures()).await;
    let day = url(&standings::day()).await;
    let mut pictures = Vec::new();
    for (name, url, scheme, size) in [
        ("failures-light", &failures, 1, "1100,1400"),
        ("failures-dark", &failures, 0, "1100,1400"),
        ("failures-phone", &failures, 1, "390,1800"),
        ("none-dark", &url(&standings::none()).await, 0, "1100,900"),
        (
            "thousand-dark",
            &url(&standings::thousand()).await,
            0,
            "1100,1400",
        ),
        ("day", &day, 1, "900,860"),
    ] {
        let path: PathBuf = dir.join(format!("{name}.png"));
        let _ = fs::remove_file(&path);
        let words = [
            &*format!("--screenshot={}", path.display()),
            &*format!("--window-size={size}"),
            &*format!("--blink-settings=preferredColorScheme={scheme}"),
        ];
        browse(&words, url).await;
        let picture = fs::read(&path).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000);
        assert!(!pictures.contains(&picture), "{name} looks like another");
        pictures.push(picture);
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
        fs::create_dir_all(&docs).unwrap();
        fs::copy(dir.join("day.png"), docs.join("page.png")).unwrap();
    }
}
