//! Grants: one file for each grant type, all of the same shape: a decision that authenticates the
//! client, checks its own conditions, and issues.

mod authorization_code;
mod client_credentials;
mod issue;
mod refresh_token;

use std::fmt;

use auth_core::http::Form;
use serde::Serialize;

pub(crate) use authorization_code::RedeemCode;
pub(crate) use client_credentials::ClientCredentials;
pub(crate) use refresh_token::Refresh;

use crate::authorize::check::resource::granted_audience;
use crate::client::Client;
use crate::client::authenticate::Presented;
use crate::explain::Explained;
use crate::provider::Policy;
use crate::refusal::{ErrorCode, Refusal};
use crate::token::OutgoingToken;

/// A request that a client makes itself, with what every decision on one needs.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    pub(crate) policy: Policy,
    pub(crate) presented: Presented,
    pub(crate) form: Form,
}

impl ClientRequest {
    fn required(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || Refusal::invalid_request(format!("the parameter '{name}' is missing"));
        self.form.get(name).ok_or_else(missing)
    }

    /// Which of the `granted` resources a token is for: those that are asked for, or all of them, as far
    /// as the client may still have them (RFC 8707 §2.2). A grant of which none is left gives no token: one
    /// that names no resource would be good at more places.
    fn audience(&self, granted: &[String], client: &Client) -> Result<Vec<String>, Refusal> {
        let may = |resource: &&String| client.audience.contains(resource);
        let still: Vec<String> = granted.iter().filter(may).cloned().collect();
        let asked = granted_audience(&self.form, &still)
            .map_err(|text| Refusal::new(ErrorCode::InvalidTarget, text))
            .map_err(|it| it.by_parameter("RFC 8707 §2.2", "resource", &self.form))?;
        if still.is_empty() && !granted.is_empty() {
            let text = "the client may not have any of the granted resources any more";
            return Err(Refusal::new(ErrorCode::InvalidTarget, text).by("RFC 8707 §2.2"));
        }
        Ok(if asked.is_empty() { still } else { asked })
    }
}

/// A successful answer (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
#[derive(Serialize)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: OutgoingToken,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: u64,
    pub(crate) scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<OutgoingToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<OutgoingToken>,
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenResponse({})", self.scope)
    }
}
