//! A member looked over before trust is placed in it. Nothing here changes anything there.

use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use crate::client::member_status;
use crate::expiry::end_of;
use crate::{Member, MemberStatus, Members, Source, SourceError, probe};

const STATUS: &str = "status of";
const HEALTH: &str = "health of";

/// What a member tells of itself.
#[derive(Debug)]
pub struct Checkup {
    /// Its endpoint.
    pub endpoint: String,
    /// Who and how it is; why nothing else is known where it does not tell.
    pub status: Result<Vitals, SourceError>,
    /// The last second of the certificate that it shows, since 1970. None without TLS, without an
    /// answer, and where the system's authorities are trusted: then nobody here can shake hands.
    pub certificate_end: Option<u64>,
}

/// What is known of a member that answers.
#[derive(Debug)]
pub struct Vitals {
    /// Its own words.
    pub status: MemberStatus,
    /// Whether it knows a leader.
    pub has_leader: bool,
    /// Whether the cluster answers through it: a read that a majority must agree to, as `etcdctl
    /// endpoint health` asks it. Who may not read may take no snapshot either, for that takes the
    /// role root. Not asked of a learner, which may not answer.
    pub health: Result<(), SourceError>,
}

impl Members {
    /// Looks over every member that is configured, all at once. Takes at most twice the request
    /// timeout and a second.
    pub async fn check_up(&self) -> Vec<Checkup> {
        futures_util::future::join_all(self.all.iter().map(Member::check_up)).await
    }
}

impl Member {
    /// Looks over this member.
    pub async fn check_up(&self) -> Checkup {
        let vitals = timeout(self.request_timeout, Box::pin(self.ask_vitals()));
        let status = vitals.await.unwrap_or_else(|_| Err(self.no_answer(STATUS)));
        let status = match status {
            Ok((status, has_leader)) => Ok(Vitals {
                health: self.ask_health(&status).await,
                status,
                has_leader,
            }),
            Err(error) => Err(error),
        };
        let certificate = match &status {
            Ok(_) => self.shown_certificate().await,
            Err(_) => None,
        };
        Checkup {
            endpoint: self.endpoint().to_owned(),
            status,
            certificate_end: certificate.as_ref().and_then(end_of),
        }
    }

    async fn ask_vitals(&self) -> Result<(MemberStatus, bool), SourceError> {
        let client = self.connect(STATUS).await?;
        let answer = match client.maintenance_client().status().await {
            Ok(answer) => answer,
            Err(error) => return Err(self.subject.explain(STATUS, error).await),
        };
        let has_leader = answer.leader() != 0;
        let mut status = member_status(answer)
            .ok_or_else(|| self.no_etcd(STATUS, "its status names no version and no member"))?;
        status.member_name = self.ask_name(&client, status.member_id).await;
        Ok((status, has_leader))
    }

    async fn ask_health(&self, status: &MemberStatus) -> Result<(), SourceError> {
        if status.is_learner {
            return Ok(());
        }
        let asked = async {
            let client = self.connect(HEALTH).await?;
            match client.kv_client().get("health", None).await {
                Err(error) => Err(self.subject.explain(HEALTH, error).await),
                Ok(_) => Ok(()),
            }
        };
        let answer = timeout(self.request_timeout, Box::pin(asked)).await;
        answer.unwrap_or_else(|_| {
            let error = self.no_answer(HEALTH);
            Err(error.with_hint("a majority of the members must be up and reach each other"))
        })
    }

    async fn shown_certificate(&self) -> Option<CertificateDer<'static>> {
        let tls = self.subject.tls.clone();
        let config = tokio::task::spawn_blocking(move || tls.handshake_config());
        probe::certificate(&self.subject.endpoint, config.await.ok()??).await
    }
}
