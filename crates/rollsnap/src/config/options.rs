//! Every option, once: its flag, its environment names, its key in the file, its default, and
//! what it means. The command line, `config show`, the error texts and `docs/config.md` are made
//! from this table.

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Which it is.
    pub id: Id,
    /// Its name in `config show`; with `--` before it the flag, if it has one.
    pub name: &'static str,
    /// Whether it can be given on the command line.
    pub on_command_line: OnCommandLine,
    /// Names in the environment; the first that is set and not empty counts.
    pub env: &'static [&'static str],
    /// Keys in the file as they stand in RKE's `cluster.yml`.
    pub file: &'static [&'static str],
    /// What kind of value it takes.
    pub kind: Kind,
    /// What stands for the value in help texts.
    pub value_name: &'static str,
    /// What is in force when nobody says anything, in words.
    pub default: &'static str,
    /// Which commands it concerns.
    pub group: Group,
    /// What it means, in one sentence.
    pub help: &'static str,
}

/// Whether an option has a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCommandLine {
    /// It has one.
    Flag,
    /// It has none: the environment alone carries it.
    Never,
}

/// What kind of value an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// The path of a file or directory.
    Path,
    /// Texts between commas.
    List,
    /// A text that is never shown.
    Secret,
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// A whole number of hours.
    Hours,
    /// A duration such as `5m0s`.
    Duration,
    /// A whole number of snapshots, or a duration.
    Retention,
    /// A whole number.
    Number,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// What an option is about, and so which commands take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The config file: every command.
    File,
    /// The snapshots' directory: every command that sees snapshots.
    Directory,
    /// Where snapshots are unpacked and drills held: every command that reads one, and `run`.
    Reading,
    /// The etcd member: `run`, `save` and `hashkv`.
    Etcd,
    /// When snapshots are taken and how many are kept: `run` and `prune`.
    Schedule,
    /// How a snapshot is made: `run` and `save`.
    Snapshot,
    /// Rehearsals of a restore: `run`.
    Drill,
    /// The bucket: every command that sees snapshots.
    Bucket,
    /// What the daemon answers over HTTP: `run`.
    Http,
    /// Whom the daemon tells how its backups go: `run`.
    Notices,
    /// The log: every command.
    Log,
}

impl Group {
    /// Every group in the order of the reference.
    pub const ALL: [Self; 11] = [
        Self::File,
        Self::Directory,
        Self::Reading,
        Self::Etcd,
        Self::Schedule,
        Self::Snapshot,
        Self::Drill,
        Self::Bucket,
        Self::Http,
        Self::Notices,
        Self::Log,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::File => "Config file",
            Self::Directory => "Directory",
            Self::Reading => "Reading snapshots",
            Self::Etcd => "etcd",
            Self::Schedule => "Schedule and retention",
            Self::Snapshot => "Snapshots",
            Self::Drill => "Drills",
            Self::Bucket => "S3 bucket",
            Self::Http => "HTTP",
            Self::Notices => "Notices",
            Self::Log => "Log",
        }
    }
}

/// Which option.
#[expect(missing_docs, reason = "each is described by its row of the table")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    Config,
    Dir,
    Scratch,
    Endpoints,
    Cacert,
    Cert,
    Key,
    User,
    PasswordFile,
    Password,
    Snapshot,
    IntervalHours,
    Creation,
    Cron,
    Zone,
    Retention,
    RetentionTiers,
    PruneForeign,
    Compression,
    SafeTimestamp,
    Timeout,
    Verify,
    VerifyNice,
    CompareMembers,
    MaxRate,
    Drill,
    DrillBoot,
    S3,
    S3Endpoint,
    S3EndpointCa,
    BucketName,
    Region,
    Folder,
    AccessKey,
    SecretKey,
    AccessKeyFile,
    SecretKeyFile,
    SessionToken,
    AwsProfile,
    Anonymous,
    S3Addressing,
    S3InsecureSkipVerify,
    StorageClass,
    Tags,
    Sse,
    KmsKeyId,
    SseCustomerKeyFile,
    ObjectLockMode,
    ObjectLockPeriod,
    LegalHold,
    UploadRate,
    VerifyRemote,
    Http,
    HttpSocket,
    HttpTokenFile,
    HttpCert,
    HttpKey,
    PingUrl,
    PingUrlFile,
    Kubeconfig,
    KubernetesEvents,
    NodeName,
    LogFormat,
    Debug,
}

impl Id {
    /// Its row of the table.
    pub fn spec(self) -> &'static Spec {
        // The table is in the order of the variants; a test holds it there.
        &OPTIONS[self as usize]
    }
}

/// The paths at which RKE puts the certificates of a node, used when nothing is said about TLS
/// and all three are there.
pub const RKE_CERTIFICATES: [&str; 3] = [
    "/etc/kubernetes/ssl/kube-ca.pem",
    "/etc/kubernetes/ssl/kube-node.pem",
    "/etc/kubernetes/ssl/kube-node-key.pem",
];

/// Every option, in the order of [`Id`].
pub const OPTIONS: [Spec; 64] = {
    const FLAG: Spec = Spec {
        id: Id::Config,
        name: "",
        on_command_line: OnCommandLine::Flag,
        env: &[],
        file: &[],
        kind: Kind::Text,
        value_name: "TEXT",
        default: "none",
        group: Group::File,
        help: "",
    };
    const PATH: Spec = Spec {
        kind: Kind::Path,
        value_name: "FILE",
        ..FLAG
    };
    const ETCD: Spec = Spec {
        group: Group::Etcd,
        ..FLAG
    };
    const CERTIFICATE: Spec = Spec {
        group: Group::Etcd,
        ..PATH
    };
    const SCHEDULE: Spec = Spec {
        group: Group::Schedule,
        ..FLAG
    };
    const SNAPSHOT: Spec = Spec {
        group: Group::Snapshot,
        ..FLAG
    };
    const BUCKET: Spec = Spec {
        group: Group::Bucket,
        ..FLAG
    };
    const HTTP: Spec = Spec {
        group: Group::Http,
        ..PATH
    };
    const NOTICES: Spec = Spec {
        group: Group::Notices,
        ..PATH
    };
    const KEY: Spec = Spec {
        kind: Kind::Secret,
        value_name: "KEY",
        ..BUCKET
    };
    [
        Spec {
            id: Id::Config,
            name: "config",
            env: &["ROLLSNAP_CONFIG", "RKE_CONFIG"],
            help: "RKE's cluster.yml, or a small YAML file with the same keys at its top level.",
            ..PATH
        },
        Spec {
            id: Id::Dir,
            name: "dir",
            env: &["ROLLSNAP_DIR"],
            file: &["dir"],
            kind: Kind::Path,
            value_name: "DIR",
            default: "/opt/rke/etcd-snapshots",
            group: Group::Directory,
            help: "The directory that keeps the snapshots.",
            ..FLAG
        },
        Spec {
            id: Id::Scratch,
            name: "scratch",
            env: &["ROLLSNAP_SCRATCH", "TMPDIR"],
            kind: Kind::Path,
            value_name: "DIR",
            default: "/tmp; --dir where there is none",
            group: Group::Reading,
            help: "Where a snapshot is unpacked that cannot be read as it is kept: a zip, a \
                   stream, or all of a compressed one, in files without a name that are gone with \
                   the program; run and drill, which hold drills there, take --dir by themselves.",
            ..FLAG
        },
        Spec {
            id: Id::Endpoints,
            name: "endpoints",
            env: &["ROLLSNAP_ENDPOINTS", "ETCDCTL_ENDPOINTS", "ETCD_ENDPOINTS"],
            file: &["endpoints"],
            kind: Kind::List,
            value_name: "HOST:PORT",
            default: "127.0.0.1:2379",
            help: "The etcd members to ask, in this order, between commas; without a scheme it is \
                   https where certificates are in use, else http.",
            ..ETCD
        },
        Spec {
            id: Id::Cacert,
            name: "cacert",
            env: &["ROLLSNAP_CACERT", "ETCDCTL_CACERT", "ETCD_CACERT"],
            file: &["cacert"],
            default: "RKE's, where all three are there",
            help: "The CA that signed etcd's certificate, in PEM.",
            ..CERTIFICATE
        },
        Spec {
            id: Id::Cert,
            name: "cert",
            env: &["ROLLSNAP_CERT", "ETCDCTL_CERT", "ETCD_CERT"],
            file: &["cert"],
            default: "RKE's, where all three are there",
            help: "The client certificate to show to etcd, in PEM.",
            ..CERTIFICATE
        },
        Spec {
            id: Id::Key,
            name: "key",
            env: &["ROLLSNAP_KEY", "ETCDCTL_KEY", "ETCD_KEY"],
            file: &["key"],
            default: "RKE's, where all three are there",
            help: "The key of the client certificate, in PEM.",
            ..CERTIFICATE
        },
        Spec {
            id: Id::User,
            name: "user",
            env: &["ROLLSNAP_USER", "ETCDCTL_USER"],
            file: &["user"],
            kind: Kind::Secret,
            value_name: "NAME[:PASSWORD]",
            help: "The etcd user, where etcd has auth enabled; better without the password.",
            ..ETCD
        },
        Spec {
            id: Id::PasswordFile,
            name: "password-file",
            env: &["ROLLSNAP_PASSWORD_FILE"],
            file: &["password_file"],
            help: "A file that holds nothing but the etcd user's password.",
            ..CERTIFICATE
        },
        Spec {
            id: Id::Password,
            name: "password",
            on_command_line: OnCommandLine::Never,
            env: &["ROLLSNAP_PASSWORD", "ETCDCTL_PASSWORD"],
            kind: Kind::Secret,
            help: "The etcd user's password.",
            ..ETCD
        },
        Spec {
            id: Id::Snapshot,
            name: "snapshot",
            env: &["ROLLSNAP_SNAPSHOT"],
            file: &[
                "services.etcd.snapshot",
                "services.etcd.backup_config.enabled",
            ],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "true",
            help: "Whether the daemon takes snapshots; if not, it stays up and says so.",
            ..SCHEDULE
        },
        Spec {
            id: Id::IntervalHours,
            name: "interval-hours",
            env: &["ROLLSNAP_INTERVAL_HOURS"],
            file: &["services.etcd.backup_config.interval_hours"],
            kind: Kind::Hours,
            value_name: "HOURS",
            default: "12",
            help: "Hours between two snapshots, 1 to 8760; supersedes creation.",
            ..SCHEDULE
        },
        Spec {
            id: Id::Creation,
            name: "creation",
            env: &["ROLLSNAP_CREATION"],
            file: &["services.etcd.creation"],
            kind: Kind::Duration,
            value_name: "DURATION",
            default: "5m0s where only the older keys are used",
            help: "The time between two snapshots as a duration such as 5m0s, 1s at least.",
            ..SCHEDULE
        },
        Spec {
            id: Id::Cron,
            name: "cron",
            env: &["ROLLSNAP_CRON"],
            file: &["services.etcd.backup_config.cron"],
            value_name: "FIELDS",
            help: "Times of the day instead of an interval, as five fields of cron: minute, hour, \
                   day of the month, month, day of the week, such as \"0 */6 * * *\".",
            ..SCHEDULE
        },
        Spec {
            id: Id::Zone,
            name: "zone",
            env: &["ROLLSNAP_ZONE"],
            file: &["services.etcd.backup_config.zone"],
            value_name: "ZONE",
            default: "UTC",
            help: "The time zone of cron, and of the days, weeks and months of retention-tiers, by \
                   its name in the IANA database, such as Europe/Berlin; TZ is not asked.",
            ..SCHEDULE
        },
        Spec {
            id: Id::Retention,
            name: "retention",
            env: &["ROLLSNAP_RETENTION"],
            file: &[
                "services.etcd.backup_config.retention",
                "services.etcd.retention",
            ],
            kind: Kind::Retention,
            value_name: "COUNT|DURATION",
            default: "6; 24h where only the older keys are used",
            help: "How many snapshots are kept, 1 to 100000, or for how long; a duration also \
                   keeps as many as it holds intervals, whatever their age.",
            ..SCHEDULE
        },
        Spec {
            id: Id::RetentionTiers,
            name: "retention-tiers",
            env: &["ROLLSNAP_RETENTION_TIERS"],
            file: &["services.etcd.backup_config.retention_tiers"],
            kind: Kind::List,
            value_name: "TIER=COUNT",
            help: "What stays beside the newest: the last snapshot of so many hours, days, weeks \
                   and months that have one, between commas, such as daily=7,weekly=4,monthly=12.",
            ..SCHEDULE
        },
        Spec {
            id: Id::PruneForeign,
            name: "prune-foreign",
            env: &["ROLLSNAP_PRUNE_FOREIGN"],
            file: &["prune_foreign"],
            kind: Kind::OneOf(&rollsnap_rke::cluster_yml::PruneForeign::WORDS),
            value_name: "WHERE",
            default: "never; local for RKE's rke-etcd-backup",
            help: "Where rolling snapshots that RKE's sidecar left go by their age as ours do: in \
                   the directory, in the bucket too, or nowhere.",
            ..SCHEDULE
        },
        Spec {
            id: Id::Compression,
            name: "compression",
            env: &["ROLLSNAP_COMPRESSION"],
            file: &["services.etcd.backup_config.compression"],
            kind: Kind::OneOf(&rollsnap_rke::cluster_yml::Compression::WORDS),
            value_name: "CODEC",
            default: "none",
            help: "How snapshots are stored: as etcd sends them, as Zstandard frames, or as a zip such \
                   as RKE's sidecar writes.",
            ..SNAPSHOT
        },
        Spec {
            id: Id::SafeTimestamp,
            name: "safe-timestamp",
            env: &["ROLLSNAP_SAFE_TIMESTAMP"],
            file: &["services.etcd.backup_config.safe_timestamp"],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "false",
            help: "Whether names of snapshots have - instead of : in their time.",
            ..SNAPSHOT
        },
        Spec {
            id: Id::Timeout,
            name: "timeout",
            env: &["ROLLSNAP_TIMEOUT"],
            file: &["services.etcd.backup_config.timeout"],
            kind: Kind::Duration,
            value_name: "DURATION",
            default: "no limit",
            help: "The longest that one attempt at a snapshot may take; whole seconds in the file.",
            ..SNAPSHOT
        },
        Spec {
            id: Id::Verify,
            name: "verify",
            env: &["ROLLSNAP_VERIFY"],
            file: &["verify"],
            kind: Kind::OneOf(&rollsnap_rke::cluster_yml::Verify::WORDS),
            value_name: "DEPTH",
            default: "deep",
            help: "How deep a snapshot is verified before it counts and is copied: by the digest \
                   that etcd sends, or by every page, key and revision too.",
            ..SNAPSHOT
        },
        Spec {
            id: Id::VerifyNice,
            name: "verify-nice",
            env: &["ROLLSNAP_VERIFY_NICE"],
            file: &["verify_nice"],
            kind: Kind::Number,
            value_name: "NICE",
            default: "10",
            help: "How much deep verification gives way to other work of the machine, 0 to 19.",
            ..SNAPSHOT
        },
        Spec {
            id: Id::CompareMembers,
            name: "compare-members",
            env: &["ROLLSNAP_COMPARE_MEMBERS"],
            file: &["compare_members"],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "false",
            help: "Whether each snapshot is compared with what every member of the cluster holds \
                   at its revision; needs deep verification.",
            ..SNAPSHOT
        },
        Spec {
            id: Id::MaxRate,
            name: "max-rate",
            env: &["ROLLSNAP_MAX_RATE"],
            file: &["max_rate"],
            value_name: "RATE",
            default: "no limit",
            help: "The most that is read from etcd in a second, such as 50MB; a database that \
                   grows meanwhile ends the limit.",
            ..SNAPSHOT
        },
        Spec {
            id: Id::Drill,
            name: "drill",
            env: &["ROLLSNAP_DRILL"],
            file: &["drill"],
            kind: Kind::Duration,
            value_name: "DURATION",
            default: "never",
            group: Group::Drill,
            help: "The time between two drills, in which the daemon rehearses a restore of the \
                   newest snapshot that was proved.",
            ..FLAG
        },
        Spec {
            id: Id::DrillBoot,
            name: "drill-boot",
            env: &["ROLLSNAP_DRILL_BOOT"],
            file: &["drill_boot"],
            kind: Kind::Path,
            value_name: "ETCD",
            group: Group::Drill,
            help: "The program of an etcd that a drill starts on what was restored, and asks \
                   whether it has the same keys.",
            ..FLAG
        },
        Spec {
            id: Id::S3,
            name: "s3",
            env: &["ROLLSNAP_S3", "S3_BACKUP"],
            file: &["services.etcd.backup_config.s3backupconfig"],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "true where a bucket is named",
            help: "Whether snapshots are copied to a bucket.",
            ..BUCKET
        },
        Spec {
            id: Id::S3Endpoint,
            name: "s3-endpoint",
            env: &[
                "ROLLSNAP_S3_ENDPOINT",
                "S3_ENDPOINT",
                "AWS_ENDPOINT_URL_S3",
                "AWS_ENDPOINT_URL",
            ],
            file: &["services.etcd.backup_config.s3backupconfig.endpoint"],
            value_name: "HOST|URL",
            default: "Amazon's",
            help: "The S3 server: a host, host:port, or either behind http:// or https://.",
            ..BUCKET
        },
        Spec {
            id: Id::S3EndpointCa,
            name: "s3-endpoint-ca",
            env: &["ROLLSNAP_S3_ENDPOINT_CA", "S3_ENDPOINT_CA"],
            file: &["services.etcd.backup_config.s3backupconfig.custom_ca"],
            value_name: "FILE|PEM",
            default: "the system's",
            help: "The CA that signed the S3 server's certificate: a PEM file, PEM text, or \
                   base64 of it.",
            ..BUCKET
        },
        Spec {
            id: Id::BucketName,
            name: "bucket-name",
            env: &["ROLLSNAP_BUCKET_NAME", "S3_BUCKET_NAME"],
            file: &["services.etcd.backup_config.s3backupconfig.bucket_name"],
            value_name: "NAME",
            help: "The bucket.",
            ..BUCKET
        },
        Spec {
            id: Id::Region,
            name: "region",
            env: &[
                "ROLLSNAP_REGION",
                "S3_BUCKET_REGION",
                "AWS_REGION",
                "AWS_DEFAULT_REGION",
            ],
            file: &["services.etcd.backup_config.s3backupconfig.region"],
            value_name: "REGION",
            default: "found out",
            help: "The bucket's region.",
            ..BUCKET
        },
        Spec {
            id: Id::Folder,
            name: "folder",
            env: &["ROLLSNAP_FOLDER", "S3_FOLDER"],
            file: &["services.etcd.backup_config.s3backupconfig.folder"],
            value_name: "FOLDER",
            default: "the bucket's top",
            help: "The folder inside the bucket; one for each cluster.",
            ..BUCKET
        },
        Spec {
            id: Id::AccessKey,
            name: "access-key",
            env: &["ROLLSNAP_ACCESS_KEY", "S3_ACCESS_KEY"],
            file: &["services.etcd.backup_config.s3backupconfig.access_key"],
            default: "as AWS' tools find it",
            help: "The access key; better by environment or file.",
            ..KEY
        },
        Spec {
            id: Id::SecretKey,
            name: "secret-key",
            env: &["ROLLSNAP_SECRET_KEY", "S3_SECRET_KEY"],
            file: &["services.etcd.backup_config.s3backupconfig.secret_key"],
            default: "as AWS' tools find it",
            help: "The secret key; better by environment or file.",
            ..KEY
        },
        Spec {
            id: Id::AccessKeyFile,
            name: "access-key-file",
            env: &["ROLLSNAP_ACCESS_KEY_FILE"],
            file: &["services.etcd.backup_config.s3backupconfig.access_key_file"],
            group: Group::Bucket,
            help: "A file that holds nothing but the access key, read anew before each use.",
            ..PATH
        },
        Spec {
            id: Id::SecretKeyFile,
            name: "secret-key-file",
            env: &["ROLLSNAP_SECRET_KEY_FILE"],
            file: &["services.etcd.backup_config.s3backupconfig.secret_key_file"],
            group: Group::Bucket,
            help: "A file that holds nothing but the secret key, read anew before each use.",
            ..PATH
        },
        Spec {
            id: Id::SessionToken,
            name: "session-token",
            on_command_line: OnCommandLine::Never,
            env: &["ROLLSNAP_SESSION_TOKEN"],
            help: "The token of temporary keys, beside an access key and a secret key.",
            ..KEY
        },
        Spec {
            id: Id::AwsProfile,
            name: "aws-profile",
            env: &["ROLLSNAP_AWS_PROFILE"],
            file: &["services.etcd.backup_config.s3backupconfig.aws_profile"],
            value_name: "NAME",
            default: "AWS_PROFILE, else default",
            help: "A profile of the files that AWS' tools share, with keys or a role.",
            ..BUCKET
        },
        Spec {
            id: Id::Anonymous,
            name: "anonymous",
            env: &["ROLLSNAP_ANONYMOUS"],
            file: &["services.etcd.backup_config.s3backupconfig.anonymous"],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "false",
            help: "Whether requests to the bucket are not signed.",
            ..BUCKET
        },
        Spec {
            id: Id::S3Addressing,
            name: "s3-addressing",
            env: &["ROLLSNAP_S3_ADDRESSING"],
            file: &["services.etcd.backup_config.s3backupconfig.addressing"],
            kind: Kind::OneOf(&rollsnap_rke::cluster_yml::Addressing::WORDS),
            value_name: "STYLE",
            default: "auto",
            help: "Where the bucket's name goes in a request: into the host's name, as Amazon and \
                   some others want it, or into the path.",
            ..BUCKET
        },
        Spec {
            id: Id::S3InsecureSkipVerify,
            name: "s3-insecure-skip-verify",
            env: &["ROLLSNAP_S3_INSECURE_SKIP_VERIFY"],
            file: &["services.etcd.backup_config.s3backupconfig.insecure_skip_verify"],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "false",
            help: "Whether the S3 server's certificate is not checked: whoever stands between can \
                   then read and change everything.",
            ..BUCKET
        },
        Spec {
            id: Id::StorageClass,
            name: "storage-class",
            env: &["ROLLSNAP_STORAGE_CLASS"],
            file: &["services.etcd.backup_config.s3backupconfig.storage_class"],
            value_name: "CLASS",
            default: "the bucket's",
            help: "The storage class of what is uploaded, such as STANDARD_IA.",
            ..BUCKET
        },
        Spec {
            id: Id::Tags,
            name: "tags",
            env: &["ROLLSNAP_TAGS"],
            file: &["services.etcd.backup_config.s3backupconfig.tags"],
            kind: Kind::List,
            value_name: "KEY=VALUE",
            help: "Tags of what is uploaded, ten at most, between commas.",
            ..BUCKET
        },
        Spec {
            id: Id::Sse,
            name: "sse",
            env: &["ROLLSNAP_SSE"],
            file: &["services.etcd.backup_config.s3backupconfig.sse"],
            kind: Kind::OneOf(&rollsnap_rke::cluster_yml::Sse::WORDS),
            value_name: "BY",
            default: "the bucket's",
            help: "Who encrypts what is uploaded: the server with its own keys, with a key of KMS, \
                   or with a key of yours that it does not keep.",
            ..BUCKET
        },
        Spec {
            id: Id::KmsKeyId,
            name: "kms-key-id",
            env: &["ROLLSNAP_KMS_KEY_ID"],
            file: &["services.etcd.backup_config.s3backupconfig.kms_key_id"],
            value_name: "ID",
            default: "the account's",
            help: "The id or ARN of KMS's key, with --sse kms.",
            ..BUCKET
        },
        Spec {
            id: Id::SseCustomerKeyFile,
            name: "sse-customer-key-file",
            env: &["ROLLSNAP_SSE_CUSTOMER_KEY_FILE"],
            file: &["services.etcd.backup_config.s3backupconfig.sse_customer_key_file"],
            kind: Kind::Path,
            value_name: "FILE",
            help: "A file that holds nothing but your key, 32 bytes or their base64, with --sse \
                   customer; without it nothing that was uploaded can be read.",
            ..BUCKET
        },
        Spec {
            id: Id::ObjectLockMode,
            name: "object-lock-mode",
            env: &["ROLLSNAP_OBJECT_LOCK_MODE"],
            file: &["services.etcd.backup_config.s3backupconfig.object_lock_mode"],
            kind: Kind::OneOf(&rollsnap_rke::cluster_yml::LockMode::WORDS),
            value_name: "MODE",
            default: "the bucket's",
            help: "Who may delete what is uploaded before its period is over: whoever has the \
                   right to bypass the lock, or nobody.",
            ..BUCKET
        },
        Spec {
            id: Id::ObjectLockPeriod,
            name: "object-lock-period",
            env: &["ROLLSNAP_OBJECT_LOCK_PERIOD"],
            file: &["services.etcd.backup_config.s3backupconfig.object_lock_period"],
            kind: Kind::Duration,
            value_name: "DURATION",
            default: "the bucket's",
            help: "How long what is uploaded is locked, such as 720h or 30days.",
            ..BUCKET
        },
        Spec {
            id: Id::LegalHold,
            name: "legal-hold",
            env: &["ROLLSNAP_LEGAL_HOLD"],
            file: &["services.etcd.backup_config.s3backupconfig.legal_hold"],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "false",
            help: "Whether what is uploaded is held until somebody lifts the hold.",
            ..BUCKET
        },
        Spec {
            id: Id::UploadRate,
            name: "upload-rate",
            env: &["ROLLSNAP_UPLOAD_RATE"],
            file: &["services.etcd.backup_config.s3backupconfig.upload_rate"],
            value_name: "RATE",
            default: "no limit",
            help: "The most that all uploads together may send in a second, such as 20MB.",
            ..BUCKET
        },
        Spec {
            id: Id::VerifyRemote,
            name: "verify-remote",
            env: &["ROLLSNAP_VERIFY_REMOTE"],
            file: &["services.etcd.backup_config.s3backupconfig.verify_remote"],
            kind: Kind::Duration,
            value_name: "DURATION",
            default: "never",
            help: "The time in which the daemon reads every copy in the bucket back once, evenly \
                   spread, and compares its bytes with what was uploaded.",
            ..BUCKET
        },
        Spec {
            id: Id::Http,
            name: "http",
            env: &["ROLLSNAP_HTTP"],
            file: &["http"],
            kind: Kind::Text,
            value_name: "ADDRESS:PORT",
            default: "127.0.0.1:2389; off for RKE's rke-etcd-backup",
            help: "Where the daemon answers over HTTP: its health, its metrics and its snapshots, to \
                   whoever reaches it; off, or an empty flag, for nowhere.",
            ..HTTP
        },
        Spec {
            id: Id::HttpSocket,
            name: "http-socket",
            env: &["ROLLSNAP_HTTP_SOCKET"],
            file: &["http_socket"],
            help: "A Unix socket where it answers too, for its own user alone; whoever may open it may \
                   have a snapshot taken.",
            ..HTTP
        },
        Spec {
            id: Id::HttpTokenFile,
            name: "http-token-file",
            env: &["ROLLSNAP_HTTP_TOKEN_FILE"],
            file: &["http_token_file"],
            help: "A file that holds nothing but the bearer token with which a snapshot may be asked \
                   for over the network; read anew for each that is.",
            ..HTTP
        },
        Spec {
            id: Id::HttpCert,
            name: "http-cert",
            env: &["ROLLSNAP_HTTP_CERT"],
            file: &["http_cert"],
            help: "The certificate that the daemon shows, with its intermediates; then it answers over \
                   TLS alone, and reads a renewed one by itself.",
            ..HTTP
        },
        Spec {
            id: Id::HttpKey,
            name: "http-key",
            env: &["ROLLSNAP_HTTP_KEY"],
            file: &["http_key"],
            help: "The private key of that certificate.",
            ..HTTP
        },
        Spec {
            id: Id::PingUrl,
            name: "ping-url",
            on_command_line: OnCommandLine::Never,
            env: &["ROLLSNAP_PING_URL"],
            file: &["ping_url"],
            kind: Kind::Secret,
            value_name: "URL",
            help: "The http:// or https:// address that the daemon asks when an attempt at a \
                   snapshot has succeeded; with /start behind its path when one begins, and with \
                   /fail when it failed, as healthchecks.io has it.",
            ..NOTICES
        },
        Spec {
            id: Id::PingUrlFile,
            name: "ping-url-file",
            env: &["ROLLSNAP_PING_URL_FILE"],
            file: &["ping_url_file"],
            help: "A file that holds nothing but that address, for who knows it may speak for the \
                   daemon; read anew each time.",
            ..NOTICES
        },
        Spec {
            id: Id::Kubeconfig,
            name: "kubeconfig",
            env: &["ROLLSNAP_KUBECONFIG"],
            file: &["kubeconfig"],
            help: "The kubeconfig of the Kubernetes to which Events are posted, such as RKE's \
                   /etc/kubernetes/ssl/kubecfg-kube-node.yaml; read anew for each.",
            ..NOTICES
        },
        Spec {
            id: Id::KubernetesEvents,
            name: "kubernetes-events",
            env: &["ROLLSNAP_KUBERNETES_EVENTS"],
            file: &["kubernetes_events"],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "true where a kubeconfig is named",
            help: "Whether successes, failures and broken snapshots are posted as Events about the \
                   Node; without a kubeconfig as the pod's service account.",
            ..NOTICES
        },
        Spec {
            id: Id::NodeName,
            name: "node-name",
            env: &["ROLLSNAP_NODE_NAME", "NODE_NAME"],
            file: &["node_name"],
            kind: Kind::Text,
            value_name: "NAME",
            default: "the host's",
            help: "The name of the Node that the Events are about.",
            ..NOTICES
        },
        Spec {
            id: Id::LogFormat,
            name: "log-format",
            env: &["ROLLSNAP_LOG_FORMAT"],
            kind: Kind::OneOf(&["logfmt", "json"]),
            value_name: "FORMAT",
            default: "logfmt",
            group: Group::Log,
            help: "How log lines are written.",
            ..FLAG
        },
        Spec {
            id: Id::Debug,
            name: "debug",
            env: &["ROLLSNAP_DEBUG", "RANCHER_DEBUG"],
            kind: Kind::Switch,
            value_name: "BOOL",
            default: "false",
            group: Group::Log,
            help: "Whether debug lines are logged; RUST_LOG says it in finer steps.",
            ..FLAG
        },
    ]
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_ids() {
        for (index, spec) in OPTIONS.iter().enumerate() {
            assert_eq!(spec.id as usize, index, "{}", spec.name);
        }
    }

    #[test]
    fn names_are_given_once_and_help_is_one_sentence() {
        let names: BTreeSet<_> = OPTIONS.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), OPTIONS.len());
        let env: Vec<_> = OPTIONS.iter().flat_map(|spec| spec.env).collect();
        let unique: BTreeSet<_> = env.iter().collect();
        assert_eq!(unique.len(), env.len());
        for spec in &OPTIONS {
            assert!(
                spec.help.ends_with('.') && spec.help.matches(". ").count() == 0,
                "{spec:?}"
            );
        }
    }
}
