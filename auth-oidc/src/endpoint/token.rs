//! The token endpoint (RFC 6749 §3.2).

use std::convert::identity;

use auth_core::http::{Request, Response, json};
use http::StatusCode;

use crate::client::GrantType;
use crate::endpoint::back_channel::BackChannel;
use crate::explain::Explained;
use crate::grant::{ClientCredentials, RedeemCode, Refresh};
use crate::provider::Provider;
use crate::refusal::{ErrorCode, Refusal};

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    let channel = match BackChannel::open(provider, request, identity).await {
        Ok(channel) => channel,
        Err(response) => return response,
    };
    let (tenant, request) = (provider.tenant(), channel.request());
    let Some(grant_type) = request.form.get("grant_type") else {
        let missing = Refusal::invalid_request("the parameter 'grant_type' is missing");
        return provider.refuse(&missing);
    };
    let decided = match GrantType::parse(grant_type) {
        Some(GrantType::AuthorizationCode) => {
            channel.decide(&RedeemCode::new(tenant, request)).await
        }
        Some(GrantType::RefreshToken) => channel.decide(&Refresh::new(tenant, request)).await,
        Some(GrantType::ClientCredentials) => {
            channel.decide(&ClientCredentials::new(request)).await
        }
        Some(GrantType::Implicit) | None => {
            let request = channel.request();
            let text = "the parameter 'grant_type' is not authorization_code, refresh_token or \
                        client_credentials";
            let refusal = Refusal::new(ErrorCode::UnsupportedGrantType, text);
            return provider.refuse(&refusal.by_parameter(
                "RFC 6749 §5.2",
                "grant_type",
                &request.form,
            ));
        }
    };
    decided.map_or_else(|response| response, |tokens| json(StatusCode::OK, &tokens))
}
