//! From the tree of a file to its typed sections, with every fault on the way.

use std::collections::HashMap;

use crate::yaml::{Entry, Node, Scalar};
use crate::{Fault, Faults, Wrong};

use super::keys::{self, Level};
use super::value::{self, Checked};
use super::{BackupConfig, ClusterYml, Located, Own, S3BackupConfig};

/// Where the sections stand in the file at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// RKE's own file: below `services.etcd`.
    ClusterYml,
    /// A small file with `backup_config`, or with none of its keys.
    Small,
    /// A small file with the keys of `backup_config` themselves at the top.
    Direct,
}

/// One file being read.
pub(super) struct Reading<'a> {
    file: &'a str,
    form: Form,
    faults: Vec<Fault>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self {
            file,
            form: Form::Small,
            faults: Vec::new(),
        }
    }

    /// Reads the whole file.
    pub(super) fn top(mut self, node: &Node) -> (ClusterYml, Option<Faults>) {
        let what = match node {
            Node::Mapping(entries) => {
                let said = self.entries(entries);
                return (said, Faults::from_list(self.faults).err());
            }
            Node::Scalar(Scalar::Null, _) | Node::Skipped => "is empty",
            Node::Scalar(..) => "is a single value",
            Node::List(_) => "is a list",
            Node::Tagged(_) => "is a tagged value",
        };
        let cure = "write a mapping of keys, such as RKE's cluster.yml";
        let faults = Faults::whole(self.file, None, Wrong::new(what, cure));
        (ClusterYml::default(), Some(faults))
    }

    fn entries(&mut self, entries: &[Entry]) -> ClusterYml {
        let has = |test: fn(&Entry) -> bool| entries.iter().any(test);
        self.no_doubles("", entries);
        if has(|entry| keys::is_rke_top(&entry.key)) {
            self.form = Form::ClusterYml;
            return self.cluster_yml(entries);
        }
        if has(is_direct) && !has(|entry| entry.key == "backup_config") {
            self.form = Form::Direct;
        }
        self.small_file(entries)
    }

    fn cluster_yml(&mut self, entries: &[Entry]) -> ClusterYml {
        let mut said = ClusterYml::default();
        for entry in entries {
            if entry.key == "services" {
                self.services(entry, &mut said);
            } else if !self.own_key(entry, &mut said.own) {
                self.stray("", entry);
            }
        }
        said
    }

    fn services(&mut self, services: &Entry, said: &mut ClusterYml) {
        let entries = self.section("", services).unwrap_or_default();
        self.no_doubles("services", entries);
        for entry in entries {
            if entry.key != "etcd" {
                self.stray("services", entry);
                continue;
            }
            let at = self.place(Level::Etcd);
            let entries = self.section("services", entry).unwrap_or_default();
            self.no_doubles(at, entries);
            for entry in entries {
                let known = self.etcd_key(at, entry, said) || keys::is_rke_etcd(&entry.key);
                // What RKE does not know here either is no concern of ours unless it is a slip.
                if !known && (entry.key == "<<" || keys::meant(&entry.key, Level::Etcd).is_some()) {
                    self.unknown(at, Level::Etcd, entry);
                }
            }
        }
    }

    fn small_file(&mut self, entries: &[Entry]) -> ClusterYml {
        let mut said = ClusterYml::default();
        let mut direct = Located {
            value: BackupConfig::default(),
            line: 0,
            key_path: String::new(),
        };
        for entry in entries {
            let known = self.form == Form::Direct
                && is_direct(entry)
                && self.backup_key("", entry, &mut direct.value);
            if known && direct.line == 0 {
                direct.line = entry.line;
            }
            if !known && !self.own_key(entry, &mut said.own) && !self.etcd_key("", entry, &mut said)
            {
                self.unknown("", Level::Own, entry);
            }
        }
        if direct.line > 0 {
            said.backup_config = Some(direct);
        }
        said
    }

    fn own_key(&mut self, entry: &Entry, own: &mut Own) -> bool {
        match entry.key.as_str() {
            "dir" => own.dir = self.take("", entry, value::text),
            "endpoints" => own.endpoints = self.take("", entry, value::texts),
            "cacert" => own.cacert = self.take("", entry, value::text),
            "cert" => own.cert = self.take("", entry, value::text),
            "key" => own.key = self.take("", entry, value::text),
            "user" => own.user = self.take("", entry, value::secret),
            "password_file" => own.password_file = self.take("", entry, value::text),
            "verify" => own.verify = self.take("", entry, value::verify),
            "verify_nice" => own.verify_nice = self.take("", entry, value::nice),
            "compare_members" => own.compare_members = self.take("", entry, value::switch),
            "max_rate" => own.max_rate = self.take("", entry, value::rate),
            "drill" => own.drill = self.take("", entry, value::duration),
            "drill_boot" => own.drill_boot = self.take("", entry, value::text),
            "prune_foreign" => own.prune_foreign = self.take("", entry, value::prune_foreign),
            "http" => own.http = self.take("", entry, value::text),
            "http_socket" => own.http_socket = self.take("", entry, value::text),
            "http_token_file" => own.http_token_file = self.take("", entry, value::text),
            "http_cert" => own.http_cert = self.take("", entry, value::text),
            "http_key" => own.http_key = self.take("", entry, value::text),
            "ping_url" => own.ping_url = self.take("", entry, value::secret),
            "kubeconfig" => own.kubeconfig = self.take("", entry, value::text),
            "kubernetes_events" => own.kubernetes_events = self.take("", entry, value::switch),
            "node_name" => own.node_name = self.take("", entry, value::text),
            "ping_url_file" => own.ping_url_file = self.take("", entry, value::text),
            _ => return false,
        }
        true
    }

    fn etcd_key(&mut self, at: &str, entry: &Entry, said: &mut ClusterYml) -> bool {
        match entry.key.as_str() {
            "snapshot" => said.snapshot = self.take(at, entry, value::switch),
            "creation" => said.creation = self.take(at, entry, value::duration),
            "retention" => {
                let count_at = join(self.place(Level::Backup), "retention");
                said.retention = self.take(at, entry, |node| value::age(node, &count_at));
            }
            "backup_config" => {
                let place = self.place(Level::Backup);
                said.backup_config = self.section(at, entry).map(|entries| {
                    self.no_doubles(place, entries);
                    let mut backup = BackupConfig::default();
                    for entry in entries {
                        if !self.backup_key(place, entry, &mut backup) {
                            self.unknown(place, Level::Backup, entry);
                        }
                    }
                    located(backup, entry, place)
                });
            }
            _ => return false,
        }
        true
    }

    fn backup_key(&mut self, at: &str, entry: &Entry, backup: &mut BackupConfig) -> bool {
        match entry.key.as_str() {
            "enabled" => backup.enabled = self.take(at, entry, value::switch),
            "interval_hours" => backup.interval_hours = self.take(at, entry, value::interval_hours),
            "retention" => {
                let age_at = join(self.place(Level::Etcd), "retention");
                backup.retention =
                    self.take(at, entry, |node| value::retention_count(node, &age_at));
            }
            "safe_timestamp" => backup.safe_timestamp = self.take(at, entry, value::switch),
            "timeout" => backup.timeout = self.take(at, entry, value::timeout),
            "compression" => backup.compression = self.take(at, entry, value::compression),
            "cron" => backup.cron = self.take(at, entry, value::text),
            "zone" => backup.zone = self.take(at, entry, value::text),
            "retention_tiers" => backup.retention_tiers = self.take(at, entry, value::tiers),
            "s3backupconfig" => {
                let place = self.place(Level::S3);
                backup.s3backupconfig = self.section(at, entry).map(|entries| {
                    self.no_doubles(place, entries);
                    let mut s3 = S3BackupConfig::default();
                    for entry in entries {
                        if !self.s3_key(place, entry, &mut s3) {
                            self.unknown(place, Level::S3, entry);
                        }
                    }
                    located(s3, entry, place)
                });
            }
            _ => return false,
        }
        true
    }

    fn s3_key(&mut self, at: &str, entry: &Entry, s3: &mut S3BackupConfig) -> bool {
        match entry.key.as_str() {
            "access_key" => s3.access_key = self.take(at, entry, value::secret),
            "secret_key" => s3.secret_key = self.take(at, entry, value::secret),
            "access_key_file" => s3.access_key_file = self.take(at, entry, value::text),
            "secret_key_file" => s3.secret_key_file = self.take(at, entry, value::text),
            "bucket_name" => s3.bucket_name = self.take(at, entry, value::text),
            "region" => s3.region = self.take(at, entry, value::text),
            "endpoint" => s3.endpoint = self.take(at, entry, value::text),
            "custom_ca" => s3.custom_ca = self.take(at, entry, value::text),
            "folder" => s3.folder = self.take(at, entry, value::text),
            key => return self.s3_key_of_ours(key, at, entry, s3),
        }
        true
    }

    /// The keys that RKE does not have.
    fn s3_key_of_ours(
        &mut self,
        key: &str,
        at: &str,
        entry: &Entry,
        s3: &mut S3BackupConfig,
    ) -> bool {
        match key {
            "aws_profile" => s3.aws_profile = self.take(at, entry, value::text),
            "anonymous" => s3.anonymous = self.take(at, entry, value::switch),
            "addressing" => s3.addressing = self.take(at, entry, value::addressing),
            "insecure_skip_verify" => {
                s3.insecure_skip_verify = self.take(at, entry, value::switch);
            }
            "storage_class" => s3.storage_class = self.take(at, entry, value::text),
            "tags" => s3.tags = self.take(at, entry, value::texts),
            "sse" => s3.sse = self.take(at, entry, value::sse),
            "kms_key_id" => s3.kms_key_id = self.take(at, entry, value::text),
            "sse_customer_key_file" => {
                s3.sse_customer_key_file = self.take(at, entry, value::text);
            }
            "object_lock_mode" => s3.object_lock_mode = self.take(at, entry, value::lock_mode),
            "object_lock_period" => s3.object_lock_period = self.take(at, entry, value::duration),
            "legal_hold" => s3.legal_hold = self.take(at, entry, value::switch),
            "upload_rate" => s3.upload_rate = self.take(at, entry, value::rate),
            "verify_remote" => s3.verify_remote = self.take(at, entry, value::duration),
            _ => return false,
        }
        true
    }

    /// Checks one value; a fault is noted and counts as "not said".
    fn take<T>(
        &mut self,
        at: &str,
        entry: &Entry,
        check: impl FnOnce(&Node) -> Checked<T>,
    ) -> Option<Located<T>> {
        let line = match entry.node {
            Node::Scalar(_, line) => line,
            _ => entry.line,
        };
        match check(&entry.node) {
            Ok(value) => value.map(|value| Located {
                value,
                line,
                key_path: join(at, &entry.key),
            }),
            Err(wrong) => {
                self.note(line, join(at, &entry.key), wrong);
                None
            }
        }
    }

    /// The entries of a section; None when it is null, and when it is no mapping.
    fn section<'n>(&mut self, at: &str, entry: &'n Entry) -> Option<&'n [Entry]> {
        let what = match &entry.node {
            Node::Mapping(entries) => return Some(entries),
            Node::Scalar(Scalar::Null, _) => return None,
            Node::Scalar(..) | Node::Skipped => "is a single value",
            Node::List(_) => "is a list",
            Node::Tagged(_) => "is a tagged value",
        };
        let wrong = Wrong::new(what, "write a mapping of keys below it");
        self.note(entry.line, join(at, &entry.key), wrong);
        None
    }

    fn no_doubles(&mut self, at: &str, entries: &[Entry]) {
        let mut seen = HashMap::new();
        for entry in entries {
            if let Some(first) = seen.insert(entry.key.as_str(), entry.line)
                && entry.node != Node::Skipped
            {
                let what = format!("is given twice, first in line {first}");
                let wrong = Wrong::new(what, "keep one of them");
                self.note(entry.line, join(at, &entry.key), wrong);
            }
        }
    }

    /// A key of some other part of `cluster.yml`: a fault only if it is exactly one of ours.
    fn stray(&mut self, at: &str, entry: &Entry) {
        if entry.key == "etcd" {
            self.note(entry.line, join(at, "etcd"), belongs("services.etcd"));
        } else if let Some(level) = keys::level_of(&entry.key) {
            let right = join(self.place(level), &entry.key);
            self.note(entry.line, join(at, &entry.key), belongs(&right));
        }
    }

    /// A key that is none here, with the one that was probably meant.
    fn unknown(&mut self, at: &str, level: Level, entry: &Entry) {
        // What follows a colon may be the value, where the space was forgotten.
        let (name, missing_space) = match entry.key.split_once(':') {
            Some((name, _)) => (name, true),
            None => (entry.key.as_str(), false),
        };
        let wrong = if missing_space {
            Wrong::new("has no space behind its colon", "write one")
        } else if name == "<<" {
            Wrong::new(
                "merges what is no mapping",
                "write an alias of a mapping, or of a list of them",
            )
        } else if name == "etcd" {
            belongs("services.etcd")
        } else {
            match keys::meant(name, level) {
                Some((meant, right)) if meant != level => belongs(&join(self.place(meant), right)),
                Some((_, right)) => Wrong::new("is no key here", format!("did you mean {right}?")),
                None => {
                    let keys: Vec<_> = level.keys().collect();
                    Wrong::new(
                        "is no key here",
                        format!("the keys are {}", keys.join(", ")),
                    )
                }
            }
        };
        let shown: String = value::shortened(name).escape_debug().collect();
        self.note(entry.line, join(at, &shown), wrong);
    }

    fn note(&mut self, line: u32, key_path: String, wrong: Wrong) {
        self.faults.push(Fault {
            file: self.file.to_owned(),
            line: Some(line),
            key_path,
            wrong,
        });
    }

    /// The keys that lead to a level in this file.
    fn place(&self, level: Level) -> &'static str {
        match (level, self.form) {
            (Level::Own, _)
            | (Level::Etcd, Form::Small | Form::Direct)
            | (Level::Backup, Form::Direct) => "",
            (Level::Etcd, Form::ClusterYml) => "services.etcd",
            (Level::Backup, Form::ClusterYml) => "services.etcd.backup_config",
            (Level::Backup, Form::Small) => "backup_config",
            (Level::S3, Form::ClusterYml) => "services.etcd.backup_config.s3backupconfig",
            (Level::S3, Form::Small) => "backup_config.s3backupconfig",
            (Level::S3, Form::Direct) => "s3backupconfig",
        }
    }
}

/// Whether an entry at the top of a small file stands for `backup_config`. `retention` is the one
/// key that the older form has too: a number counts snapshots, a text is an age.
fn is_direct(entry: &Entry) -> bool {
    if entry.key == "retention" {
        return matches!(entry.node, Node::Scalar(Scalar::Integer(_), _));
    }
    Level::Backup.keys().any(|key| key == entry.key)
}

fn belongs(right: &str) -> Wrong {
    Wrong::new("is no key here", format!("it belongs at {right}"))
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}.{key}")
    }
}

fn located<T>(value: T, entry: &Entry, key_path: &str) -> Located<T> {
    Located {
        value,
        line: entry.line,
        key_path: key_path.to_owned(),
    }
}
