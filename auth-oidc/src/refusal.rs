//! Refusals: why a request is not granted, and the one table of wire codes.

use std::fmt;

use auth_core::TooManyAttempts;
use http::StatusCode;

use crate::explain::{Explained, Rule};

/// Declares the registered error codes with their status where they are answered directly.
macro_rules! error_codes {
    ($(#[doc = $doc:literal] $name:ident = $code:literal, $status:ident;)*) => {
        /// An error code of OAuth 2.0 or OpenID Connect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(#[doc = $doc] $name,)*
        }

        impl ErrorCode {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// The code on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status when it is answered directly, as JSON or a page.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// Where it is defined: its documentation begins with that.
            pub(crate) fn section(self) -> &'static str {
                let documented = match self { $(Self::$name => $doc,)* };
                documented.split(':').next().unwrap_or_default().trim()
            }

            /// The error of a code.
            pub(crate) fn parse(code: &str) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    /// RFC 6749 §4.1.2.1, §5.2: a parameter is missing, malformed or repeated.
    InvalidRequest = "invalid_request", BAD_REQUEST;
    /// RFC 6749 §5.2: client authentication failed.
    InvalidClient = "invalid_client", UNAUTHORIZED;
    /// RFC 6749 §5.2: the code or refresh token is not good, or not this client's.
    InvalidGrant = "invalid_grant", BAD_REQUEST;
    /// RFC 6749 §4.1.2.1, §5.2: the client may not do this.
    UnauthorizedClient = "unauthorized_client", BAD_REQUEST;
    /// RFC 6749 §5.2: there is no such grant type here.
    UnsupportedGrantType = "unsupported_grant_type", BAD_REQUEST;
    /// RFC 6749 §4.1.2.1: there is no such response type here.
    UnsupportedResponseType = "unsupported_response_type", BAD_REQUEST;
    /// RFC 6749 §4.1.2.1, §5.2: the scope is malformed, unknown, or more than permitted.
    InvalidScope = "invalid_scope", BAD_REQUEST;
    /// RFC 6749 §4.1.2.1: the person or the provider said no.
    AccessDenied = "access_denied", FORBIDDEN;
    /// RFC 6749 §4.1.2.1: a component is away.
    TemporarilyUnavailable = "temporarily_unavailable", SERVICE_UNAVAILABLE;
    /// RFC 6749 §4.1.2.1: a defect of the provider.
    ServerError = "server_error", INTERNAL_SERVER_ERROR;
    /// OpenID Connect Core §3.1.2.6: somebody must sign in.
    LoginRequired = "login_required", BAD_REQUEST;
    /// OpenID Connect Core §3.1.2.6: somebody must consent.
    ConsentRequired = "consent_required", BAD_REQUEST;
    /// OpenID Connect Core §3.1.2.6: somebody must choose an account.
    AccountSelectionRequired = "account_selection_required", BAD_REQUEST;
    /// OpenID Connect Core Unmet Authentication Requirements §2.
    UnmetAuthenticationRequirements = "unmet_authentication_requirements", BAD_REQUEST;
    /// OpenID Connect Core §3.1.2.6: request objects of this form are not accepted.
    RequestNotSupported = "request_not_supported", BAD_REQUEST;
    /// OpenID Connect Core §3.1.2.6: request objects by reference are not accepted.
    RequestUriNotSupported = "request_uri_not_supported", BAD_REQUEST;
    /// OpenID Connect Core §3.1.2.6, RFC 9126 §4: the request is not there, expired or used.
    InvalidRequestUri = "invalid_request_uri", BAD_REQUEST;
    /// OpenID Connect Core §3.1.2.6, RFC 9101 §6: the request object is not good.
    InvalidRequestObject = "invalid_request_object", BAD_REQUEST;
    /// OpenID Connect Core §3.1.2.6: the `registration` parameter is not accepted.
    RegistrationNotSupported = "registration_not_supported", BAD_REQUEST;
    /// Ory Hydra: `state` has too little entropy to protect a client.
    InvalidState = "invalid_state", BAD_REQUEST;
    /// RFC 8707 §2: the resource is malformed or not for this client.
    InvalidTarget = "invalid_target", BAD_REQUEST;
    /// RFC 6750 §3.1: the access token is not good.
    InvalidToken = "invalid_token", UNAUTHORIZED;
    /// RFC 6750 §3.1: the access token does not permit this.
    InsufficientScope = "insufficient_scope", FORBIDDEN;
    /// Ory Hydra: the answer to a challenge came from another browser, or twice.
    RequestForbidden = "request_forbidden", FORBIDDEN;
    /// Our own: the tenant was deleted, and does not come back.
    IssuerGone = "issuer_gone", GONE;
    /// RFC 7591 §3.2.2: a redirect URI cannot be registered.
    InvalidRedirectUri = "invalid_redirect_uri", BAD_REQUEST;
    /// RFC 7591 §3.2.2: a member of the client's metadata cannot be registered.
    InvalidClientMetadata = "invalid_client_metadata", BAD_REQUEST;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal that is answered as JSON: at the token, introspection, revocation and userinfo endpoints
/// (RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What the client is told.
    pub error: ErrorCode,
    /// What its developer is told: names the parameter, never a secret.
    pub description: String,
    /// Whether HTTP Basic was tried, so that a 401 must challenge for it (RFC 6749 §5.2).
    pub basic: bool,
    /// When to try again, for 429.
    pub too_many: Option<TooManyAttempts>,
    pub(crate) rule: Option<Rule>,
}

impl Explained for Refusal {
    fn rule(&mut self) -> &mut Option<Rule> {
        &mut self.rule
    }
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(error: ErrorCode, description: impl Into<String>) -> Self {
        Self { error, description: description.into(), basic: false, too_many: None, rule: None }
    }

    /// `invalid_request` (RFC 6749 §5.2).
    #[must_use]
    pub fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_grant` (RFC 6749 §5.2).
    #[must_use]
    pub fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }
}

impl From<auth_core::http::FormError> for Refusal {
    fn from(error: auth_core::http::FormError) -> Self {
        Self::invalid_request(error.to_string())
    }
}
