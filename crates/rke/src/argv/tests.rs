//! The command lines of every release of RKE, and what Go makes of odd ones.

use std::time::Duration;

use super::*;
use crate::Secret;

const CERTIFIED: &str = "--cacert /etc/kubernetes/ssl/kube-ca.pem \
                         --cert /etc/kubernetes/ssl/kube-node.pem \
                         --key /etc/kubernetes/ssl/kube-node-key.pem";

fn args(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn parse_with(line: &str, env: &[(&str, &str)]) -> Result<Call, Refusal> {
    let lookup = |name: &str| {
        let found = env.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    parse(&args(line), &lookup)
}

fn call(line: &str) -> Call {
    parse_with(line, &[]).unwrap_or_else(|refusal| panic!("{line}: {refusal}"))
}

#[track_caller]
fn save_with(line: &str, env: &[(&str, &str)]) -> Save {
    match parse_with(line, env) {
        Ok(Call::Save(save)) => save,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn save(line: &str) -> Save {
    save_with(line, &[])
}

#[track_caller]
fn refused(line: &str) -> String {
    parse_with(line, &[]).unwrap_err().to_string()
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[test]
fn the_sidecar_of_every_release_of_rke_is_understood() {
    let tail = format!("{CERTIFIED} --name etcd-rolling-snapshots --endpoints=10.0.0.1:2379");
    for (form, line) in [
        (
            Form::Rolling,
            format!("rolling-backup {tail} --retention=72h --creation=12h"),
        ),
        (
            Form::Rolling,
            format!("rolling-backup save {tail} --creation=12h --retention=72h"),
        ),
        (
            Form::EtcdBackup,
            format!("etcd-backup save {tail} --creation=12h --retention=72h"),
        ),
    ] {
        let save = save(&line);
        assert_eq!((save.form, save.once), (form, false));
        assert_eq!((save.creation, save.retention), (hours(12), hours(72)));
        assert_eq!(save.etcd.endpoints, "10.0.0.1:2379");
        let paths = &save.etcd.certificates;
        assert!(paths.cacert.ends_with("kube-ca.pem") && paths.key.ends_with("kube-node-key.pem"));
        assert_eq!((save.bucket, save.debug), (None, false));
    }
}

#[test]
fn a_bucket_is_named_by_flags_and_by_variables_alike() {
    let flags = "--s3-backup=true --s3-endpoint=s3.example:9000 --s3-bucketName=b --s3-region= \
                 --s3-folder=f --s3-endpoint-ca=Q0E= \
                 --s3-accessKey=AKIAIOSFODNN7EXAMPLE --s3-secretKey=s3cr3t";
    let by_flags = save(&format!("etcd-backup save {CERTIFIED} {flags}"));
    let by_variables = save_with(
        "etcd-backup save",
        &[
            ("ETCD_CACERT", "/etc/kubernetes/ssl/kube-ca.pem"),
            ("ETCD_CERT", "/etc/kubernetes/ssl/kube-node.pem"),
            ("ETCD_KEY", "/etc/kubernetes/ssl/kube-node-key.pem"),
            ("S3_BACKUP", "1"),
            ("S3_ENDPOINT", "s3.example:9000"),
            ("S3_BUCKET_NAME", "b"),
            ("S3_BUCKET_REGION", ""),
            ("S3_FOLDER", "f"),
            ("S3_ENDPOINT_CA", "Q0E="),
            ("S3_ACCESS_KEY", "AKIAIOSFODNN7EXAMPLE"),
            ("S3_SECRET_KEY", "czNjcjN0"),
        ],
    );
    assert_eq!(by_flags, by_variables);
    let bucket = by_flags.bucket.expect("there is one");
    assert_eq!(bucket.access_key.reveal(), "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(bucket.secret_key.reveal(), "s3cr3t");
    assert_eq!((&*bucket.name, &*bucket.region), ("b", ""));
    assert!(!format!("{bucket:?}").contains("s3cr3t"));
}

#[test]
fn a_flag_wins_over_its_variable_and_an_empty_variable_is_none() {
    let line = format!("etcd-backup save {CERTIFIED} --s3-backup --s3-bucketName=flag");
    let env = [
        ("S3_BUCKET_NAME", "variable"),
        ("S3_FOLDER", ""),
        ("RANCHER_DEBUG", ""),
    ];
    let save = save_with(&line, &env);
    assert!(!save.debug);
    assert_eq!(
        save.bucket.map(|bucket| bucket.name),
        Some("flag".to_owned())
    );
    let off = save_with(
        &format!("{line} --s3-backup=false"),
        &[("S3_BACKUP", "true")],
    );
    assert_eq!(off.bucket, None);
}

#[test]
fn keys_are_taken_as_they_are_meant() {
    let keys = |line: &str, env: &[(&str, &str)]| {
        let line = format!("etcd-backup save {CERTIFIED} --s3-backup {line}");
        let bucket = save_with(&line, env).bucket.expect("there is one");
        bucket.access_key.reveal().to_owned()
    };
    // Valid base64 of fifteen bytes that nobody can type.
    let amazons = "AKIAIOSFODNN7EXAMPLE";
    let encoded = "QUtJQUlPU0ZPRE5ON0VYQU1QTEU=";
    let flag = |key: &str| format!("--s3-accessKey={key}");
    assert_eq!(keys(&flag(amazons), &[]), amazons);
    assert_eq!(keys("", &[("S3_ACCESS_KEY", amazons)]), amazons);
    assert_eq!(keys("", &[("S3_ACCESS_KEY", encoded)]), amazons);
    // A plain key may be base64 of something plain: as a flag it stays, and both can be said.
    assert_eq!(keys(&flag(encoded), &[]), encoded);
    let (raw, base64) = (("ROLLSNAP_KEYS", "raw"), ("ROLLSNAP_KEYS", "base64"));
    assert_eq!(keys("", &[("S3_ACCESS_KEY", encoded), raw]), encoded);
    assert_eq!(keys(&flag(encoded), &[base64]), amazons);
    let line = format!("etcd-backup save {CERTIFIED} --s3-backup --s3-accessKey=canary!");
    let refusal = parse_with(&line, &[base64]).unwrap_err();
    assert!(refusal.to_string().contains("is no base64"));
    assert!(!format!("{refusal:?}").contains("canary!"));
    let wrong = parse_with(&line, &[("ROLLSNAP_KEYS", "plain")]).unwrap_err();
    assert!(wrong.to_string().contains("write raw or base64"));
}

#[test]
fn the_short_lived_containers_are_understood() {
    assert_eq!(
        call("etcd-backup delete --name n --cleanup --s3-backup=false"),
        Call::Delete(Delete {
            name: "n".into(),
            cleanup: true,
            bucket: None
        })
    );
    let Call::ExtractStateFile(extract) =
        call("etcd-backup extractstatefile --name n --creation=12h --retention=72h --once")
    else {
        panic!("that extracts");
    };
    assert_eq!((&*extract.name, extract.bucket), ("n", None));
    let Call::Serve(serve) = call(&format!("etcd-backup serve --name n {CERTIFIED}")) else {
        panic!("that serves");
    };
    assert!(serve.certificates.cert.ends_with("kube-node.pem"));
    let line = format!("etcd-backup download --name n {CERTIFIED} --local-endpoint 10.0.0.2");
    let Call::Download(download) = call(&line) else {
        panic!("that downloads");
    };
    assert!(matches!(download.from, Origin::Node { host, .. } if host == "10.0.0.2"));
    let Call::Download(download) = call(&format!("{line} --s3-backup --s3-bucketName b")) else {
        panic!("that downloads");
    };
    assert!(matches!(download.from, Origin::Bucket(bucket) if bucket.name == "b"));
}

#[test]
fn whether_delete_goes_to_the_bucket_is_said_by_the_flag_alone() {
    let env = [("S3_BACKUP", "true"), ("S3_BUCKET_NAME", "b")];
    for (line, goes) in [("", false), ("--s3-backup", true)] {
        let called = parse_with(&format!("etcd-backup delete --name n {line}"), &env);
        let Ok(Call::Delete(delete)) = called else {
            panic!("{called:?}");
        };
        assert_eq!(delete.bucket.is_some(), goes);
    }
}

#[test]
fn flags_are_read_as_go_reads_them() {
    for (line, once, name) in [
        ("-once -name n", true, "n"),
        ("--once=true --name=n", true, "n"),
        ("-once=F -name=a=b", false, "a=b"),
        ("--once true --name n", true, "n"),
        ("stray --once between --name n behind", true, "n"),
        ("--name -dashed --once", true, "-dashed"),
        ("--name one --name two --once", true, "two"),
        ("--once -- --name unread", true, ""),
        ("- --once --name n", true, "n"),
    ] {
        let save = save(&format!("rolling-backup {CERTIFIED} {line}"));
        assert_eq!((save.once, &*save.name), (once, name), "{line}");
    }
}

#[test]
fn defaults_are_the_old_programs() {
    let save = save(&format!("etcd-backup save {CERTIFIED}"));
    assert_eq!(
        (save.creation, save.retention),
        (Duration::from_secs(300), hours(24))
    );
    assert_eq!((&*save.etcd.endpoints, &*save.name), ("127.0.0.1:2379", ""));
    assert!(!save.once && !save.debug && save.bucket.is_none());
}

#[test]
fn members_between_brackets_are_the_same_members() {
    for (said, meant) in [
        ("[10.0.0.1:2379]", "10.0.0.1:2379"),
        (
            "[10.0.0.1:2379,10.0.0.2:2379]",
            "10.0.0.1:2379,10.0.0.2:2379",
        ),
        ("[https://10.0.0.1:2379]", "https://10.0.0.1:2379"),
        ("[[fd00::1]:2379]", "[fd00::1]:2379"),
        ("[]", "127.0.0.1:2379"),
        // An address of its own.
        ("[fd00::1]:2379", "[fd00::1]:2379"),
        ("[fd00::1]", "[fd00::1]"),
        (
            "[fd00::1]:2379,[fd00::2]:2379",
            "[fd00::1]:2379,[fd00::2]:2379",
        ),
        ("[fd00::1],[fd00::2]", "[fd00::1],[fd00::2]"),
    ] {
        let save = save(&format!("etcd-backup save {CERTIFIED} --endpoints={said}"));
        assert_eq!(save.etcd.endpoints, meant, "{said}");
    }
    // As Go prints a list of two, between the quotes of a shell.
    let mut words = args(&format!("etcd-backup save {CERTIFIED} --endpoints"));
    words.push("[10.0.0.1:2379 10.0.0.2:2379]".into());
    let Ok(Call::Save(save)) = parse(&words, &|_| None) else {
        panic!("a save");
    };
    assert_eq!(save.etcd.endpoints, "10.0.0.1:2379,10.0.0.2:2379");
}

#[test]
fn a_value_that_looks_like_a_flag_is_a_value() {
    for value in ["-h", "--help", "--once", "-"] {
        let save = save(&format!("etcd-backup save {CERTIFIED} --name {value}"));
        assert_eq!((&*save.name, save.once), (value, false));
    }
    let asked = parse_with("etcd-backup save --name x -h", &[]);
    assert!(matches!(asked, Err(Refusal::Help(_))), "{asked:?}");
    let asked = parse_with("etcd-backup save --once -h", &[]);
    assert!(matches!(asked, Err(Refusal::Help(_))), "{asked:?}");
    assert_eq!(
        refused("etcd-backup delete --name"),
        "flag needs an argument: -name"
    );
}

#[test]
fn tries_are_taken_and_left_alone() {
    let line = format!("etcd-backup save {CERTIFIED} --backup-retries=4 --s3-retries 3");
    assert_eq!(save(&line), save(&format!("etcd-backup save {CERTIFIED}")));
}

#[test]
fn what_a_subcommand_does_not_take_is_refused_as_go_refuses_it() {
    for (line, sentence) in [
        (
            "etcd-backup save --nmae n",
            "flag provided but not defined: -nmae",
        ),
        (
            "etcd-backup download --name n --creation=1h",
            "flag provided but not defined: -creation",
        ),
        (
            "etcd-backup serve --endpoints e",
            "flag provided but not defined: -endpoints",
        ),
        ("etcd-backup save --name", "flag needs an argument: -name"),
        ("etcd-backup save ---name n", "bad flag syntax: ---name"),
        ("etcd-backup save -=n", "bad flag syntax: -=n"),
        (
            "etcd-backup save --once=yes",
            "invalid boolean value \"yes\" for -once: parse error",
        ),
        (
            "etcd-backup save --creation=5",
            "invalid value \"5\" for flag -creation: parse error",
        ),
        (
            "etcd-backup save --creation=-5m",
            "invalid value \"-5m\" for flag -creation: parse error",
        ),
        (
            "etcd-backup save --s3-retries=x",
            "invalid value \"x\" for flag -s3-retries: parse error",
        ),
        ("etcd-backup delete", "no snapshot is named: give --name"),
        (
            "etcd-backup delete --name=",
            "no snapshot is named: give --name",
        ),
        ("etcd-backup upload", "No help topic for 'upload'"),
        (
            "--debug etcd-backup save",
            "--debug comes before the command: write it behind",
        ),
        (
            "etcd-backup download --name n",
            "nothing to download from: give --local-endpoint or --s3-backup",
        ),
    ] {
        assert_eq!(refused(line), sentence);
    }
    let wrong = parse_with("etcd-backup serve --name n", &[("RANCHER_DEBUG", "x")]).unwrap_err();
    assert!(
        matches!(wrong, Refusal::NoCertificates { .. }),
        "serve has no --debug: {wrong:?}"
    );
    let wrong = parse_with("etcd-backup save", &[("RANCHER_DEBUG", "x")]).unwrap_err();
    let sentence = "invalid boolean value \"x\" for -debug: parse error (from $RANCHER_DEBUG)";
    assert_eq!(wrong.to_string(), sentence);
}

#[test]
fn a_missing_certificate_and_a_period_of_nothing_have_their_own_sentences() {
    let refusal = parse_with("etcd-backup save --cert c --key k", &[]).unwrap_err();
    let said = Refusal::NoCertificates {
        cacert: String::new(),
        cert: "c".into(),
        key: "k".into(),
    };
    assert_eq!(refusal, said);
    assert_eq!(refusal.to_string(), "Failed to find etcd cert or key paths");
    for line in ["--creation=0h", "--retention=0s", "--creation=0"] {
        let refusal = parse_with(&format!("etcd-backup save {CERTIFIED} {line}"), &[]).unwrap_err();
        assert!(matches!(refusal, Refusal::NoPeriod { .. }), "{line}");
        assert_eq!(
            refusal.to_string(),
            "Creation period and/or retention are not set"
        );
    }
}

#[test]
fn help_is_shown_to_whoever_asks_and_to_whoever_says_nothing() {
    for line in [
        "",
        "etcd-backup",
        "help",
        "--help",
        "etcd-backup help",
        "etcd-backup save -h",
    ] {
        let refusal = parse_with(line, &[]).unwrap_err();
        let Refusal::Help(text) = &refusal else {
            panic!("{line}: {refusal:?}");
        };
        assert!(
            text.contains("rke-etcd-backup etcd-backup save [flags]"),
            "{text}"
        );
    }
    let Err(Refusal::Words { usage, .. }) = parse_with("etcd-backup delete --x", &[]) else {
        panic!("there is no such flag");
    };
    assert!(
        usage.contains("--cleanup") && !usage.contains("S3_BACKUP]"),
        "{usage}"
    );
}

#[test]
fn keys_leave_the_command_line_and_come_back() {
    let line = "etcd-backup save --name --s3-secretKey -s3-secretKey canary stray --s3-accessKey=a=b \
                --once -- --s3-secretKey unread";
    let hidden = hide_keys(&args(line));
    let left = "etcd-backup save --name --s3-secretKey stray --once -- --s3-secretKey unread";
    assert_eq!(hidden.args, args(left));
    let keys = [
        ("s3-secretKey", Secret::new("canary")),
        ("s3-accessKey", Secret::new("a=b")),
    ];
    assert_eq!(hidden.keys, keys);
    assert!(!format!("{hidden:?}").contains("canary"));
    let again = hide_keys(&hidden.revealed());
    assert_eq!(again, hidden);
    // What is refused stays as it is, and so does what is not ours.
    for line in [
        "etcd-backup save --s3-secretKey",
        "etcd-backup serve --s3-secretKey x",
        "save",
    ] {
        assert_eq!(
            hide_keys(&args(line)),
            Hidden {
                args: args(line),
                keys: vec![]
            }
        );
    }
}

#[test]
fn the_old_program_is_meant_by_its_first_word() {
    assert!(is_called(&args("rolling-backup")) && is_called(&args("etcd-backup x")));
    assert!(!is_called(&args("save etcd-backup")) && !is_called(&[]));
}

proptest::proptest! {
    #[test]
    fn no_words_panic(words in proptest::collection::vec("[-=a-z0-9 ]{0,12}", 0..6)) {
        let words: Vec<OsString> = ["etcd-backup", "save"]
            .into_iter()
            .map(OsString::from)
            .chain(words.into_iter().map(OsString::from))
            .collect();
        let _ = parse(&words, &|_| None);
        let _ = hide_keys(&words);
    }
}

/// The rows of the page's table of flags: the words in backquotes of the first cell, and which
/// subcommands have something to say.
fn documented() -> Vec<(Vec<String>, Vec<Subcommand>)> {
    use Subcommand::{Delete, Download, Extract, Rolling, Save, Serve};
    const COLUMNS: [Subcommand; 6] = [Rolling, Save, Download, Extract, Serve, Delete];
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/coming-from-rke.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let heading =
        "| | `rolling-backup` | `save` | `download` | `extractstatefile` | `serve` | `delete` |";
    let (_, table) = page.split_once(heading).expect("the table of flags");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows = rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 1 + COLUMNS.len(), "{line}");
        let words = cells[0].split('`').skip(1).step_by(2).map(str::to_owned);
        let on = COLUMNS.into_iter().zip(&cells[1..]);
        let on = on.filter(|(_, cell)| !cell.is_empty());
        (
            words.collect(),
            on.map(|(subcommand, _)| subcommand).collect(),
        )
    });
    rows.collect()
}

#[test]
fn the_page_has_every_flag_with_its_variable_and_subcommands() {
    let mut told = Vec::new();
    for (words, on) in documented() {
        for word in words {
            match word.strip_prefix("--") {
                Some(flag) => told.push((flag.to_owned(), None, on.clone())),
                None => told.last_mut().expect("a flag before its variable").1 = Some(word),
            }
        }
    }
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let mut known: Vec<_> = flags::FLAGS
        .iter()
        .map(|flag| {
            let env = flag.env.map(str::to_owned);
            (flag.name.to_owned(), env, flag.on.to_vec())
        })
        .collect();
    known.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(told, known);
}
