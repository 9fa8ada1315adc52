//! The token endpoint (RFC 6749 §3.2).

use std::sync::Arc;

use auth_core::http::{Request, Response, json};
use http::StatusCode;

use crate::client::GrantType;
use crate::client::authenticate::Presented;
use crate::endpoint::answer::{body, refusal, unavailable};
use crate::grant::{ClientCredentials, RedeemCode, Refresh, TokenRequest};
use crate::provider::Provider;
use crate::refusal::{ErrorCode, Refusal};

pub(super) async fn answer(provider: &Provider, request: Request) -> Response {
    let form = match body(&request) {
        Ok(form) => form,
        Err(response) => return response,
    };
    let presented = match Presented::read(request.headers(), &form) {
        Ok(presented) => presented,
        Err(error) => return refusal(&error),
    };
    let Some(grant_type) = form.get("grant_type") else {
        return refusal(&Refusal::invalid_request("the parameter 'grant_type' is missing"));
    };
    let Some(grant_type) = GrantType::parse(grant_type) else {
        let text = "the parameter 'grant_type' is not authorization_code, refresh_token or \
                    client_credentials";
        return refusal(&Refusal::new(ErrorCode::UnsupportedGrantType, text));
    };
    let source = provider.source(&request);
    if let Err(error) = provider.admit(&presented, &source) {
        return refusal(&error);
    }
    let policy = match provider.policy().await {
        Ok(policy) => policy,
        Err(cause) => return unavailable(&cause),
    };
    let tenant = provider.tenant();
    let driver = provider.driver();
    let request = TokenRequest { policy, presented: presented.clone(), form: Arc::new(form) };
    let decided = match grant_type {
        GrantType::AuthorizationCode => driver.run(tenant, &RedeemCode::new(tenant, request)).await,
        GrantType::RefreshToken => driver.run(tenant, &Refresh::new(tenant, request)).await,
        GrantType::ClientCredentials => driver.run(tenant, &ClientCredentials::new(request)).await,
    };
    match decided {
        Err(cause) => unavailable(&cause),
        Ok(Err(error)) => {
            provider.count_failure(&presented, &source, &error);
            refusal(&error)
        }
        Ok(Ok(response)) => json(StatusCode::OK, &response),
    }
}
