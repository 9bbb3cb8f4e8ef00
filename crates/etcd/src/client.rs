//! One etcd member, asked with etcd-client over a connection of its own for each question.
//!
//! A client costs less than a millisecond and a handshake, so none is kept: certificates and
//! passwords are those on disk now, and no connection outlives a rotation or a restart.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{Client, ConnectOptions, StatusResponse, TlsOptions};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::chunks::{self, Chunks};
use crate::diagnosis::{Subject, is_auth_off};
use crate::endpoint::{Endpoint, Scheme};
use crate::{ErrorKind, MemberStatus, Secret, SnapshotStream, Source, SourceError, TlsFiles, User};

/// etcd answers pings that come more often than every 5 s with GOAWAY, so this is frequent enough
/// and no more.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The member's name is nice to have; a cluster without quorum does not tell it at all.
const NAME_TIMEOUT: Duration = Duration::from_secs(1);
const STATUS: &str = "status of";
const SNAPSHOT: &str = "snapshot from";

/// What is to be known about a member before it can be asked.
#[derive(Debug, Clone)]
pub struct MemberConfig {
    /// `host:port`, `http://…` or `https://…`; without a scheme it is `https` if any TLS file is
    /// given. The port is 2379 if none is written.
    pub endpoint: String,
    /// Certificates, read again for each connection.
    pub tls: TlsFiles,
    /// Who asks, where etcd has auth enabled. Ignored by an etcd that has not, as etcdctl does.
    pub user: Option<User>,
    /// How long a snapshot may go on without a byte.
    pub stall_timeout: Duration,
    /// How long a member may reckon the hash of its keys, for which it reads all of them.
    pub hash_timeout: Duration,
    /// How long anything else may take.
    pub request_timeout: Duration,
}

impl MemberConfig {
    /// This endpoint without TLS files and user; 30 s for a stall, 2 min for a hash, 5 s for any
    /// other request.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            tls: TlsFiles::default(),
            user: None,
            stall_timeout: Duration::from_secs(30),
            hash_timeout: Duration::from_secs(120),
            request_timeout: Duration::from_secs(5),
        }
    }
}

/// One etcd member.
#[derive(Debug)]
pub struct Member {
    pub(crate) subject: Arc<Subject>,
    user: Option<User>,
    stall_timeout: Duration,
    pub(crate) hash_timeout: Duration,
    pub(crate) request_timeout: Duration,
}

impl Member {
    /// Checks what is configured, the files included, without asking anybody: an etcd that is
    /// down is no fault. All faults at once.
    pub fn new(config: MemberConfig) -> Result<Self, Vec<SourceError>> {
        let mut faults = Vec::new();
        let bare = if config.tls.is_given() {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let endpoint = Endpoint::parse(&config.endpoint, bare)
            .map_err(|fault| faults.push(fault))
            .ok();
        if let Some(endpoint) = &endpoint
            && endpoint.scheme() == Scheme::Http
            && config.tls.is_given()
        {
            faults.push(
                SourceError::new(
                    ErrorKind::Config,
                    "endpoint",
                    endpoint.as_str(),
                    "certificates are given, and http:// uses none",
                )
                .with_hint("write https://, or drop --cacert, --cert and --key"),
            );
        }
        if config.tls.is_given()
            && let Err(mut more) = config.tls.load()
        {
            faults.append(&mut more);
        }
        if let Some(user) = &config.user
            && let Err(fault) = user.password.read()
        {
            faults.push(fault);
        }
        match endpoint {
            Some(endpoint) if faults.is_empty() => Ok(Self {
                subject: Arc::new(Subject {
                    endpoint,
                    tls: config.tls,
                    user: config.user.as_ref().map(|user| user.name.clone()),
                }),
                user: config.user,
                stall_timeout: config.stall_timeout,
                hash_timeout: config.hash_timeout,
                request_timeout: config.request_timeout,
            }),
            _ => Err(faults),
        }
    }

    /// Another endpoint, asked with the same certificates, user and limits.
    pub(crate) fn at(&self, endpoint: Endpoint) -> Self {
        Self {
            subject: Arc::new(Subject {
                endpoint,
                ..Subject::clone(&self.subject)
            }),
            user: self.user.clone(),
            ..*self
        }
    }

    /// A client with the certificates and the password of this moment. It dials when it is first
    /// used, which is here if there is a user to log in.
    pub(crate) async fn connect(&self, verb: &'static str) -> Result<Client, SourceError> {
        let (tls, login) = self.read_files().await?;
        let mut options = ConnectOptions::new()
            .with_connect_timeout(self.request_timeout)
            .with_keep_alive(KEEP_ALIVE, KEEP_ALIVE)
            .with_keep_alive_while_idle(false);
        if let Some(tls) = tls {
            options = options.with_tls(tls);
        }
        let endpoint = [self.subject.endpoint.as_str()];
        let connected = match login {
            None => Client::connect(endpoint, Some(options)).await,
            Some((name, password)) => {
                let with_user = options
                    .clone()
                    .with_user(name, password.expose())
                    .with_auto_token_refresh(true);
                match Client::connect(endpoint, Some(with_user)).await {
                    Err(error) if is_auth_off(&error) => {
                        Client::connect(endpoint, Some(options)).await
                    }
                    other => other,
                }
            }
        };
        match connected {
            Ok(client) => Ok(client),
            Err(error) => Err(self.subject.explain(verb, error).await),
        }
    }

    async fn read_files(
        &self,
    ) -> Result<(Option<TlsOptions>, Option<(String, Secret)>), SourceError> {
        let tls =
            (self.subject.endpoint.scheme() == Scheme::Https).then(|| self.subject.tls.clone());
        let user = self.user.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let tls = tls.map(|files| files.load()).transpose();
            let tls = tls.map_err(|faults| faults.into_iter().next())?;
            let login = user.map(|user| Ok((user.name, user.password.read()?)));
            Ok((tls, login.transpose().map_err(Some)?))
        });
        let read = reading.await.unwrap_or(Err(None));
        read.map_err(|fault: Option<SourceError>| {
            fault.unwrap_or_else(|| {
                let message = "reading certificates and password was broken off";
                self.subject
                    .error(ErrorKind::Unavailable, "connect to", message)
            })
        })
    }

    /// Its status; none if it has not come within `limit`.
    pub(crate) async fn status_within(
        &self,
        limit: Duration,
    ) -> Option<Result<MemberStatus, SourceError>> {
        timeout(limit, Box::pin(self.ask_status())).await.ok()
    }

    /// What a silence means: the error, unless the member can tell a reason for it.
    async fn silence(&self, verb: &'static str, error: SourceError) -> SourceError {
        if !self.is_defragmenting().await {
            return error;
        }
        self.subject
            .error(ErrorKind::Busy, verb, "its database is being defragmented")
            .with_hint("it answers once that is over; nothing is to be done")
    }

    async fn ask_status(&self) -> Result<MemberStatus, SourceError> {
        let client = self.connect(STATUS).await?;
        let mut status = self.status_over(STATUS, &client).await?;
        status.member_name = self.ask_name(&client, status.member_id).await;
        Ok(status)
    }

    /// The status without the name.
    pub(crate) async fn status_over(
        &self,
        verb: &'static str,
        client: &Client,
    ) -> Result<MemberStatus, SourceError> {
        match client.maintenance_client().status().await {
            Ok(answer) => member_status(answer)
                .ok_or_else(|| self.no_etcd(verb, "its status names no version and no member")),
            Err(error) => Err(self.subject.explain(verb, error).await),
        }
    }

    /// The answer could be anybody's.
    pub(crate) fn no_etcd(&self, verb: &'static str, why: &str) -> SourceError {
        self.subject
            .error(
                ErrorKind::Unsuitable,
                verb,
                format!("this is no etcd: {why}"),
            )
            .with_hint("give etcd's client URL with --endpoints")
    }

    /// The member's name, where the cluster tells it: not without quorum, not to everybody, and
    /// not through a learner.
    pub(crate) async fn ask_name(&self, client: &Client, member_id: u64) -> Option<String> {
        let limit = NAME_TIMEOUT.min(self.request_timeout / 2);
        let mut cluster = client.cluster_client();
        let members = timeout(limit, cluster.member_list()).await.ok()?.ok()?;
        let member = members.members().iter().find(|m| m.id() == member_id)?;
        Some(member.name().to_owned()).filter(|name| !name.is_empty())
    }

    async fn open_snapshot(&self) -> Result<Chunks, SourceError> {
        let client = timeout(self.request_timeout, self.connect(SNAPSHOT))
            .await
            .map_err(|_| self.no_answer(SNAPSHOT))??;
        let mut maintenance = client.maintenance_client();
        // The headers come with the first bytes, so it is the stall timeout that holds here.
        match timeout(self.stall_timeout, maintenance.snapshot()).await {
            Ok(Ok(messages)) => Ok(Chunks::new(
                messages,
                client,
                Arc::clone(&self.subject),
                self.stall_timeout,
            )),
            Ok(Err(error)) => Err(self.subject.explain(SNAPSHOT, error).await),
            Err(_) => {
                let stalled = chunks::stalled(&self.subject, self.stall_timeout);
                Err(self.silence(SNAPSHOT, stalled).await)
            }
        }
    }

    pub(crate) fn no_answer(&self, verb: &'static str) -> SourceError {
        let message = format!("no answer for {:?}", self.request_timeout);
        self.subject.error(ErrorKind::Unavailable, verb, message)
    }
}

#[async_trait]
impl Source for Member {
    fn endpoint(&self) -> &str {
        self.subject.endpoint.as_str()
    }

    /// Takes at most the request timeout, and two seconds more where that passes in vain.
    async fn status(&self) -> Result<MemberStatus, SourceError> {
        match self.status_within(self.request_timeout).await {
            Some(answer) => answer,
            None => Err(self.silence(STATUS, self.no_answer(STATUS)).await),
        }
    }

    async fn snapshot(&self) -> Result<SnapshotStream, SourceError> {
        Ok(Box::pin(self.open_snapshot()).await?.boxed())
    }

    async fn look(&self) -> Result<MemberStatus, SourceError> {
        let look = async {
            let client = self.connect(STATUS).await?;
            self.status_over(STATUS, &client).await
        };
        timeout(self.request_timeout, Box::pin(look))
            .await
            .unwrap_or_else(|_| Err(self.no_answer(STATUS)))
    }

    fn fellows(&self) -> Vec<u64> {
        Vec::new()
    }
}

/// None if the answer could be anybody's.
pub(crate) fn member_status(answer: StatusResponse) -> Option<MemberStatus> {
    let answer = answer.0;
    let header = answer.header.filter(|header| header.member_id != 0)?;
    if answer.version.is_empty() {
        return None;
    }
    Some(MemberStatus {
        cluster_id: header.cluster_id,
        member_id: header.member_id,
        member_name: None,
        version: answer.version,
        revision: u64::try_from(header.revision).ok()?,
        raft_term: answer.raft_term,
        raft_applied_index: answer.raft_applied_index,
        leader_id: answer.leader,
        db_size: u64::try_from(answer.db_size).ok()?,
        db_in_use: u64::try_from(answer.db_size_in_use).ok()?,
        is_learner: answer.is_learner,
        errors: answer.errors,
    })
}
