//! Every flag that any release of the old program had, once, with the subcommands that take it.

use super::Subcommand::{self, Delete, Download, Extract, Rolling, Save, Serve};

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    /// Its name without dashes.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The variable that counts where the flag is not given.
    pub(super) env: Option<&'static str>,
    /// Who takes it.
    pub(super) on: &'static [Subcommand],
    /// What it means, for the usage.
    pub(super) help: &'static str,
}

/// What kind of value a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text that must not be seen.
    Secret,
    /// Alone it is true, and never takes the next word.
    Switch,
    /// Go's form.
    Duration,
    /// A whole number, read and then left alone: we try again on terms of our own.
    Tries,
}

const TAKING: &[Subcommand] = &[Rolling, Save];
/// `extractstatefile` takes the loop's flags too, and ignores them.
const LOOP: &[Subcommand] = &[Rolling, Save, Extract];
const ASKING: &[Subcommand] = &[Rolling, Save, Download, Extract];
const CERTIFIED: &[Subcommand] = &[Rolling, Save, Download, Extract, Serve];
const BUCKET: &[Subcommand] = &[Rolling, Save, Download, Extract, Delete];
const ALL: &[Subcommand] = &[Rolling, Save, Download, Extract, Serve, Delete];

/// Every flag, in the order of the usage.
pub(super) const FLAGS: [Flag; 21] = {
    const fn text(name: &'static str, on: &'static [Subcommand], help: &'static str) -> Flag {
        Flag {
            name,
            kind: Kind::Text,
            env: None,
            on,
            help,
        }
    }
    const fn from(flag: Flag, env: &'static str) -> Flag {
        Flag {
            env: Some(env),
            ..flag
        }
    }
    const fn of(flag: Flag, kind: Kind) -> Flag {
        Flag { kind, ..flag }
    }
    [
        of(
            text("creation", LOOP, "time between two snapshots (5m0s)"),
            Kind::Duration,
        ),
        of(
            text("retention", LOOP, "how long a snapshot is kept (24h0m0s)"),
            Kind::Duration,
        ),
        of(
            text("once", LOOP, "take one snapshot, and end"),
            Kind::Switch,
        ),
        text("name", ALL, "the snapshot's name"),
        text("endpoints", ASKING, "etcd's members (127.0.0.1:2379)"),
        from(
            of(text("debug", ASKING, "say more"), Kind::Switch),
            "RANCHER_DEBUG",
        ),
        from(text("cacert", CERTIFIED, "etcd's CA"), "ETCD_CACERT"),
        from(
            text("cert", CERTIFIED, "the client's certificate"),
            "ETCD_CERT",
        ),
        from(text("key", CERTIFIED, "the certificate's key"), "ETCD_KEY"),
        from(
            text("local-endpoint", ASKING, "the node that serves a snapshot"),
            "LOCAL_ENDPOINT",
        ),
        from(
            of(text("s3-backup", BUCKET, "use a bucket too"), Kind::Switch),
            "S3_BACKUP",
        ),
        from(
            text("s3-endpoint", BUCKET, "the bucket's server"),
            "S3_ENDPOINT",
        ),
        from(
            text("s3-endpoint-ca", BUCKET, "its CA: a file, or base64 of PEM"),
            "S3_ENDPOINT_CA",
        ),
        from(
            of(text("s3-accessKey", BUCKET, "access key"), Kind::Secret),
            "S3_ACCESS_KEY",
        ),
        from(
            of(text("s3-secretKey", BUCKET, "secret key"), Kind::Secret),
            "S3_SECRET_KEY",
        ),
        from(
            text("s3-bucketName", BUCKET, "the bucket"),
            "S3_BUCKET_NAME",
        ),
        from(text("s3-region", BUCKET, "its region"), "S3_BUCKET_REGION"),
        from(text("s3-folder", BUCKET, "the folder in it"), "S3_FOLDER"),
        of(
            text("backup-retries", TAKING, "taken, and left alone"),
            Kind::Tries,
        ),
        of(
            text("s3-retries", TAKING, "taken, and left alone"),
            Kind::Tries,
        ),
        of(
            text("cleanup", &[Delete], "remove the unpacked copy only"),
            Kind::Switch,
        ),
    ]
};

impl Flag {
    /// The variable that counts for a subcommand. Whether `delete` goes to the bucket is said by
    /// the flag alone.
    pub(super) fn env_on(&self, subcommand: Subcommand) -> Option<&'static str> {
        self.env
            .filter(|_| (self.name, subcommand) != ("s3-backup", Delete))
    }
}

impl Subcommand {
    /// The flag of this name, if the subcommand takes it.
    pub(super) fn flag(self, name: &str) -> Option<&'static Flag> {
        FLAGS
            .iter()
            .find(|flag| flag.name == name && flag.on.contains(&self))
    }

    /// What `--help` shows.
    pub(super) fn usage(self) -> String {
        let flags = FLAGS.iter().filter(|flag| flag.on.contains(&self));
        let rows = flags.map(|flag| {
            let env = flag.env_on(self);
            let env = env.map(|env| format!(" [${env}]")).unwrap_or_default();
            format!("   --{:<16}{}{env}\n", flag.name, flag.help)
        });
        format!(
            "USAGE:\n   rke-etcd-backup {} [flags]\n\nFLAGS:\n{}",
            self.words(),
            rows.collect::<String>()
        )
    }
}
