//! [`Principal`]: on whose behalf a request to an application is made.

use std::fmt;

use async_trait::async_trait;
use auth_store::Timestamp;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::json;
use tracing::error;

use crate::decision::Unavailable;
use crate::id::{ClientId, SessionId, Subject};
use crate::scope::Scopes;
use crate::secret::Secret;

/// Whom an application is dealing with: first the bearer token, else the login session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// The person; `None` for a client that acts for itself.
    pub subject: Option<Subject>,
    /// The client that brought a token; `None` for a session.
    pub client_id: Option<ClientId>,
    /// What the token permits; empty for a session.
    pub scopes: Scopes,
    /// For whom the token is; empty for a session.
    pub audience: Vec<String>,
    /// By what the principal is known.
    pub carrier: Carrier,
}

/// By what a [`Principal`] is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    BearerToken,
    /// The cookie of a login session.
    Session,
}

impl Principal {
    /// Somebody with nothing but a way to be known.
    #[must_use]
    pub fn new(carrier: Carrier) -> Self {
        Self {
            subject: None,
            client_id: None,
            scopes: Scopes::default(),
            audience: Vec::new(),
            carrier,
        }
    }

    /// Whether it may do what takes `scope`. A scope limits what a client may do for a person; a session
    /// is the person and has none.
    ///
    /// # Errors
    /// [`Denied::InsufficientScope`] unless it is known by a bearer token that has the scope.
    pub fn require_scope(&self, scope: &str) -> Result<(), Denied> {
        match self.carrier == Carrier::BearerToken && self.scopes.contains(scope) {
            true => Ok(()),
            false => Err(Denied::InsufficientScope(scope.to_owned())),
        }
    }
}

/// A live login session at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurrentSession {
    /// Its public name.
    pub sid: SessionId,
    /// Who is signed in.
    pub subject: Subject,
    /// When they last proved it.
    pub auth_time: Timestamp,
    /// How strongly (OpenID Connect Core §2, `acr`).
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    pub amr: Vec<String>,
}

impl CurrentSession {
    /// A session.
    #[must_use]
    pub fn new(sid: SessionId, subject: Subject, auth_time: Timestamp) -> Self {
        Self { sid, subject, auth_time, acr: None, amr: Vec::new() }
    }
}

/// Who can tell whether a token or session is good.
#[async_trait]
pub trait Authority: Send + Sync + fmt::Debug + 'static {
    /// The principal of an access token.
    ///
    /// # Errors
    /// [`Denied::InvalidToken`], [`Denied::Unavailable`].
    async fn bearer(&self, token: &Secret) -> Result<Principal, Denied>;

    /// The login session of a browser, by its cookies.
    ///
    /// # Errors
    /// [`Denied::Unavailable`].
    async fn session(&self, headers: &HeaderMap) -> Result<Option<CurrentSession>, Denied>;

    /// The bearer token's principal, else the session's. With an `Authorization` header the cookie is
    /// not looked at: a bad token never falls back to a good session.
    ///
    /// # Errors
    /// [`Denied`].
    async fn principal(&self, headers: &HeaderMap) -> Result<Principal, Denied> {
        if headers.contains_key(header::AUTHORIZATION) {
            return self.bearer(&bearer_token(headers)?).await;
        }
        let session = self.session(headers).await?.ok_or(Denied::NoCredentials)?;
        Ok(Principal { subject: Some(session.subject), ..Principal::new(Carrier::Session) })
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750 §2.1).
///
/// # Errors
/// [`Denied::NoCredentials`] without a header, [`Denied::InvalidToken`] if there are several or it has
/// another form.
pub fn bearer_token(headers: &HeaderMap) -> Result<Secret, Denied> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(match headers.contains_key(header::AUTHORIZATION) {
            true => Denied::InvalidToken,
            false => Denied::NoCredentials,
        });
    };
    let value = value.to_str().map_err(|_| Denied::InvalidToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Denied::InvalidToken)?;
    let well_formed = !token.is_empty()
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    if !scheme.eq_ignore_ascii_case("bearer") || !well_formed {
        return Err(Denied::InvalidToken);
    }
    Ok(Secret::new(token))
}

/// A request to an application is not let through. It renders itself (RFC 6750 §3).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Neither a token nor a session: 401 without an error code.
    #[error("no credentials were presented")]
    NoCredentials,
    /// A token that is expired, revoked, malformed or not ours: 401 `invalid_token`.
    #[error("the access token is not valid")]
    InvalidToken,
    /// A good token that does not permit this: 403 `insufficient_scope`.
    #[error("the access token lacks the scope `{0}`")]
    InsufficientScope(String),
    /// It cannot be told: 503. Never a 401, which would log people out.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Denied {
    /// The answer to the client.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        if let Self::Unavailable(cause) = self {
            error!(target: "oauth2", error = cause as &dyn std::error::Error, "a request failed");
        }
        let (status, challenge, error) = match self {
            Self::NoCredentials => (StatusCode::UNAUTHORIZED, "Bearer".to_owned(), None),
            Self::InvalidToken => {
                let challenge =
                    format!(r#"Bearer error="invalid_token", error_description="{self}""#);
                (StatusCode::UNAUTHORIZED, challenge, Some("invalid_token"))
            }
            Self::InsufficientScope(scope) => {
                let challenge = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
                (StatusCode::FORBIDDEN, challenge, Some("insufficient_scope"))
            }
            Self::Unavailable(Unavailable::TenantDeleted(_)) => {
                (StatusCode::GONE, String::new(), Some("issuer_gone"))
            }
            Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, String::new(), Some("temporarily_unavailable"))
            }
        };
        let description = match self {
            Self::Unavailable(Unavailable::TenantDeleted(_)) => {
                "this issuer was deleted".to_owned()
            }
            Self::Unavailable(_) => "try again later".to_owned(),
            _ => self.to_string(),
        };
        let body =
            json!({"error": error.unwrap_or("unauthorized"), "error_description": description});
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Unavailable(Unavailable::TenantDeleted(_)) => {}
            Self::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {
                if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                    headers.insert(header::WWW_AUTHENTICATE, challenge);
                }
            }
        }
        response
    }
}
