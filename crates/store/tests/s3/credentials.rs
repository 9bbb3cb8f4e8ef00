//! Keys that are looked up, given out, exchanged and refused.

use std::fs;
use std::path::Path;

use http::Method;
use rollsnap_store::s3::{CredentialSource, KeyFiles, KeyText, S3Store, Surroundings};
use rollsnap_store::{ErrorKind, Store, StoreError};
use rollsnap_testkit::aws_peer::{self, Answer, AwsPeer};
use rollsnap_testkit::s3_peer::{ACCESS_KEY, Fault, Rule, S3Peer, SECRET_KEY};
use tempfile::TempDir;

use super::{BUCKET, config};

/// A bucket, those who give keys out, a home directory, and what the environment says.
struct World {
    bucket: S3Peer,
    aws: AwsPeer,
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl World {
    /// Nobody has keys. The giver would give the right ones.
    async fn new() -> Self {
        let world = Self {
            bucket: S3Peer::start(BUCKET).await,
            aws: AwsPeer::start().await,
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        };
        world.aws.give(ACCESS_KEY, SECRET_KEY);
        let home = world.home.path().to_str().unwrap().to_owned();
        world
            .with("HOME", &home)
            .with("AWS_EC2_METADATA_DISABLED", "true")
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// With the token service of the peer.
    fn with_token_service(self) -> Self {
        let endpoint = self.aws.endpoint();
        self.with("AWS_ENDPOINT_URL_STS", &endpoint)
    }

    fn with_web_identity(self) -> Self {
        let token = self.file("token", "identity-canary-1\n");
        self.with_token_service()
            .with("AWS_ROLE_ARN", "arn:aws:iam::1:role/backup")
            .with("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
    }

    fn with_agent(self) -> Self {
        let agent = self.aws.agent();
        self.with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent)
    }

    fn with_instance(self) -> Self {
        let endpoint = self.aws.endpoint();
        self.with("AWS_EC2_METADATA_DISABLED", "false")
            .with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)
    }

    fn with_credentials_file(self, text: &str) -> Self {
        self.file(".aws/credentials", text);
        self
    }

    /// Writes a file of the home directory, and tells its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn surroundings(&self) -> Surroundings {
        self.variables.iter().cloned().collect()
    }

    fn store(&self) -> S3Store {
        self.store_by(CredentialSource::Chain(self.surroundings()))
    }

    fn store_by(&self, credentials: CredentialSource) -> S3Store {
        let mut config = config(self.bucket.endpoint());
        config.credentials = credentials;
        S3Store::open(&config).unwrap()
    }

    async fn told(&self) -> String {
        let store = self.store();
        store.list("").await.unwrap();
        store.credentials_told().await.unwrap()
    }

    async fn refusal(&self) -> StoreError {
        let refusal = self.store().list("").await.unwrap_err();
        let shown = format!("{refusal} {refusal:?} {:?}", refusal.hint());
        assert!(!shown.contains("canary"), "{shown}");
        refusal
    }
}

const PROFILE: &str = "[default]\naws_access_key_id = rollsnap-access\n\
     aws_secret_access_key = rollsnap-canary-secret\n";

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[tokio::test]
async fn the_first_place_that_has_keys_is_used_and_told_with_the_reasons() {
    // From the last place to the first, each beside all that come after it.
    let world = World::new().await.with_instance();
    let told = world.told().await;
    holds(
        &told,
        &[
            "role etcd-backup of this EC2 instance (not environment: AWS_ACCESS_KEY_ID is not set; ",
            "not profile default: it is not in ",
            "not web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; ",
            "not container: AWS_CONTAINER_CREDENTIALS_… is not set)",
        ],
    );
    let world = world.with_agent();
    holds(
        &world.told().await,
        &["the container's agent at http://127.0.0.1"],
    );
    let world = world.with_web_identity();
    holds(
        &world.told().await,
        &["role arn:aws:iam::1:role/backup by the web identity in "],
    );
    let world = world.with_credentials_file(PROFILE);
    let told = world.told().await;
    holds(&told, &["profile default of ", "/.aws/credentials and "]);
    assert!(!told.contains("web identity"), "{told}");
    let world = world
        .with("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .with("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    assert_eq!(world.told().await, "environment, AWS_ACCESS_KEY_ID");
}

#[tokio::test]
async fn where_nobody_has_keys_one_error_says_why_each_has_not() {
    let world = World::new().await;
    let refusal = world.refusal().await;
    assert_eq!(refusal.kind(), ErrorKind::Config);
    holds(
        &refusal.to_string(),
        &[
            "list s3://snapshots/clusters/east: there are no keys: environment: \
             AWS_ACCESS_KEY_ID is not set; profile default: it is not in ",
            "; web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; \
             container: AWS_CONTAINER_CREDENTIALS_… is not set; \
             EC2: AWS_EC2_METADATA_DISABLED is set",
        ],
    );
    holds(refusal.hint().unwrap(), &["access_key", "anonymous"]);
    assert_eq!(world.bucket.seen(), [], "nothing is sent without keys");

    let nowhere = world
        .with("AWS_EC2_METADATA_DISABLED", "no")
        .with("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    let refusal = nowhere.refusal().await;
    holds(
        &refusal.to_string(),
        &["; EC2: http://127.0.0.1:1: connect: connection refused"],
    );
}

#[tokio::test]
async fn a_place_that_is_filled_in_wrongly_ends_the_search() {
    let half = World::new().await.with("AWS_ACCESS_KEY_ID", "half");
    let spaced = World::new()
        .await
        .with("AWS_ACCESS_KEY_ID", "spaced")
        .with("AWS_SECRET_ACCESS_KEY", "can ary");
    let lost = World::new()
        .await
        .with("AWS_SHARED_CREDENTIALS_FILE", "/nonesuch");
    let absent = World::new().await.with("AWS_PROFILE", "east");
    let keyless = World::new()
        .await
        .with_credentials_file("[default]\naws_access_key_id = a\n");
    let browser = World::new()
        .await
        .with("AWS_PROFILE", "sso")
        .with_credentials_file("[sso]\nsso_session = a\n");
    let circle = World::new().await.with_credentials_file(
        "[default]\nrole_arn = r\nsource_profile = b\n[b]\nrole_arn = s\nsource_profile = default\n",
    );
    let roleless = World::new().await.with("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
    let stranger = World::new()
        .await
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/");
    for (world, words) in [
        (
            half,
            "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not",
        ),
        (spaced, "environment: its secret_key holds white space"),
        (lost, "read /nonesuch: no such file or directory"),
        (absent, "profile east: it is not in "),
        (keyless, "profile default: one of its two keys is missing"),
        (
            browser,
            "it signs in by sso_session, which is not known here",
        ),
        (
            circle,
            "its source profile default is missing or leads in a circle",
        ),
        (
            roleless,
            "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not",
        ),
        (stranger, "AWS_CONTAINER_CREDENTIALS_FULL_URI is no address"),
    ] {
        // The right keys are there, but nobody meant them.
        let refusal = world.with_instance().refusal().await;
        assert_eq!(refusal.kind(), ErrorKind::Config, "{refusal}");
        holds(&refusal.to_string(), &[words]);
    }
}

#[tokio::test]
async fn a_profile_is_found_by_its_name_and_read_anew() {
    let east = PROFILE.replace("default", "east");
    let world = World::new().await.with_credentials_file(&east);
    let world = world
        .with("AWS_ACCESS_KEY_ID", "another")
        .with("AWS_SECRET_ACCESS_KEY", "another");
    let by_name = world.surroundings().with_profile("east");
    let store = world.store_by(CredentialSource::Chain(by_name));
    store.list("").await.unwrap();
    holds(
        &store.credentials_told().await.unwrap(),
        &[
            "profile east of ",
            "(not environment: the profile east is asked for)",
        ],
    );

    world.file(
        ".aws/credentials",
        &east.replace("rollsnap-canary", "exchanged"),
    );
    let refusal = store.list("").await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Denied, "{refusal}");
    fs::remove_file(world.home.path().join(".aws/credentials")).unwrap();
    assert!(store.list("").await.is_err(), "those read last are used on");
    // In the other file a profile has another heading.
    world.file(".aws/config", &east.replace("[east]", "[profile east]"));
    store.list("").await.unwrap();
}

#[tokio::test]
async fn keys_in_files_are_used_as_soon_as_they_are_exchanged() {
    let world = World::new().await;
    let (access, secret) = (world.file("access", "wrong"), world.file("secret", "wrong"));
    let store = world.store_by(CredentialSource::Files(KeyFiles {
        access_key: KeyText::File(access.clone().into()),
        secret_key: KeyText::File(secret.clone().into()),
    }));
    assert_eq!(store.list("").await.unwrap_err().kind(), ErrorKind::Denied);

    world.file("access", ACCESS_KEY);
    world.file("secret", &format!("\n{SECRET_KEY} \n"));
    store.list("").await.unwrap();
    let told = store.credentials_told().await.unwrap();
    assert_eq!(told, format!("the files {access} and {secret}"));

    // A file that is being exchanged may be missing or empty for a moment.
    world.file("access", "");
    store.list("").await.unwrap();
    fs::remove_file(&secret).unwrap();
    store.list("").await.unwrap();
    let told = store.credentials_told().await.unwrap();
    holds(&told, &["as read before: ", "access is empty"]);
}

#[tokio::test]
async fn a_web_identity_is_posted_and_its_token_read_for_each_role() {
    let world = World::new().await.with_web_identity();
    let store = world.store();
    store.list("").await.unwrap();
    store.list("").await.unwrap();
    let asked = world.aws.asked();
    assert_eq!(asked.len(), 1, "a role is kept while it lives: {asked:?}");
    assert_eq!(
        (&asked[0].method, asked[0].path.as_str()),
        (&Method::POST, "/")
    );
    holds(
        &asked[0].form,
        &[
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&",
            "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fbackup&RoleSessionName=rollsnap&",
            "WebIdentityToken=identity-canary-1",
        ],
    );

    world.file("token", "identity-canary-2");
    refuse_once(&world, "ExpiredToken");
    world.aws.give(ACCESS_KEY, "no-longer-right");
    assert_eq!(store.list("").await.unwrap_err().kind(), ErrorKind::Denied);
    holds(&world.aws.asked()[1].form, &["identity-canary-2"]);
}

#[tokio::test]
async fn a_refusing_token_service_is_named_with_its_words() {
    let world = World::new().await.with_web_identity();
    for (status, code, kind, hint) in [
        (403, "AccessDenied", ErrorKind::Denied, "trust policy"),
        (400, "ExpiredTokenException", ErrorKind::Denied, "renewed"),
        (400, "IDPCommunicationError", ErrorKind::Unavailable, "role"),
        (503, "Unavailable", ErrorKind::Unavailable, "role"),
    ] {
        world.aws.say([Answer::Refuses { status, code }]);
        let refusal = world.refusal().await;
        assert_eq!(refusal.kind(), kind, "{code}");
        let words = format!(
            "/token: {}: {status} {code}: As the script says",
            world.aws.endpoint()
        );
        holds(&refusal.to_string(), &[&words]);
        holds(refusal.hint().unwrap(), &[hint]);
    }
    world.aws.say([Answer::Gives {
        access_key: "over".into(),
        secret_key: "over".into(),
        minutes: -1,
    }]);
    holds(
        &world.refusal().await.to_string(),
        &["it gives out keys that expired at 2026-05-01 11:59:00 UTC"],
    );
    fs::remove_file(world.home.path().join("token")).unwrap();
    holds(
        &world.refusal().await.to_string(),
        &["/token: no such file or directory"],
    );
}

#[tokio::test]
async fn a_role_is_taken_on_with_the_signature_of_its_source() {
    let profile = format!(
        "[profile backup]\nrole_arn = arn:aws:iam::1:role/backup\nsource_profile = base\n\
         external_id = a b+c\nduration_seconds = 900\nregion = eu-west-1\n\
         [profile base]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        aws_peer::ACCESS_KEY,
        aws_peer::SECRET_KEY
    );
    let world = World::new().await.with_token_service();
    let world = world.with("AWS_PROFILE", "backup");
    let config = world.home.path().join(".aws/config");
    world.file(".aws/config", &profile);
    let store = world.store();
    store.list("").await.unwrap();
    holds(
        &store.credentials_told().await.unwrap(),
        &["profile backup of ", ": role arn:aws:iam::1:role/backup"],
    );
    let asked = &world.aws.asked()[0];
    holds(
        &asked.form,
        &[
            "Action=AssumeRole&",
            "ExternalId=a%20b%2Bc&DurationSeconds=900",
        ],
    );
    holds(
        asked.authorization.as_deref().unwrap(),
        &["Credential=base-access/", "/eu-west-1/sts/aws4_request"],
    );

    fs::write(&config, profile.replace("base-canary", "wrong-canary")).unwrap();
    let refusal = world.refusal().await;
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    holds(
        &refusal.to_string(),
        &["profile backup of ", "403 SignatureDoesNotMatch"],
    );
    // Another source is another question, also for a store that holds keys by the first.
    assert_eq!(store.list("").await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn a_role_is_taken_on_by_the_environment_an_agent_or_a_web_identity_too() {
    let profile = |rest: &str| format!("[profile backup]\nrole_arn = arn:role\n{rest}\n");
    let world = World::new().await.with_token_service();
    let config = world.file(".aws/config", &profile("credential_source = Environment"));
    // A profile that is asked for by name counts before the keys of the environment.
    let world = world
        .with("AWS_ACCESS_KEY_ID", aws_peer::ACCESS_KEY)
        .with("AWS_SECRET_ACCESS_KEY", aws_peer::SECRET_KEY);
    let by_name = world.surroundings().with_profile("backup");
    let store = world.store_by(CredentialSource::Chain(by_name));
    store.list("").await.unwrap();
    holds(
        &store.credentials_told().await.unwrap(),
        &["profile backup of ", ": role arn:role (not environment"],
    );

    // The agent gives what the token service takes, which then gives what the bucket takes.
    let world = World::new().await.with_token_service().with_agent();
    let world = world
        .with("AWS_CONFIG_FILE", &config)
        .with("AWS_PROFILE", "backup");
    fs::write(&config, profile("credential_source = EcsContainer")).unwrap();
    let gives = |access_key: &str, secret_key: &str| Answer::Gives {
        access_key: access_key.into(),
        secret_key: secret_key.into(),
        minutes: 60,
    };
    world.aws.say([
        gives(aws_peer::ACCESS_KEY, aws_peer::SECRET_KEY),
        gives(ACCESS_KEY, SECRET_KEY),
    ]);
    world.store().list("").await.unwrap();

    let token = world.file("token", "identity-canary");
    let by_identity = profile(&format!("web_identity_token_file = {token}"));
    fs::write(&config, by_identity).unwrap();
    world.store().list("").await.unwrap();
    let asked = world.aws.asked();
    holds(&asked[2].form, &["WithWebIdentity", "identity-canary"]);
}

#[tokio::test]
async fn a_containers_agent_is_shown_its_token() {
    let world = World::new().await.with_agent();
    let token = world.file("token", "agent-canary-1");
    let world = world.with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token);
    let store = world.store();
    store.list("").await.unwrap();
    world.file("token", "agent-canary-2");
    refuse_once(&world, "ExpiredToken");
    // The same keys again are no reason to try again.
    let refusal = store.list("").await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    let shown: Vec<_> = world
        .aws
        .asked()
        .into_iter()
        .map(|asked| asked.authorization.unwrap())
        .collect();
    assert_eq!(shown, ["agent-canary-1", "agent-canary-2"]);

    world.aws.say([Answer::Refuses {
        status: 403,
        code: "AccessDenied",
    }]);
    let refusal = world.refusal().await;
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    holds(
        &refusal.to_string(),
        &["the container's agent at http://127.0.0.1: 403 AccessDenied"],
    );
    world.file("token", "agent\ncanary");
    holds(
        &world.refusal().await.to_string(),
        &["characters that no header has"],
    );
}

#[tokio::test]
async fn an_instance_is_asked_by_a_token_only() {
    let world = World::new().await.with_instance();
    let store = world.store();
    store.list("").await.unwrap();
    let asked: Vec<_> = world
        .aws
        .asked()
        .into_iter()
        .map(|asked| format!("{} {}", asked.method, asked.path))
        .collect();
    let roles = "/latest/meta-data/iam/security-credentials/";
    assert_eq!(
        asked,
        [
            "PUT /latest/api/token".to_owned(),
            format!("GET {roles}"),
            format!("GET {roles}etcd-backup"),
        ]
    );
    world.aws.say([Answer::Refuses {
        status: 200,
        code: "AssumeRoleUnauthorizedAccess",
    }]);
    holds(
        &world.refusal().await.to_string(),
        &["role etcd-backup: AssumeRoleUnauthorizedAccess: As the script says"],
    );
}

#[tokio::test]
async fn keys_that_a_server_calls_expired_are_renewed_once() {
    let world = World::new().await.with_instance();
    let gives = |access_key: &str| Answer::Gives {
        access_key: access_key.into(),
        secret_key: SECRET_KEY.into(),
        minutes: 60,
    };
    world.aws.say([gives("of-yesterday"), gives(ACCESS_KEY)]);
    refuse_once(&world, "ExpiredToken");
    world.store().list("").await.unwrap();
    assert_eq!(world.bucket.count(&Method::GET, "list-type"), 2);

    // When the new ones are refused too, that is told.
    world.aws.say([gives("one"), gives("two"), gives("three")]);
    let expired = Fault::Refuse {
        status: 400,
        code: "ExpiredToken",
        retry_after: None,
    };
    world.bucket.forget();
    world.bucket.script(Rule::on(Method::GET, expired).times(9));
    let refusal = world.refusal().await;
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    assert_eq!(world.bucket.count(&Method::GET, "list-type"), 2);
}

#[tokio::test]
async fn anonymous_is_only_who_asks_for_it() {
    let world = World::new().await.with_instance();
    let store = world.store_by(CredentialSource::Anonymous);
    let refusal = store.list("").await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    assert!(world.aws.asked().is_empty());
    holds(&store.credentials_told().await.unwrap(), &["anonymous"]);
}

#[tokio::test]
async fn debug_shows_no_secret_wherever_it_is_from() {
    let world = World::new()
        .await
        .with("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-canary")
        .with_agent();
    let files = KeyFiles {
        access_key: KeyText::given("access-canary"),
        secret_key: KeyText::File(Path::new("/secret").into()),
    };
    let stores = [
        world.store_by(CredentialSource::Files(files)),
        world.store(),
        World::new().await.with_agent().store(),
    ];
    let _ = stores[2].list("").await;
    let shown = format!("{stores:?} {:?}", world.surroundings());
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("/secret") && shown.contains("AWS_SECRET_ACCESS_KEY"));
}

fn refuse_once(world: &World, code: &'static str) {
    let fault = Fault::Refuse {
        status: 400,
        code,
        retry_after: None,
    };
    world.bucket.script(Rule::on(Method::GET, fault));
}
