//! What `rollsnap config show` prints: every value in force, and who said it. No secrets.

use std::fmt::Write as _;

use rollsnap_engine::Codec;
use rollsnap_engine::name::TimeStyle;
use rollsnap_engine::retention::{Retention, Tiers};
use rollsnap_engine::schedule::{self as engine, Zone};
use rollsnap_rke::duration::GoDuration;
use serde::Serialize;

use super::options::Id;
use super::{Bucket, Keys, Settings, Sourced, Writing};

/// One value in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The option's name.
    pub name: &'static str,
    /// Its value as text, `***` for a secret.
    pub value: String,
    /// Who said it.
    pub origin: String,
}

struct Rows(Vec<Row>);

impl Rows {
    fn add<T>(&mut self, id: Id, said: &Sourced<T>, show: impl FnOnce(&T) -> String) {
        self.0.push(Row {
            name: id.spec().name,
            value: show(&said.value),
            origin: said.origin.to_string(),
        });
    }

    fn add_if<T>(&mut self, id: Id, said: Option<&Sourced<T>>, show: impl FnOnce(&T) -> String) {
        match said {
            Some(said) => self.add(id, said, show),
            None => self.0.push(Row {
                name: id.spec().name,
                value: id.spec().default.to_owned(),
                origin: "default".to_owned(),
            }),
        }
    }
}

impl Settings {
    /// Every value in force, in the order of the reference.
    pub fn report(&self) -> Vec<Row> {
        let mut rows = Rows(Vec::new());
        let path = |path: &std::path::PathBuf| path.display().to_string();
        rows.add_if(Id::Config, self.config.as_ref(), path);
        rows.add(Id::Dir, &self.dir, path);
        rows.add_if(Id::Scratch, self.scratch.as_ref(), path);
        self.report_etcd(&mut rows);
        let schedule = &self.schedule;
        rows.add(Id::Snapshot, &schedule.active, bool::to_string);
        rows.add(schedule.when_by, &schedule.when, |when| match when {
            engine::Schedule::Every(interval) => GoDuration(*interval).to_string(),
            engine::Schedule::At(timetable) => timetable.text().to_owned(),
        });
        rows.add(Id::Zone, &schedule.zone, Zone::to_string);
        rows.add(
            Id::Retention,
            &schedule.retention,
            |retention| match retention {
                Retention::Count(count) | Retention::Tiered { count, .. } => count.to_string(),
                Retention::Age { limit, floor } => {
                    format!("{}, and the newest {floor}", GoDuration(*limit))
                }
            },
        );
        rows.add_if(
            Id::RetentionTiers,
            schedule.tiers.as_ref(),
            Tiers::to_string,
        );
        rows.add(Id::PruneForeign, &schedule.prune_foreign, |foreign| {
            foreign.as_str().to_owned()
        });
        let making = &self.making;
        rows.add(Id::Compression, &making.codec, |codec| match codec {
            Codec::None => "none".to_owned(),
            Codec::Zstd => "zstd".to_owned(),
            Codec::Zip => "zip".to_owned(),
        });
        rows.add(Id::SafeTimestamp, &making.time_style, |style| {
            (*style == TimeStyle::Safe).to_string()
        });
        rows.add_if(Id::Timeout, making.timeout.as_ref(), |timeout| {
            GoDuration(*timeout).to_string()
        });
        rows.add(Id::Verify, &making.verify, |verify| {
            verify.as_str().to_owned()
        });
        rows.add(Id::VerifyNice, &making.verify_nice, u32::to_string);
        rows.add(Id::CompareMembers, &making.compare_members, bool::to_string);
        rows.add_if(Id::MaxRate, making.max_rate.as_ref(), |rate| {
            format!("{rate} bytes a second")
        });
        let drill = &self.drill;
        rows.add_if(Id::Drill, drill.every.as_ref(), |every| {
            GoDuration(*every).to_string()
        });
        rows.add_if(Id::DrillBoot, drill.boot.as_ref(), |boot| {
            boot.display().to_string()
        });
        rows.add(Id::S3, &self.bucket, |bucket| bucket.is_some().to_string());
        if let Some(bucket) = &self.bucket.value {
            report_bucket(&mut rows, bucket);
        }
        let http = &self.http;
        rows.add(Id::Http, &http.address, |address| {
            address.map_or_else(|| "off".to_owned(), |address| address.to_string())
        });
        for (id, said) in [
            (Id::HttpSocket, &http.socket),
            (Id::HttpTokenFile, &http.token_file),
            (Id::HttpCert, &http.cert),
            (Id::HttpKey, &http.key),
        ] {
            rows.add_if(id, said.as_ref(), path);
        }
        self.report_notices(&mut rows);
        rows.add(Id::LogFormat, &self.log.format, |format| {
            format.as_str().to_owned()
        });
        rows.add(Id::Debug, &self.log.debug, bool::to_string);
        rows.0
    }

    fn report_notices(&self, rows: &mut Rows) {
        let ping = self.notices.ping.as_ref();
        match ping.and_then(|ping| Some((ping, ping.value.file.as_ref()?))) {
            Some((ping, file)) => {
                rows.add(Id::PingUrlFile, ping, |_| file.display().to_string());
            }
            None => rows.add_if(Id::PingUrl, ping, |ping| ping.secret.to_string()),
        }
        let kubernetes = &self.notices.kubernetes;
        rows.add_if(Id::Kubeconfig, kubernetes.kubeconfig.as_ref(), |path| {
            path.display().to_string()
        });
        rows.add(Id::KubernetesEvents, &kubernetes.events, |access| {
            access.is_some().to_string()
        });
        let node = kubernetes.node.as_ref();
        rows.add_if(Id::NodeName, node, String::clone);
    }

    fn report_etcd(&self, rows: &mut Rows) {
        let etcd = &self.etcd;
        let path = |path: &std::path::PathBuf| path.display().to_string();
        rows.add(Id::Endpoints, &etcd.endpoints, |endpoints| {
            endpoints.join(",")
        });
        for (id, said) in [
            (Id::Cacert, &etcd.cacert),
            (Id::Cert, &etcd.cert),
            (Id::Key, &etcd.key),
        ] {
            match said {
                Some(said) => rows.add(id, said, path),
                None => rows.0.push(Row {
                    name: id.spec().name,
                    value: "none".to_owned(),
                    origin: "default".to_owned(),
                }),
            }
        }
        rows.add_if(
            Id::User,
            etcd.login.as_ref().map(|login| &login.name),
            String::clone,
        );
        if let Some(login) = &etcd.login {
            match &login.password.value {
                rollsnap_etcd::Password::Given(_) => {
                    rows.add(Id::Password, &login.password, |_| "***".to_owned());
                }
                rollsnap_etcd::Password::File(file) => {
                    rows.add(Id::PasswordFile, &login.password, |_| path(file));
                }
            }
        }
    }
}

fn report_bucket(rows: &mut Rows, bucket: &Bucket) {
    rows.add(
        Id::S3Endpoint,
        &bucket.endpoint,
        |endpoint| match endpoint.as_str() {
            "" => Id::S3Endpoint.spec().default.to_owned(),
            endpoint => endpoint.to_owned(),
        },
    );
    // PEM text would fill the screen, and its first line says nothing.
    rows.add_if(Id::S3EndpointCa, bucket.custom_ca.as_ref(), |ca| {
        if ca.len() > 200 || ca.contains('\n') {
            format!("text of {} bytes", ca.len())
        } else {
            ca.clone()
        }
    });
    rows.add(Id::BucketName, &bucket.name, String::clone);
    rows.add_if(Id::Region, bucket.region.as_ref(), String::clone);
    rows.add_if(Id::Folder, bucket.folder.as_ref(), String::clone);
    report_keys(rows, &bucket.keys);
    rows.add_if(Id::S3Addressing, bucket.addressing.as_ref(), |style| {
        style.as_str().to_owned()
    });
    let insecure = bucket.insecure_skip_verify.as_ref();
    rows.add_if(Id::S3InsecureSkipVerify, insecure, bool::to_string);
    report_writing(rows, &bucket.writing);
    rows.add_if(Id::UploadRate, bucket.upload_rate.as_ref(), |rate| {
        format!("{rate} bytes a second")
    });
    rows.add_if(Id::VerifyRemote, bucket.verify_remote.as_ref(), |every| {
        GoDuration(*every).to_string()
    });
}

fn report_keys(rows: &mut Rows, keys: &Keys) {
    let (pair, profile, anonymous) = match keys {
        Keys::Pair(pair) => (Some(pair), None, None),
        Keys::Usual { profile, .. } => (None, profile.as_ref(), None),
        Keys::Anonymous(origin) => (None, None, Some(origin)),
    };
    if anonymous.is_none() {
        for (id, key) in [
            (Id::AccessKey, pair.map(|pair| &pair.access_key)),
            (Id::SecretKey, pair.map(|pair| &pair.secret_key)),
        ] {
            rows.add_if(id, key, |key| key.secret.to_string());
        }
    }
    if let Some(token) = pair.and_then(|pair| pair.session_token.as_ref()) {
        rows.add(Id::SessionToken, token, ToString::to_string);
    }
    if pair.is_none() && anonymous.is_none() {
        rows.add_if(Id::AwsProfile, profile, String::clone);
    }
    let anonymous = anonymous.map(|origin| Sourced {
        value: true,
        origin: origin.clone(),
    });
    rows.add_if(Id::Anonymous, anonymous.as_ref(), bool::to_string);
}

fn report_writing(rows: &mut Rows, writing: &Writing) {
    let class = writing.storage_class.as_ref();
    rows.add_if(Id::StorageClass, class, String::clone);
    rows.add_if(Id::Tags, writing.tags.as_ref(), |tags| {
        let tags: Vec<_> = tags
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        tags.join(",")
    });
    rows.add_if(Id::Sse, writing.sse.as_ref(), |by| by.as_str().to_owned());
    rows.add_if(Id::KmsKeyId, writing.kms_key_id.as_ref(), String::clone);
    let key = writing.customer_key.as_ref();
    rows.add_if(Id::SseCustomerKeyFile, key, |_| "***".to_owned());
    rows.add_if(Id::ObjectLockMode, writing.lock_mode.as_ref(), |mode| {
        mode.as_str().to_owned()
    });
    let period = writing.lock_period.as_ref();
    rows.add_if(Id::ObjectLockPeriod, period, |period| {
        GoDuration(*period).to_string()
    });
    rows.add_if(Id::LegalHold, writing.legal_hold.as_ref(), bool::to_string);
}

/// The rows as an aligned table without a heading, one a line.
pub fn as_table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max();
    let name = width(|row| row.name).unwrap_or(0);
    let value = width(|row| &row.value).unwrap_or(0);
    let mut table = String::new();
    for row in rows {
        let (at, said, who) = (row.name, &row.value, &row.origin);
        // Writing to a text cannot fail.
        let _ = writeln!(table, "{at:name$}  {said:value$}  {who}");
    }
    table
}
