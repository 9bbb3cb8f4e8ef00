//! The command for each member, to be run where it is.

use rollsnap_engine::look::Trailer;
use rollsnap_engine::restore::{Choice, Order};

use super::source::Source;
use crate::cli::restore::Restore;

/// What to run on each member, with all that must be the same said.
pub(super) fn commands(
    request: &Restore,
    source: &Source,
    trailer: Trailer,
    order: &Order,
) -> Vec<String> {
    let cluster = &order.changes.cluster;
    // A word or a moment may mean another snapshot by then.
    let snapshot = match (&request.snapshot, source.manifest()) {
        (Some(said), _) if Choice::of_word(said).is_none() => said.clone(),
        (_, Some(manifest)) => manifest.name.to_string(),
        (_, None) => source.opened.location.clone(),
    };
    let digest = match trailer {
        Trailer::Held(digest) => Some(digest.to_string()),
        _ => None,
    };
    let bump = order.changes.bump.unwrap_or(0).to_string();
    let mut members: Vec<_> = cluster.members().iter().collect();
    members.sort_by_key(|member| &member.name);
    let all: Vec<String> = members
        .iter()
        .flat_map(|member| {
            let each = |url| format!("{}={url}", member.name);
            member.peer_urls.iter().map(each)
        })
        .collect();
    let all = all.join(",");
    members.sort_by_key(|member| member.name != order.me.name);
    let command = |name: &str| {
        let mut words = vec!["rollsnap", "restore", &snapshot];
        words.extend(["--data-dir", &request.data_dir]);
        if let Some(dir) = &request.wal_dir {
            words.extend(["--wal-dir", dir]);
        }
        if let Some(digest) = &digest {
            words.extend(["--digest", digest]);
        }
        words.extend(["--name", name, "--initial-cluster", &all]);
        words.extend(["--initial-cluster-token", cluster.token()]);
        words.extend(["--bump-revision", &bump]);
        let switches = [
            (request.from_s3, "--from-s3"),
            (request.skip_hash_check, "--skip-hash-check"),
            (request.drop_alarms, "--drop-alarms"),
            (request.keep_alarms, "--keep-alarms"),
            (request.expire_leases, "--expire-leases"),
            (request.disable_auth, "--disable-auth"),
            (request.no_safety, "--no-safety"),
            (request.other_cluster, "--other-cluster"),
        ];
        let said = switches.into_iter().filter(|(said, _)| *said);
        words.extend(said.map(|(_, switch)| switch));
        let words: Vec<String> = words.into_iter().map(for_shell).collect();
        words.join(" ")
    };
    members.iter().map(|member| command(&member.name)).collect()
}

/// A word as a shell reads it back.
fn for_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+=:,./@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::for_shell;

    #[test]
    fn a_word_that_a_shell_would_take_apart_is_quoted() {
        for (word, quoted) in [
            ("/var/lib/etcd", "/var/lib/etcd"),
            (
                "m1=https://h:2380,m2=https://h:1",
                "m1=https://h:2380,m2=https://h:1",
            ),
            ("my dir", "'my dir'"),
            ("it's", "'it'\\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(for_shell(word), quoted);
        }
    }
}
