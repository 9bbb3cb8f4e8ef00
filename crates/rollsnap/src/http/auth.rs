//! Who may have something done. Whoever reaches the port may look; a snapshot is taken for the
//! user of the Unix socket and for who has the token.

use std::path::Path;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

/// A longer file holds no token.
const LONGEST: u64 = 4096;

/// By which way somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The port.
    Network,
    /// The Unix socket: the kernel let nobody through but its user and root.
    Socket,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token is configured.
    Closed,
    /// No token was shown.
    NoToken,
    /// Another token was shown.
    WrongToken,
    /// The token's file cannot be read or is empty.
    Unreadable,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::Closed | Self::WrongToken => StatusCode::FORBIDDEN,
            Self::Unreadable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Closed => "take a snapshot: not over the network",
            Self::NoToken => "take a snapshot: no token was shown",
            Self::WrongToken => "take a snapshot: this is not the token",
            Self::Unreadable => "take a snapshot: the daemon cannot read its own token",
        }
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Closed => "give the daemon http_token_file, or use its Unix socket (http_socket)",
            Self::NoToken => "send it as `Authorization: Bearer TOKEN`",
            Self::WrongToken => "send what is in the daemon's http_token_file",
            Self::Unreadable => "put one into http_token_file, readable for the daemon",
        }
    }
}

/// Whether this caller may have a snapshot taken.
pub(super) async fn check(
    way: Way,
    token_file: Option<&Path>,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    if way == Way::Socket {
        return Ok(());
    }
    let file = token_file.ok_or(Refusal::Closed)?;
    let shown = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let shown = shown
        .filter(|token| !token.is_empty())
        .ok_or(Refusal::NoToken)?;
    let token = read(file).await.ok_or(Refusal::Unreadable)?;
    if bool::from(token.as_bytes().ct_eq(shown.as_bytes())) {
        Ok(())
    } else {
        Err(Refusal::WrongToken)
    }
}

/// The token in a file, which may end in a newline.
async fn read(file: &Path) -> Option<Zeroizing<String>> {
    let file = tokio::fs::File::open(file).await.ok()?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text).await.ok()?;
    let token = Zeroizing::new(text.trim().to_owned());
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    async fn ask(
        way: Way,
        file: Option<&Path>,
        shown: Option<&'static str>,
    ) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(shown) = shown {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(shown));
        }
        check(way, file, &headers).await
    }

    #[tokio::test]
    async fn a_snapshot_is_taken_for_the_socket_and_for_the_token_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "right\n").unwrap();
        let (file, missing) = (Some(&*file), dir.path().join("none"));
        assert_eq!(ask(Way::Socket, None, None).await, Ok(()));
        for (file, shown, result) in [
            (None, Some("Bearer right"), Err(Refusal::Closed)),
            (file, None, Err(Refusal::NoToken)),
            (file, Some("Bearer "), Err(Refusal::NoToken)),
            (file, Some("Basic right"), Err(Refusal::NoToken)),
            (file, Some("Bearer righ"), Err(Refusal::WrongToken)),
            (file, Some("Bearer right2"), Err(Refusal::WrongToken)),
            (
                Some(&*missing),
                Some("Bearer right"),
                Err(Refusal::Unreadable),
            ),
            (file, Some("Bearer right"), Ok(())),
            (file, Some("bearer  right"), Ok(())),
        ] {
            assert_eq!(ask(Way::Network, file, shown).await, result, "{shown:?}");
        }
        std::fs::write(file.unwrap(), "\n").unwrap();
        let shown = Some("Bearer right");
        assert_eq!(
            ask(Way::Network, file, shown).await,
            Err(Refusal::Unreadable)
        );
    }
}
