//! Whose the requests to the bucket are, as it is said in each layer.

use rollsnap_store::s3::CredentialSource;

use super::*;

/// Whose, in a few words.
pub(super) fn told(bucket: &Bucket) -> String {
    match &bucket.keys {
        Keys::Pair(pair) => {
            let key = |key: &Sourced<Key>| key.value.secret.reveal().to_owned();
            format!("{} {}", key(&pair.access_key), key(&pair.secret_key))
        }
        Keys::Usual { profile: None, .. } => "as AWS".to_owned(),
        Keys::Usual {
            profile: Some(profile),
            ..
        } => format!("profile {}", profile.value),
        Keys::Anonymous(_) => "nobody".to_owned(),
    }
}

fn named() -> Machine {
    Machine::default().flag(Id::BucketName, "b")
}

fn whose(machine: &Machine) -> String {
    told(&machine.settings().bucket.value.unwrap())
}

#[test]
fn keys_come_from_files_too_and_from_one_place_of_a_layer() {
    let machine = Machine::config(
        "s3backupconfig:\n  bucket_name: b\n  access_key: a\n  secret_key_file: /s\n",
    );
    let bucket = machine
        .file("/s", "hunter2\n")
        .settings()
        .bucket
        .value
        .unwrap();
    assert_eq!(told(&bucket), "a hunter2");
    let Keys::Pair(pair) = bucket.keys else {
        panic!("no pair");
    };
    assert_eq!(pair.secret_key.origin.to_string(), "file c.yml line 4");

    let machine = Machine::config(
        "s3backupconfig:\n  bucket_name: b\n  access_key: a\n  access_key_file: /a\n  secret_key_file: /gone\n",
    );
    assert_eq!(
        machine.complaints(),
        "c.yml:4: s3backupconfig.access_key_file: names a file, but the key is given too; keep one of them\n\
         c.yml:5: s3backupconfig.secret_key_file: /gone cannot be read: no such file or directory; name a file that holds nothing but the key"
    );
    let machine = Machine::default()
        .flag(Id::BucketName, "b")
        .env([
            ("S3_SECRET_KEY", "aHVudGVyMg=="),
            ("ROLLSNAP_ACCESS_KEY_FILE", "/a"),
        ])
        .file("/a", "AKIA");
    let bucket = machine.settings().bucket.value.unwrap();
    assert_eq!(told(&bucket), "AKIA hunter2", "RKE hands it over in base64");
}

#[test]
fn where_nobody_says_keys_the_usual_places_are_asked() {
    assert_eq!(whose(&named()), "as AWS");
    let amazons = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_PROFILE", "east"),
        ("PATH", "/bin"),
    ];
    let machine = named().env(amazons);
    assert_eq!(whose(&machine), "as AWS");
    let bucket = machine.settings().bucket.value.unwrap();
    let CredentialSource::Chain(surroundings) = bucket.s3_config().credentials else {
        panic!("no chain");
    };
    let shown = format!("{surroundings:?}");
    assert!(shown.contains("AWS_SECRET_ACCESS_KEY"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("PATH"));

    // What is said to this program alone counts over what others read too.
    let file = "s3backupconfig: {bucket_name: b, access_key: a, secret_key: s}\n";
    assert_eq!(whose(&Machine::config(file).env(amazons)), "a s");
}

#[test]
fn the_highest_layer_that_says_whose_decides() {
    let file = "s3backupconfig: {bucket_name: b, access_key: a, secret_key: s}\n";
    let file = || Machine::config(file);
    for (machine, expected) in [
        (file(), "a s"),
        (file().flag(Id::AwsProfile, "east"), "profile east"),
        (file().env([("ROLLSNAP_ANONYMOUS", "true")]), "nobody"),
        (file().env([("ROLLSNAP_ANONYMOUS", "false")]), "a s"),
        (file().flag(Id::SecretKey, "t"), "a t"),
        (
            file()
                .env([("ROLLSNAP_AWS_PROFILE", "east")])
                .flag(Id::SecretKey, "t"),
            "a t",
        ),
        (
            file()
                .env([("ROLLSNAP_AWS_PROFILE", "east")])
                .flag(Id::Anonymous, "true"),
            "nobody",
        ),
        (
            Machine::config("s3backupconfig: {bucket_name: b, aws_profile: west}\n"),
            "profile west",
        ),
        (
            Machine::config("s3backupconfig: {bucket_name: b, anonymous: true}\n"),
            "nobody",
        ),
    ] {
        assert_eq!(whose(&machine), expected);
    }
}

#[test]
fn one_layer_says_one_thing_and_both_keys() {
    for (machine, complaint) in [
        (
            Machine::config("s3backupconfig:\n  bucket_name: b\n  access_key: a\n"),
            "c.yml:3: s3backupconfig.access_key: gives the access key, but there is no secret key; \
             give --secret-key-file, ROLLSNAP_SECRET_KEY, or secret_key in s3backupconfig",
        ),
        (
            named().env([
                ("ROLLSNAP_SECRET_KEY", "s"),
                ("AWS_ACCESS_KEY_ID", "of another pair"),
            ]),
            "environment ROLLSNAP_SECRET_KEY: gives the secret key, but there is no access key; \
             give --access-key-file, ROLLSNAP_ACCESS_KEY, or access_key in s3backupconfig",
        ),
        (
            named()
                .flag(Id::AwsProfile, "east")
                .flag(Id::Anonymous, "true"),
            "--anonymous: is said, but a profile is given too; keep one of them",
        ),
        (
            Machine::config(
                "s3backupconfig:\n  bucket_name: b\n  access_key: a\n  secret_key: s\n  \
                 aws_profile: east\n",
            ),
            "c.yml:5: s3backupconfig.aws_profile: is said, but keys are given too; keep one of \
             them",
        ),
    ] {
        assert_eq!(machine.complaints(), complaint);
    }
}

#[test]
fn keys_in_files_are_read_anew_unless_a_token_binds_them() {
    let machine = named()
        .flag(Id::AccessKey, "a")
        .flag(Id::SecretKeyFile, "/s")
        .file("/s", "hunter2");
    let source = |machine: &Machine| {
        let bucket = machine.settings().bucket.value.unwrap();
        bucket.s3_config().credentials
    };
    assert!(matches!(source(&machine), CredentialSource::Files(_)));
    let bound = machine.env([("ROLLSNAP_SESSION_TOKEN", "t")]);
    assert!(matches!(source(&bound), CredentialSource::Keys(_)));
    assert!(!format!("{:?}", bound.settings()).contains("hunter2"));

    let spaced = named()
        .flag(Id::AccessKey, "a")
        .flag(Id::SecretKeyFile, "/s")
        .file("/s", "hunt er2");
    assert_eq!(
        spaced.complaints(),
        "--secret-key-file: holds white space: copy it again without"
    );
}

#[test]
fn whose_it_is_stands_in_the_report() {
    let rows = |machine: &Machine| {
        let rows = machine.settings().report();
        let names = ["access-key", "secret-key", "aws-profile", "anonymous"];
        let rows = rows.into_iter().filter(|row| names.contains(&row.name));
        let shown = rows.map(|row| format!("{}={} by {}", row.name, row.value, row.origin));
        shown.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        rows(&named()),
        "access-key=as AWS' tools find it by default, secret-key=as AWS' tools find it by \
         default, aws-profile=AWS_PROFILE, else default by default, anonymous=false by default"
    );
    assert_eq!(
        rows(&named().flag(Id::Anonymous, "true")),
        "anonymous=true by flag --anonymous"
    );
    let pair = named()
        .flag(Id::AccessKey, "a")
        .flag(Id::SecretKey, "hunter2");
    assert_eq!(
        rows(&pair),
        "access-key=*** by flag --access-key, secret-key=*** by flag --secret-key, \
         anonymous=false by default"
    );
}
