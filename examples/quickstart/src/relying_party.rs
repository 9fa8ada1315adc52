//! [`RelyingParty`]: the protocol half of the demo, by the `openidconnect` crate.

use std::sync::Arc;

use auth_core::http::Engine;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreIdToken, CoreTokenResponse,
};
use openidconnect::{
    AccessToken, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EmptyAdditionalClaims,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, LogoutRequest, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, RefreshToken, Scope, TokenResponse, UserInfoClaims,
};
use serde_json::Value;

use crate::DEMO_SECRET;
use crate::in_process::InProcess;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// One application at one provider.
pub(crate) struct RelyingParty {
    base: String,
    http: InProcess,
}

/// What must be remembered between sending somebody away and their coming back.
pub(crate) struct Pending {
    pub(crate) state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Tokens, and what they say. They never reach the browser.
pub(crate) struct SignedIn {
    id_token: CoreIdToken,
    refresh_token: Option<RefreshToken>,
    pub(crate) id_token_claims: Value,
    pub(crate) userinfo: Value,
    pub(crate) scope: String,
    pub(crate) expires_in: u64,
    pub(crate) refreshed: u32,
}

/// Any step failed. The sources say where.
#[derive(Debug, thiserror::Error)]
#[error("{step} failed: {reason}")]
pub(crate) struct StepFailed {
    step: &'static str,
    reason: String,
}

fn failed<E: std::fmt::Debug>(step: &'static str) -> impl Fn(E) -> StepFailed {
    move |error| StepFailed { step, reason: format!("{error:?}") }
}

impl RelyingParty {
    pub(crate) fn new(issuer: &str, provider: Arc<dyn Engine>) -> Self {
        Self { base: issuer.to_owned(), http: InProcess(provider) }
    }

    async fn metadata(&self) -> Result<ProviderMetadataWithLogout, StepFailed> {
        let issuer = IssuerUrl::new(self.base.clone()).map_err(failed("the issuer"))?;
        ProviderMetadataWithLogout::discover_async(issuer, &self.http)
            .await
            .map_err(failed("discovery"))
    }

    async fn client(&self) -> Result<Client, StepFailed> {
        let callback = RedirectUrl::new(format!("{}/callback", self.base));
        let secret = ClientSecret::new(DEMO_SECRET.to_owned());
        let id = ClientId::new("demo".to_owned());
        Ok(CoreClient::from_provider_metadata(self.metadata().await?, id, Some(secret))
            .set_redirect_uri(callback.map_err(failed("the redirect URI"))?))
    }

    /// Where to send somebody who wants to sign in.
    pub(crate) async fn sign_in(&self) -> Result<(String, Pending), StepFailed> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let scopes = ["profile", "email", "offline_access"].map(|s| Scope::new(s.to_owned()));
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        Ok((url.into(), Pending { state, nonce, verifier }))
    }

    /// Exchanges a code for tokens and verifies them.
    pub(crate) async fn redeem(
        &self,
        code: &str,
        issuer: Option<&str>,
        pending: Pending,
    ) -> Result<SignedIn, StepFailed> {
        // RFC 9207: an answer from another provider is not looked at any further.
        if issuer != Some(self.base.as_str()) {
            return Err(failed("the issuer of the answer")(issuer));
        }
        let client = self.client().await?;
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(failed("the token endpoint"))?
            .set_pkce_verifier(pending.verifier)
            .request_async(&self.http)
            .await
            .map_err(failed("the code"))?;
        self.verify(&client, &tokens, |nonce: Option<&Nonce>| {
            match nonce.is_some_and(|nonce| nonce.secret() == pending.nonce.secret()) {
                true => Ok(()),
                false => Err("another nonce".to_owned()),
            }
        })
        .await
    }

    /// Uses the refresh token.
    pub(crate) async fn refresh(&self, signed_in: &SignedIn) -> Result<SignedIn, StepFailed> {
        let client = self.client().await?;
        let token = signed_in.refresh_token.as_ref().ok_or(()).map_err(failed("the refresh"))?;
        let tokens = client
            .exchange_refresh_token(token)
            .map_err(failed("the token endpoint"))?
            .request_async(&self.http)
            .await
            .map_err(failed("the refresh"))?;
        let fresh = self.verify(&client, &tokens, |_: Option<&Nonce>| Ok(())).await?;
        Ok(SignedIn { refreshed: signed_in.refreshed + 1, ..fresh })
    }

    async fn verify<N>(
        &self,
        client: &Client,
        tokens: &CoreTokenResponse,
        nonce: N,
    ) -> Result<SignedIn, StepFailed>
    where
        N: FnOnce(Option<&Nonce>) -> Result<(), String>,
    {
        let id_token = tokens.id_token().ok_or(()).map_err(failed("the id token"))?;
        let verifier = client.id_token_verifier();
        let claims = id_token.claims(&verifier, nonce).map_err(failed("the id token"))?;
        let userinfo =
            self.userinfo(client, tokens.access_token().clone(), claims.subject().clone()).await?;
        let scope = tokens
            .scopes()
            .map(|scopes| scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "));
        Ok(SignedIn {
            id_token: id_token.clone(),
            refresh_token: tokens.refresh_token().cloned(),
            id_token_claims: payload(&id_token.to_string()),
            userinfo,
            scope: scope.unwrap_or_default(),
            expires_in: tokens.expires_in().map(|life| life.as_secs()).unwrap_or_default(),
            refreshed: 0,
        })
    }

    async fn userinfo(
        &self,
        client: &Client,
        token: AccessToken,
        subject: openidconnect::SubjectIdentifier,
    ) -> Result<Value, StepFailed> {
        let claims: UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim> = client
            .user_info(token, Some(subject))
            .map_err(failed("the userinfo endpoint"))?
            .request_async(&self.http)
            .await
            .map_err(failed("userinfo"))?;
        Ok(serde_json::to_value(claims).unwrap_or_default())
    }

    /// Where to send somebody who wants to sign out.
    pub(crate) async fn sign_out(&self, signed_in: &SignedIn) -> Result<String, StepFailed> {
        let metadata = self.metadata().await?;
        let endpoint = metadata.additional_metadata().end_session_endpoint.clone();
        let endpoint = endpoint.ok_or(()).map_err(failed("the end of the session"))?;
        let back = PostLogoutRedirectUrl::new(format!("{}/", self.base));
        let request = LogoutRequest::from(endpoint)
            .set_id_token_hint(&signed_in.id_token)
            .set_post_logout_redirect_uri(back.map_err(failed("the way back"))?);
        Ok(request.http_get_url().into())
    }
}

/// The claims of a token that was verified, as they stand in it.
fn payload(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    serde_json::from_slice(&json).unwrap_or_default()
}
