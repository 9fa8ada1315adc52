//! [`BuiltInPages`]: the handler that sends browsers to the provider's own pages.

use async_trait::async_trait;
use auth_core::Issuer;
use auth_core::challenge::{ChallengeHandler, Pending, Step};
use auth_core::decision::Unavailable;

use crate::endpoint::path;

/// Every question has a page of its own with the challenge in its address, so that it can be reloaded.
#[derive(Debug, Clone)]
pub(crate) struct BuiltInPages {
    pub(crate) issuer: Issuer,
}

#[async_trait]
impl ChallengeHandler for BuiltInPages {
    async fn begin(
        &self,
        pending: &Pending,
        _: &http::request::Parts,
    ) -> Result<Step, Unavailable> {
        let (path, parameter) = match pending {
            Pending::Consent(_) => (path::CONSENT, "consent_challenge"),
            Pending::Logout(_) => (path::LOGOUT, "logout_challenge"),
            _ => (path::LOGIN, "login_challenge"),
        };
        let url = self.issuer.url(path);
        // A challenge is base64url and needs no encoding.
        Ok(Step::Redirect(format!("{url}?{parameter}={}", pending.challenge())))
    }
}
