//! What surprises people after a restore, said before.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rollsnap_engine::look::{Status, Trailer, cluster_id};
use rollsnap_engine::restore::{Alarms, LogPlace, NewMember, Order};
use serde::Serialize;

use super::source::Source;

/// The newest etcd of which it was seen that it starts on what is written.
const NEWEST: (u64, u64) = (3, 7);

/// How long a port of this very machine may take.
const PORT: Duration = Duration::from_millis(300);

/// Something that surprises people after a restore.
#[derive(Serialize)]
pub(super) struct Note {
    pub(super) about: &'static str,
    pub(super) text: String,
}

pub(super) fn notes(
    source: &Source,
    trailer: Trailer,
    status: &Status,
    order: &Order,
    log: Option<&LogPlace>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |about, text: String| notes.push(Note { about, text });
    let changes = &order.changes;
    let old = source.manifest().map(|manifest| manifest.cluster_id.0);
    if old.unwrap_or_else(|| cluster_id(&status.members)) == changes.cluster.id() {
        let text = "it will have the old cluster's id: a member of that one which is still alive \
                    takes it for its own; another --initial-cluster-token prevents that";
        note("cluster", text.to_owned());
    }
    for why in &source.unseen {
        note(
            "unseen",
            format!("newer ones may be where nobody could look: {why}"),
        );
    }
    if !matches!(trailer, Trailer::Held(_)) {
        let text = "there is no digest that holds: as was said, that is no matter";
        note("digest", text.to_owned());
    }
    if status.leases > 0 && changes.expire_leases {
        let text = format!("{} leases end, and their keys are deleted", status.leases);
        note("leases", text);
    } else if status.leases > 0 {
        let text = format!(
            "{} leases come back with the whole of their time: --expire-leases ends them",
            status.leases
        );
        note("leases", text);
    }
    if status.alarms > 0 {
        let text = match changes.alarms {
            Alarms::Keep => "stay: writes may be refused until they are disarmed",
            Alarms::DropNoSpace => "are left out, if they tell of a full database: --keep-alarms",
            Alarms::Drop => "are left out",
        };
        note("alarms", format!("{} alarms {text}", status.alarms));
    }
    if status.auth_enabled && changes.disable_auth {
        let text = "authentication is switched off: anybody who reaches it may do everything";
        note("auth", text.to_owned());
    } else if status.auth_enabled {
        let text = "users and passwords are those of the snapshot: --disable-auth lets you in \
                    without";
        note("auth", text.to_owned());
    }
    if let Some(text) = unknown(status, &order.me) {
        note("member", text);
    }
    if let Some(url) = order.me.peer_urls.iter().find(|url| is_answered(url)) {
        let text = format!("somebody listens at {url}: while it does, the new member cannot");
        note("port", text);
    }
    let version = source.manifest().map(|manifest| &*manifest.etcd_version);
    if let Some(version) = version.filter(|version| is_newer(version)) {
        let text = format!(
            "it is of etcd {version}, which is newer than this program: restore it with an etcd of \
             that version"
        );
        note("version", text);
    }
    if let Some(log) = log.filter(|log| !log.is_link()) {
        let text = format!(
            "{} becomes a link through the data directory to the log beside it; etcd is told the \
             same --wal-dir as before",
            log.path().display()
        );
        note("log", text);
    }
    notes
}

/// What of this member is not as the snapshot's own members were: mostly a name that was forgotten.
fn unknown(status: &Status, me: &NewMember) -> Option<String> {
    let known = status.members.iter().map(|it| &*it.name);
    let mut known: Vec<&str> = known.filter(|name| !name.is_empty()).collect();
    if known.is_empty() {
        return None;
    }
    known.sort_unstable();
    let Some(then) = status.members.iter().find(|it| it.name == me.name) else {
        return Some(format!(
            "no member of the snapshot's cluster was called {}, only {}",
            me.name,
            known.join(", ")
        ));
    };
    let [then, now] = [&then.peer_urls, &me.peer_urls].map(|urls| {
        let mut urls = urls.clone();
        urls.sort_unstable();
        urls.join(",")
    });
    (then != now).then(|| format!("{} was at {then}, and will be at {now}", me.name))
}

/// Whether somebody answers at a peer URL of this machine. One with a name is not tried: a machine
/// that is being restored may have nobody to ask for its address.
fn is_answered(url: &str) -> bool {
    let authority = url
        .split_once("://")
        .map_or(url, |(_, authority)| authority);
    let address: Result<SocketAddr, _> = match authority.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse(),
        None => authority.parse(),
    };
    address.is_ok_and(|address| TcpStream::connect_timeout(&address, PORT).is_ok())
}

fn is_newer(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) > NEWEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, expected) in [
            ("3.4.23", false),
            ("3.7.1", false),
            ("3.8.0", true),
            ("3.10.0", true),
            ("4.0.0", true),
            ("", false),
            ("unknown", false),
        ] {
            assert_eq!(is_newer(version), expected, "{version}");
        }
    }

    #[test]
    fn a_port_is_answered_while_somebody_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let urls = [
            format!("http://{address}"),
            format!("https://localhost:{}", address.port()),
        ];
        assert!(urls.iter().all(|url| is_answered(url)));
        drop(listener);
        assert!(!urls.iter().any(|url| is_answered(url)));
        assert!(!is_answered("http://nowhere.invalid:2380"));
    }
}
