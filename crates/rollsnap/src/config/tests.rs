use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollsnap_engine::Codec;
use rollsnap_engine::manifest::Method;
use rollsnap_engine::name::TimeStyle;
use rollsnap_engine::retention::{PruneForeign, Retention};
use rollsnap_engine::schedule as engine;
use rollsnap_etcd::Password;

use super::options::{Id, RKE_CERTIFICATES};
use super::*;

mod keys;
mod times;
mod writing;

/// A machine made of texts.
#[derive(Default)]
struct Machine {
    flags: Flags,
    environment: Environment,
    files: Texts,
}

#[derive(Default)]
struct Texts(BTreeMap<PathBuf, Vec<u8>>);

impl Files for Texts {
    fn read(&self, path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
        let bytes = self
            .0
            .get(path)
            .ok_or_else(|| io::Error::from_raw_os_error(2))?;
        let end = bytes.len().min(usize::try_from(at_most).unwrap());
        Ok(bytes[..end].to_vec())
    }

    fn is_there(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }
}

impl Machine {
    fn flag(mut self, id: Id, text: &str) -> Self {
        self.flags.set(id, text);
        self
    }

    fn env<const N: usize>(mut self, variables: [(&str, &str); N]) -> Self {
        self.environment = variables.into_iter().collect();
        self
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.0.insert(path.into(), text.into());
        self
    }

    /// A machine whose config file is `c.yml` with this text.
    fn config(text: &str) -> Self {
        Self::default()
            .flag(Id::Config, "c.yml")
            .file("c.yml", text)
    }

    fn rke_node(mut self) -> Self {
        for path in RKE_CERTIFICATES {
            self = self.file(path, "pem");
        }
        self
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            flags: &self.flags,
            environment: &self.environment,
            files: &self.files,
        }
    }

    fn resolve(&self) -> Result<Settings, ConfigError> {
        Settings::resolve_with_etcd(self.inputs())
    }

    fn settings(&self) -> Settings {
        self.resolve().unwrap_or_else(|error| panic!("{error}"))
    }

    fn complaints(&self) -> String {
        match self.resolve() {
            Ok(settings) => panic!("taken: {settings:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// Interval, retention and who said them.
    fn rhythm(&self) -> String {
        let schedule = self.settings().schedule;
        let kept = match schedule.retention.value {
            Retention::Count(count) => count.to_string(),
            Retention::Age { limit, floor } => format!("{}s/{floor}", limit.as_secs()),
            Retention::Tiered { count, tiers } => format!("{count}+{tiers}"),
        };
        let (when, retention) = (schedule.when, schedule.retention.origin);
        let every = match &when.value {
            engine::Schedule::Every(interval) => format!("{}s", interval.as_secs()),
            engine::Schedule::At(timetable) => timetable.to_string(),
        };
        format!("{every} {kept} ({}, {retention})", when.origin)
    }
}

#[test]
fn where_nothing_is_said_the_defaults_are_in_force() {
    let settings = Machine::default().settings();
    assert_eq!(
        settings.dir,
        Sourced {
            value: "/opt/rke/etcd-snapshots".into(),
            origin: Origin::Default,
        }
    );
    assert_eq!(settings.etcd.endpoints.value, ["127.0.0.1:2379"]);
    assert!(!settings.etcd.tls().is_given());
    assert!(settings.etcd.user().is_none());
    assert!(settings.schedule.active.value);
    assert_eq!(Machine::default().rhythm(), "43200s 6 (default, default)");
    assert_eq!(settings.schedule.retention.value, Retention::Count(6));
    assert_eq!(settings.making.codec.value, Codec::None);
    assert_eq!(settings.making.time_style.value, TimeStyle::Rfc3339);
    assert!(settings.making.timeout.is_none());
    assert!(settings.bucket.value.is_none());
    assert_eq!(settings.log.format.value, LogFormat::Logfmt);
    assert!(!settings.log.debug.value);
}

#[test]
fn the_documented_backup_config_is_in_force_as_written() {
    let machine = Machine::config(
        r#"services:
  etcd:
    backup_config:
      interval_hours: 12
      retention: 6
      s3backupconfig:
        access_key: S3_ACCESS_KEY
        secret_key: S3_SECRET_KEY
        bucket_name: s3-bucket-name
        region: ""
        endpoint: s3.amazonaws.com
"#,
    );
    assert_eq!(
        machine.rhythm(),
        "43200s 6 (file c.yml line 4, file c.yml line 5)"
    );
    let bucket = machine.settings().bucket;
    assert_eq!(bucket.origin.to_string(), "file c.yml line 9");
    let bucket = bucket.value.unwrap();
    assert_eq!(keys::told(&bucket), "S3_ACCESS_KEY S3_SECRET_KEY");
    assert_eq!(bucket.name.value, "s3-bucket-name");
    assert_eq!(bucket.endpoint.value, "s3.amazonaws.com");
    assert!(bucket.region.is_none());
}

#[test]
fn the_documented_older_form_is_in_force_as_written() {
    let machine = Machine::config(
        "services:
    etcd:
      snapshot: true
      creation: 5m0s
      retention: 24h
",
    );
    assert_eq!(
        machine.rhythm(),
        "300s 86400s/288 (file c.yml line 4, file c.yml line 5)"
    );
    let schedule = machine.settings().schedule;
    assert_eq!(schedule.active.origin.to_string(), "file c.yml line 3");
    assert_eq!(
        schedule.retention.value.span(schedule.when.value.longest()),
        Duration::from_secs(86_400)
    );
}

#[test]
fn what_is_missing_depends_on_the_form() {
    for (text, rhythm) in [
        ("backup_config: {}", "43200s 6 (default, default)"),
        ("nodes: []", "43200s 6 (default, default)"),
        ("interval_hours: 2", "7200s 6 (file c.yml line 1, default)"),
        (
            "backup_config: {retention: 3}",
            "43200s 3 (default, file c.yml line 1)",
        ),
        (
            "creation: 10m",
            "600s 86400s/144 (file c.yml line 1, default)",
        ),
        (
            "retention: 48h",
            "300s 172800s/576 (default, file c.yml line 1)",
        ),
        ("snapshot: true", "300s 86400s/288 (default, default)"),
    ] {
        assert_eq!(Machine::config(text).rhythm(), rhythm, "{text}");
    }
    let creation = Machine::default().flag(Id::Creation, "10s");
    assert_eq!(
        creation.rhythm(),
        "10s 86400s/8640 (flag --creation, default)"
    );
    let count = Machine::default().flag(Id::Retention, "3");
    assert_eq!(count.rhythm(), "43200s 3 (default, flag --retention)");
}

#[test]
fn the_newer_key_supersedes_the_older_key_by_key() {
    let both = "creation: 5m\nretention: 24h\nbackup_config: {interval_hours: 1, retention: 2}\n";
    assert_eq!(
        Machine::config(both).rhythm(),
        "3600s 2 (file c.yml line 3, file c.yml line 3)"
    );
    let one = "creation: 5m\nretention: 24h\nbackup_config: {interval_hours: 1}\n";
    assert_eq!(
        Machine::config(one).rhythm(),
        "3600s 86400s/24 (file c.yml line 3, file c.yml line 2)"
    );
    let other = "creation: 5m\nretention: 24h\nbackup_config: {retention: 2}\n";
    assert_eq!(
        Machine::config(other).rhythm(),
        "300s 2 (file c.yml line 1, file c.yml line 3)"
    );
}

#[test]
fn where_the_old_programs_snapshots_go_is_said_in_each_layer() {
    let file = "dir: /d\nprune_foreign: everywhere\n";
    let said = |machine: Machine| machine.settings().schedule.prune_foreign;
    let usual = said(Machine::config("dir: /d\n"));
    assert_eq!(usual.value, PruneForeign::Never);
    let in_file = said(Machine::config(file));
    assert_eq!(in_file.value, PruneForeign::Everywhere);
    assert_eq!(in_file.origin.to_string(), "file c.yml line 2");
    let over = Machine::config(file).env([("ROLLSNAP_PRUNE_FOREIGN", "local")]);
    assert_eq!(said(over).value, PruneForeign::Local);
    let over = Machine::config(file).flag(Id::PruneForeign, "never");
    assert_eq!(said(over).value, PruneForeign::Never);
    let text = Machine::config("prune_foreign: all\n").complaints();
    let words = "prune_foreign: is \"all\"; write never, local or everywhere";
    assert!(text.contains(words), "{text}");
}

#[test]
fn a_rate_for_reading_etcd_is_said_in_each_layer_and_off_by_default() {
    let rate = |machine: Machine| {
        let said = machine.settings().making.max_rate;
        said.map(|said| (said.value.get(), said.origin.to_string()))
    };
    assert_eq!(rate(Machine::config("dir: /d\n")), None);
    let file = "dir: /d\nmax_rate: 50MB\n";
    let said = (50_000_000, "file c.yml line 2".to_owned());
    assert_eq!(rate(Machine::config(file)), Some(said));
    let over = Machine::config(file).env([("ROLLSNAP_MAX_RATE", "1MiB")]);
    assert_eq!(rate(over).map(|(rate, _)| rate), Some(1 << 20));
    let over = Machine::config(file).flag(Id::MaxRate, "64KiB");
    assert_eq!(rate(over).map(|(rate, _)| rate), Some(64 << 10));
    let text = Machine::config("max_rate: 1.5\n").complaints();
    assert!(
        text.contains("max_rate: is \"1.5\"; write whole bytes"),
        "{text}"
    );
}

#[test]
fn how_snapshots_are_verified_is_said_in_each_layer_and_has_bounds() {
    let file = "dir: /d\nverify: digest\nverify_nice: 0\ncompare_members: true\n";
    let making = Machine::config(file).settings().making;
    assert_eq!(making.verify.value, Method::Digest);
    assert_eq!(making.verify.origin.to_string(), "file c.yml line 2");
    assert_eq!(making.verify_nice.value, 0);
    assert!(making.compare_members.value);

    let over = Machine::config(file).env([("ROLLSNAP_VERIFY", "deep")]);
    let over = over.flag(Id::VerifyNice, "19").settings().making;
    assert_eq!(over.verify.value, Method::Deep);
    assert_eq!(over.verify_nice.value, 19);

    let usual = Machine::config("dir: /d\n").settings().making;
    assert_eq!(
        (usual.verify.value, usual.verify_nice.value),
        (Method::Deep, 10)
    );
    assert!(!usual.compare_members.value);

    for (file, words) in [
        (
            "verify: full\n",
            "verify: is \"full\"; write digest or deep",
        ),
        ("verify_nice: 20\n", "verify_nice: is 20; write 0 to 19"),
        ("verify_nice: -1\n", "verify_nice: is -1; write 0 to 19"),
        (
            "verify_nice: a\n",
            "verify_nice: is the text \"a\"; write a whole number of 0 to 19, such as 10",
        ),
        (
            "compare_members: 3\n",
            "compare_members: is 3; write true or false",
        ),
    ] {
        let text = Machine::config(file).complaints();
        assert!(text.contains(words), "{text}");
    }
    let text = Machine::config("")
        .flag(Id::VerifyNice, "many")
        .complaints();
    assert!(
        text.contains("is \"many\"; write a whole number, 0 to 19"),
        "{text}"
    );
}

#[test]
fn drills_are_held_where_somebody_says_how_often() {
    let file = "dir: /d\ndrill: 7days\ndrill_boot: /usr/bin/etcd\n";
    let drill = Machine::config(file).settings().drill;
    let every = drill.every.unwrap();
    assert_eq!(every.value, Duration::from_secs(7 * 86_400));
    assert_eq!(every.origin.to_string(), "file c.yml line 2");
    assert_eq!(drill.boot.unwrap().value, Path::new("/usr/bin/etcd"));
    let over = Machine::config(file).env([("ROLLSNAP_DRILL", "24h")]);
    let over = over.flag(Id::DrillBoot, "/opt/etcd").settings().drill;
    assert_eq!(over.every.unwrap().value, Duration::from_secs(86_400));
    assert_eq!(over.boot.unwrap().value, Path::new("/opt/etcd"));
    let usual = Machine::config("dir: /d\n").settings().drill;
    assert!(usual.every.is_none() && usual.boot.is_none());
    let text = Machine::config("drill: often\n").complaints();
    assert!(text.contains("drill: is \"often\""), "{text}");
}

#[test]
fn flags_count_over_the_environment_and_that_over_the_file() {
    let file = "dir: /file\ninterval_hours: 1\nretention: 2\ncompression: zstd\n";
    let machine = Machine::config(file);
    assert_eq!(
        machine.settings().dir.origin.to_string(),
        "file c.yml line 1"
    );
    assert_eq!(machine.settings().making.codec.value, Codec::Zstd);

    let machine = machine.env([
        ("ROLLSNAP_DIR", "/env"),
        ("ROLLSNAP_CREATION", "90s"),
        ("ROLLSNAP_RETENTION", "10m"),
        ("ROLLSNAP_COMPRESSION", ""),
    ]);
    assert_eq!(
        machine.settings().dir,
        Sourced {
            value: "/env".into(),
            origin: Origin::Environment("ROLLSNAP_DIR"),
        }
    );
    assert_eq!(
        machine.rhythm(),
        "90s 600s/6 (environment ROLLSNAP_CREATION, environment ROLLSNAP_RETENTION)",
        "a higher layer's older word supersedes a lower layer's newer one"
    );
    assert_eq!(
        machine.settings().making.codec.value,
        Codec::Zstd,
        "an empty variable says nothing"
    );

    let machine = machine
        .flag(Id::Dir, "/flag")
        .flag(Id::IntervalHours, "3")
        .flag(Id::Retention, "4");
    assert_eq!(machine.settings().dir.value, Path::new("/flag"));
    assert_eq!(
        machine.rhythm(),
        "10800s 4 (flag --interval-hours, flag --retention)"
    );
}

#[test]
fn the_first_variable_that_is_set_counts() {
    let machine = Machine::default().env([
        ("ETCD_ENDPOINTS", "c:1"),
        ("ETCDCTL_ENDPOINTS", "b:1, https://b:2"),
        ("ROLLSNAP_ENDPOINTS", ""),
    ]);
    let endpoints = machine.settings().etcd.endpoints;
    assert_eq!(endpoints.value, ["b:1", "https://b:2"]);
    assert_eq!(endpoints.origin, Origin::Environment("ETCDCTL_ENDPOINTS"));
}

#[test]
fn snapshots_are_off_where_anybody_says_so() {
    for (text, active, line) in [
        ("snapshot: false\nbackup_config: {enabled: true}", false, 1),
        ("snapshot: true\nbackup_config: {enabled: false}", false, 2),
        ("backup_config:\n  enabled: false", false, 2),
        ("snapshot: true\nbackup_config: {enabled: true}", true, 2),
    ] {
        let said = Machine::config(text).settings().schedule.active;
        assert_eq!(said.value, active, "{text}");
        assert_eq!(said.origin.to_string(), format!("file c.yml line {line}"));
    }
    let machine = Machine::config("snapshot: false").flag(Id::Snapshot, "true");
    assert!(machine.settings().schedule.active.value);
}

#[test]
fn an_age_shorter_than_the_interval_is_a_fault() {
    let machine = Machine::config("creation: 2h\nretention: 1h\n");
    assert_eq!(
        machine.complaints(),
        "c.yml:2: retention: is 1h0m0s, shorter than the 2h0m0s between two snapshots \
         (file c.yml line 1); write at least 2h0m0s, or a number of snapshots"
    );
    let machine = Machine::default().flag(Id::Creation, "48h");
    assert_eq!(
        machine.complaints(),
        "--creation: is 48h0m0s, longer than the 24h0m0s that snapshots are kept by default; \
         give a retention of at least 48h0m0s too"
    );
}

#[test]
fn certificates_of_rke_are_used_where_all_are_there_and_nothing_is_said() {
    let settings = Machine::default().rke_node().settings();
    let cacert = settings.etcd.cacert.unwrap();
    assert_eq!(cacert.value, Path::new(RKE_CERTIFICATES[0]));
    assert_eq!(cacert.origin.to_string(), "found in /etc/kubernetes/ssl");
    assert!(settings.etcd.cert.is_some() && settings.etcd.key.is_some());

    let said = Machine::default()
        .rke_node()
        .env([("ETCD_CACERT", "/ca.pem")])
        .settings();
    assert_eq!(said.etcd.cacert.unwrap().value, Path::new("/ca.pem"));
    assert!(said.etcd.cert.is_none());

    let plain = Machine::default()
        .rke_node()
        .flag(Id::Endpoints, "http://127.0.0.1:2379");
    assert!(!plain.settings().etcd.tls().is_given());

    let two = Machine::default()
        .file(RKE_CERTIFICATES[0], "pem")
        .file(RKE_CERTIFICATES[1], "pem");
    assert!(!two.settings().etcd.tls().is_given());
}

#[test]
fn a_login_needs_a_user_and_a_password_from_somewhere() {
    let name = |machine: &Machine| machine.settings().etcd.login.unwrap();
    let inline = name(&Machine::default().env([("ETCDCTL_USER", "root:a:b")]));
    assert_eq!(inline.name.value, "root");
    assert!(matches!(inline.password.value, Password::Given(_)));
    assert_eq!(inline.password.origin, Origin::Environment("ETCDCTL_USER"));

    let split =
        name(&Machine::default().env([("ETCDCTL_USER", "root"), ("ETCDCTL_PASSWORD", "x")]));
    assert_eq!(
        split.password.origin,
        Origin::Environment("ETCDCTL_PASSWORD")
    );

    let machine = Machine::config("user: root\npassword_file: /p\n");
    let Password::File(path) = name(&machine).password.value else {
        panic!("no file")
    };
    assert_eq!(path, Path::new("/p"));

    assert_eq!(
        Machine::default().flag(Id::User, "root").complaints(),
        "--user: has no password; give one with --password-file or the variable ETCDCTL_PASSWORD"
    );
    assert_eq!(
        Machine::default().flag(Id::PasswordFile, "/p").complaints(),
        "--password-file: is a password without a user; name the user with --user"
    );
    assert_eq!(
        Machine::default().flag(Id::User, ":hunter2").complaints(),
        "--user: names no user; write name, or name:password"
    );
    let stray = Machine::default().env([("ETCDCTL_PASSWORD", "x")]);
    assert!(
        stray.settings().etcd.login.is_none(),
        "etcdctl ignores it too"
    );
}

#[test]
fn a_bucket_is_wanted_where_somebody_means_it() {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    let machine = Machine::default().env(keys);
    assert!(
        machine.settings().bucket.value.is_none(),
        "others read these variables too"
    );

    let machine = machine.flag(Id::BucketName, "b").flag(Id::Region, "");
    let bucket = machine.settings().bucket;
    assert_eq!(bucket.origin, Origin::Flag("bucket-name"));
    let bucket = bucket.value.unwrap();
    assert!(bucket.region.is_none() && bucket.endpoint.value.is_empty());

    let machine = machine.flag(Id::S3, "false");
    let bucket = machine.settings().bucket;
    assert!(bucket.value.is_none());
    assert_eq!(bucket.origin, Origin::Flag("s3"));
}

#[test]
fn a_bucket_needs_a_name() {
    let want = |place: &str| {
        format!(
            "{place}: is about a bucket, but none is named; give --bucket-name, \
             ROLLSNAP_BUCKET_NAME, or bucket_name in s3backupconfig"
        )
    };
    assert_eq!(
        Machine::default().flag(Id::S3, "true").complaints(),
        want("--s3")
    );
    assert_eq!(
        Machine::default().flag(Id::Folder, "f").complaints(),
        want("--folder")
    );
    assert_eq!(
        Machine::config("backup_config:\n  s3backupconfig: {}\n").complaints(),
        want("c.yml:2: backup_config.s3backupconfig")
    );
}

#[test]
fn a_complaint_of_the_store_gets_the_place_where_it_was_said() {
    let machine = Machine::config(
        "s3backupconfig:\n  bucket_name: b/c\n  access_key: a b\n  secret_key: s\n",
    )
    .env([("S3_ENDPOINT", "https://h?x=1")])
    .flag(Id::Folder, "a/../b");
    let complaints = machine.complaints();
    let lines: Vec<_> = complaints.lines().collect();
    for (line, begins) in lines.iter().zip([
        "environment S3_ENDPOINT: has a query",
        "c.yml:2: s3backupconfig.bucket_name: ",
        "--folder: ",
        "c.yml:3: s3backupconfig.access_key: holds white space",
    ]) {
        assert!(line.starts_with(begins), "{complaints}");
    }
    assert_eq!(lines.len(), 4, "{complaints}");
}

#[test]
fn what_is_missing_hides_no_fault_of_what_is_there() {
    let machine = Machine::default()
        .flag(Id::S3Endpoint, "https://h?x=1")
        .flag(Id::AccessKeyFile, "/gone")
        .env([("S3_SECRET_KEY", "c2 0x")]);
    let complaints = machine.complaints();
    let begins = [
        "--access-key-file: /gone cannot be read",
        "--s3-endpoint: is about a bucket, but none is named",
        "--s3-endpoint: has a query",
        "environment S3_SECRET_KEY: holds white space",
    ];
    assert_eq!(complaints.lines().count(), begins.len(), "{complaints}");
    for (line, begins) in complaints.lines().zip(begins) {
        assert!(line.starts_with(begins), "{complaints}");
    }
}

#[test]
fn settings_schedule_bucket_and_etcd_are_all_judged_in_one_run() {
    let machine = Machine::default()
        .flag(Id::IntervalHours, "x")
        .flag(Id::Cacert, "/nonexist/ca.pem")
        .flag(Id::Endpoints, "h:port,https://[x")
        .flag(Id::User, "root")
        .env([
            ("ROLLSNAP_BUCKET_NAME", "bucket"),
            ("S3_ENDPOINT", "https://h?x=1"),
            ("ROLLSNAP_ACCESS_KEY", "a b"),
            ("ROLLSNAP_SECRET_KEY", "a\tb"),
            ("S3_ENDPOINT_CA", "/nonexist/s3.pem"),
        ]);
    let failure = crate::assembly::settings(machine.inputs()).unwrap_err();
    let begins = [
        "--interval-hours: is \"x\"",
        "environment S3_ENDPOINT: has a query",
        "environment ROLLSNAP_ACCESS_KEY: holds white space",
        "environment ROLLSNAP_SECRET_KEY: holds white space",
        "environment S3_ENDPOINT_CA: read /nonexist/s3.pem: no such file",
        "--user: has no password",
        "--endpoints: endpoint \"h:port\": has a port that is none",
        "--cacert: read CA /nonexist/ca.pem: no such file or directory; give the PEM file",
        "--endpoints: endpoint \"https://[x\": has a [ without ]",
    ];
    let lines: Vec<_> = failure.message.lines().collect();
    assert_eq!(lines.len(), begins.len(), "{failure}");
    for (line, begins) in lines.iter().zip(begins) {
        assert!(line.starts_with(begins), "{line}\n{failure}");
    }
    assert_eq!(failure.kind, rollsnap_engine::Kind::Config);
}

#[test]
fn each_file_of_etcd_is_complained_of_at_its_option() {
    let machine = Machine::default().flag(Id::Cert, "/nonexist/cert").env([
        ("ETCD_CACERT", "/nonexist/ca"),
        ("ETCDCTL_KEY", "/nonexist/key"),
        ("ETCDCTL_USER", "root"),
        ("ROLLSNAP_PASSWORD_FILE", "/nonexist/password"),
    ]);
    let failure = crate::assembly::settings(machine.inputs()).unwrap_err();
    let places: Vec<_> = failure
        .message
        .lines()
        .map(|line| line.split(": no such file").next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "environment ETCD_CACERT: read CA /nonexist/ca",
            "--cert: read certificate /nonexist/cert",
            "environment ETCDCTL_KEY: read key /nonexist/key",
            "environment ROLLSNAP_PASSWORD_FILE: read password file /nonexist/password",
        ]
    );

    let alone = Machine::default().flag(Id::Cacert, "/nonexist/ca");
    let failure = crate::assembly::settings(alone.inputs()).unwrap_err();
    assert_eq!(
        failure.message,
        "--cacert: read CA /nonexist/ca: no such file or directory"
    );
    assert!(failure.hint.unwrap().starts_with("give the PEM file"));
}

#[test]
fn who_asks_no_etcd_is_not_held_up_by_its_faults() {
    let machine = Machine::default()
        .flag(Id::Cert, "/c")
        .flag(Id::Endpoints, ",")
        .flag(Id::PasswordFile, "/p");
    assert_eq!(
        machine.complaints(),
        "--endpoints: names no endpoint; write host:port, several with commas between them\n\
         --cert: is only half of a pair; give the certificate's key too: --key\n\
         --password-file: is a password without a user; name the user with --user"
    );
    let settings = Settings::resolve(machine.inputs()).unwrap();
    let failure = crate::assembly::source(&settings).unwrap_err();
    assert_eq!(
        failure.message,
        machine.complaints(),
        "but nobody asks the default endpoint instead"
    );
    let dir = Settings::resolve(machine.flag(Id::Dir, "").inputs());
    assert_eq!(dir.unwrap_err().faults().len(), 1);
}

#[test]
fn a_fault_in_the_file_hides_no_other_of_its_values() {
    let machine = Machine::config(
        "interval_hours: 0
cacert: /nonexist/ca.pem
s3backupconfig:
  bucket_name: bucket
  endpoint: https://h?x=1
  access_key: a b
  secret_key: c d
  custom_ca: /nonexist/s3.pem
",
    );
    let failure = crate::assembly::settings(machine.inputs()).unwrap_err();
    let begins = [
        "c.yml:1: interval_hours: is 0",
        "c.yml:5: s3backupconfig.endpoint: has a query",
        "c.yml:6: s3backupconfig.access_key: holds white space",
        "c.yml:7: s3backupconfig.secret_key: holds white space",
        "c.yml:8: s3backupconfig.custom_ca: read /nonexist/s3.pem: no such file",
        "c.yml:2: cacert: read CA /nonexist/ca.pem: no such file",
    ];
    let lines: Vec<_> = failure.message.lines().collect();
    assert_eq!(lines.len(), begins.len(), "{failure}");
    for (line, begins) in lines.iter().zip(begins) {
        assert!(line.starts_with(begins), "{line}\n{failure}");
    }
}

#[test]
fn the_interval_is_shown_under_the_option_that_says_it() {
    for (text, name, origin) in [
        ("interval_hours: 2", "interval-hours", "file c.yml line 1"),
        ("creation: 2h", "creation", "file c.yml line 1"),
        ("retention: 24h", "creation", "default"),
        ("retention: 3", "interval-hours", "default"),
    ] {
        let rows = Machine::config(text).settings().report();
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| ["interval", "interval-hours", "creation"].contains(&row.name))
            .map(|row| (row.name, &*row.origin))
            .collect();
        assert_eq!(rows, [(name, origin)], "{text}");
    }
}

#[test]
fn every_fault_of_every_layer_is_told_at_once() {
    let machine = Machine::config("backup_config:\n  interval_hours: 0\n  endpoint_ca: x\n")
        .env([
            ("ROLLSNAP_INTERVAL_HOURS", "1.5"),
            ("ROLLSNAP_COMPRESSION", "gzip"),
            ("S3_BACKUP", "yes"),
            ("ROLLSNAP_LOG_FORMAT", "xml"),
        ])
        .flag(Id::Creation, "5M")
        .flag(Id::Retention, "-1")
        .flag(Id::Endpoints, "a:1,,b:1")
        .flag(Id::Dir, "")
        .flag(Id::Timeout, "300")
        .flag(Id::Cert, "/c");
    assert_eq!(
        machine.complaints(),
        "\
c.yml:2: backup_config.interval_hours: is 0; write 1 to 8760 hours
c.yml:3: backup_config.endpoint_ca: is no key here; it belongs at backup_config.s3backupconfig.custom_ca
--dir: is empty; give a value, or leave it out
environment ROLLSNAP_COMPRESSION: is \"gzip\"; write none, zstd or zip
--timeout: is \"300\"; a unit is missing: write 300m0s for minutes or 300h for hours
environment ROLLSNAP_LOG_FORMAT: is \"xml\"; write logfmt or json
--creation: is \"5M\"; M is no unit here: write 5m for minutes
environment ROLLSNAP_INTERVAL_HOURS: is \"1.5\"; write a whole number of hours, such as 12; a duration belongs to --creation
--retention: is -1; write 1 to 100000 snapshots
environment S3_BACKUP: is \"yes\"; write true or false
--endpoints: names no endpoint; write host:port, several with commas between them"
    );
}

#[test]
fn half_a_pair_of_certificates_is_told_where_it_was_said() {
    assert_eq!(
        Machine::default()
            .env([("ETCDCTL_CERT", "/c")])
            .complaints(),
        "environment ETCDCTL_CERT: is only half of a pair; give the certificate's key too: --key"
    );
    assert_eq!(
        Machine::config("key: /k\n").complaints(),
        "c.yml:1: key: is only half of a pair; give the key's certificate too: --cert"
    );
}

#[test]
fn a_config_file_that_cannot_be_used_is_told() {
    let gone = Machine::default().env([("ROLLSNAP_CONFIG", "/gone.yml")]);
    assert_eq!(
        gone.complaints(),
        "environment ROLLSNAP_CONFIG: /gone.yml cannot be read: no such file or directory; name a file that can be"
    );
    for (bytes, complaint) in [
        (
            Vec::new(),
            "c.yml: is empty; write a mapping of keys, such as RKE's cluster.yml",
        ),
        (
            vec![b'a'; 5 << 20],
            "c.yml: has more than 4194304 bytes; is this the right file?",
        ),
        (
            b"\xff\xfes\0".to_vec(),
            "c.yml: is written in UTF-16; save it as UTF-8",
        ),
    ] {
        let mut machine = Machine::config("");
        machine.files.0.insert("c.yml".into(), bytes);
        assert_eq!(machine.complaints(), complaint);
    }
}

#[test]
fn the_report_shows_every_value_with_its_origin_and_no_secret() {
    let machine = Machine::config("creation: 1h\nbackup_config:\n  s3backupconfig:\n    bucket_name: b\n    secret_key: hunter2\n    access_key: hunter3\nping_url: https://hc/hunter5\n")
        .env([("ETCDCTL_USER", "root:hunter4"), ("AWS_REGION", "eu-1")])
        .flag(Id::Retention, "48h")
        .rke_node();
    let settings = machine.settings();
    let table = as_table(&settings.report());
    let want = "\
config                   c.yml                                  flag --config
dir                      /opt/rke/etcd-snapshots                default
scratch                  /tmp; --dir where there is none        default
endpoints                127.0.0.1:2379                         default
cacert                   /etc/kubernetes/ssl/kube-ca.pem        found in /etc/kubernetes/ssl
cert                     /etc/kubernetes/ssl/kube-node.pem      found in /etc/kubernetes/ssl
key                      /etc/kubernetes/ssl/kube-node-key.pem  found in /etc/kubernetes/ssl
user                     root                                   environment ETCDCTL_USER
password                 ***                                    environment ETCDCTL_USER
snapshot                 true                                   default
creation                 1h0m0s                                 file c.yml line 1
zone                     UTC                                    default
retention                48h0m0s, and the newest 48             flag --retention
retention-tiers          none                                   default
prune-foreign            never                                  default
compression              none                                   default
safe-timestamp           false                                  default
timeout                  no limit                               default
verify                   deep                                   default
verify-nice              10                                     default
compare-members          false                                  default
max-rate                 no limit                               default
drill                    never                                  default
drill-boot               none                                   default
s3                       true                                   file c.yml line 4
s3-endpoint              Amazon's                               default
s3-endpoint-ca           the system's                           default
bucket-name              b                                      file c.yml line 4
region                   eu-1                                   environment AWS_REGION
folder                   the bucket's top                       default
access-key               ***                                    file c.yml line 6
secret-key               ***                                    file c.yml line 5
anonymous                false                                  default
s3-addressing            auto                                   default
s3-insecure-skip-verify  false                                  default
storage-class            the bucket's                           default
tags                     none                                   default
sse                      the bucket's                           default
kms-key-id               the account's                          default
sse-customer-key-file    none                                   default
object-lock-mode         the bucket's                           default
object-lock-period       the bucket's                           default
legal-hold               false                                  default
upload-rate              no limit                               default
verify-remote            never                                  default
http                     127.0.0.1:2389                         default
http-socket              none                                   default
http-token-file          none                                   default
http-cert                none                                   default
http-key                 none                                   default
ping-url                 ***                                    file c.yml line 7
kubeconfig               none                                   default
kubernetes-events        false                                  default
node-name                the host's                             default
log-format               logfmt                                 default
debug                    false                                  default
";
    assert_eq!(table, want);
    let json = serde_json::to_string(&settings.report()).unwrap();
    assert!(
        json.starts_with(r#"[{"name":"config","value":"c.yml","origin":"flag --config"},"#),
        "{json}"
    );
    for shown in [
        table,
        json,
        format!("{settings:?} {:?} {:?}", machine.flags, machine.environment),
    ] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
}

#[test]
fn the_log_is_known_without_the_config_file() {
    let machine = Machine::config(": not yaml")
        .flag(Id::LogFormat, "json")
        .flag(Id::Debug, "true");
    let log = Log::resolve(Inputs {
        flags: &machine.flags,
        environment: &machine.environment,
        files: &machine.files,
    })
    .unwrap();
    assert_eq!(log.format.value, LogFormat::Json);
    assert!(log.debug.value);
}

#[test]
fn the_reference_page_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    let page = reference::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/config.md is not what the table says: run `UPDATE_DOCS=1 cargo nextest run -p rollsnap reference`"
    );
}

#[test]
fn the_sample_of_the_reference_page_is_right() {
    let page = reference::page();
    let sample = page
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let machine = Machine::config(sample)
        .file("/run/secrets/access-key", "a")
        .file("/run/secrets/secret-key", "s");
    assert!(machine.settings().bucket.value.is_some());
}
