//! [`Client`]: what a relying party is and may do.

use std::time::Duration;

use auth_core::keys::{ContentEncryption, KeyManagement, SigningAlgorithm};
use auth_core::{ClientId, Scopes, Secret};
use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, Deserializer, Serialize};

use crate::client::{ClaimMapper, GrantType, ResponseType, SubjectType, TokenEndpointAuthMethod};
use crate::provider::TokenPolicy;

/// A client's metadata (RFC 7591 §2, OpenID Connect Dynamic Client Registration §2).
///
/// Start from [`Client::public`], [`Client::confidential`], [`Client::private_key_jwt`] or
/// [`Client::service`]; each begins with the safe choice and nothing granted.
///
/// ```
/// use auth_oidc::client::Client;
///
/// let spa = Client::public("spa")
///     .redirect_uri("https://app.example/callback")
///     .scope("openid profile offline_access");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Client {
    /// Its identifier.
    pub client_id: ClientId,
    /// Its name for people; the identifier if empty.
    #[serde(default)]
    pub client_name: String,
    /// How it authenticates.
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// Whether its assertions may also be for the URL of the token endpoint or of pushed requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure_token_endpoint_audience: bool,
    /// Its public keys, for `private_key_jwt` and request objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JwkSet>,
    /// Where they are published instead; fetched as often as the headers there say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Where its request objects may be (OpenID Connect Dynamic Client Registration §2); a fragment of one
    /// does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_uris: Vec<String>,
    /// Where it may be answered: the exact texts.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where the browser may go after a logout: the exact texts.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where its server is told of logouts (OpenID Connect Back-Channel Logout 1.0 §2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs `sid` in a logout token, which is always there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_logout_session_required: bool,
    /// Where the browser is sent, in a frame, so that it forgets its session there (OpenID Connect
    /// Front-Channel Logout 1.0 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// Whether it needs `iss` and `sid` there, which are always sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frontchannel_logout_session_required: bool,
    /// Which grants it may use.
    #[serde(deserialize_with = "known_grant_types")]
    pub grant_types: Vec<GrantType>,
    /// What it may ask the authorization endpoint for, each with the grant types that it needs: a code
    /// [`AuthorizationCode`](GrantType::AuthorizationCode), all else [`Implicit`](GrantType::Implicit).
    #[serde(default = "code", deserialize_with = "known_response_types")]
    pub response_types: Vec<ResponseType>,
    /// Which scopes it may ask for.
    #[serde(default)]
    pub scope: Scopes,
    /// Scopes of `scope` that apply even when they are not asked for.
    #[serde(default)]
    pub default_scope: Scopes,
    /// Scopes of `scope` that a person may refuse and still go on.
    #[serde(default)]
    pub optional_scope: Scopes,
    /// Resources that it may ask tokens for (RFC 8707).
    #[serde(default)]
    pub audience: Vec<String>,
    /// The form of its access tokens; the provider's default if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_format: Option<AccessTokenFormat>,
    /// What signs its id tokens; the provider's default if `None`, where OpenID Connect Registration §2 says RS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<SigningAlgorithm>,
    /// Whether it must push its authorization requests (RFC 9126 §6).
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// What signs its request objects; any algorithm of its keys if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<SigningAlgorithm>,
    /// Whether it must sign its authorization requests (RFC 9101 §10.5).
    #[serde(default)]
    pub require_signed_request_object: bool,
    /// What signs userinfo for it; plain JSON if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<SigningAlgorithm>,
    /// What signs introspections that it asks for as JWTs (RFC 9701); the provider's default if `None`, where §6 says
    /// RS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<SigningAlgorithm>,
    /// How the key of its encrypted id tokens comes to it; they are not encrypted if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_alg: Option<KeyManagement>,
    /// What encrypts them; A128CBC-HS256 if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_encrypted_response_enc: Option<ContentEncryption>,
    /// The same of userinfo, which is signed only if
    /// [`userinfo_signed_response_alg`](Self::userinfo_signed_response_alg) says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_alg: Option<KeyManagement>,
    /// What encrypts it; A128CBC-HS256 if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_encrypted_response_enc: Option<ContentEncryption>,
    /// The same of introspections that it asks for as JWTs (RFC 9701 §6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_encrypted_response_alg: Option<KeyManagement>,
    /// What encrypts them; A128CBC-HS256 if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_encrypted_response_enc: Option<ContentEncryption>,
    /// Which identifiers of people it gets.
    #[serde(default, skip_serializing_if = "SubjectType::is_public")]
    pub subject_type: SubjectType,
    /// Where the redirect URIs stand of all clients that share them (OpenID Connect Dynamic Client Registration
    /// §5); needed if those of this one have several hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    /// First party: people are not asked for consent.
    #[serde(default)]
    pub skip_consent: bool,
    /// A resource server: it may introspect every token, not only its own.
    #[serde(default)]
    pub introspect_any: bool,
    /// Claims beyond those of its scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_mappers: Vec<ClaimMapper>,
    /// `max_age` when a request has none (OpenID Connect Dynamic Client Registration §2), in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u64>,
    /// Lifetime of its access tokens, in seconds; the provider's default if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_lifespan: Option<u64>,
    /// An https image for the consent page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its privacy policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// The secret to store, as a hash; never read back.
    #[serde(skip)]
    pub(crate) secret: Option<Secret>,
}

/// Reads grant types, and leaves out those of a later version: what this one does not know it does not
/// permit, and the client goes on working with the rest.
fn known_grant_types<'de, D: Deserializer<'de>>(names: D) -> Result<Vec<GrantType>, D::Error> {
    let names = Vec::<String>::deserialize(names)?;
    Ok(names.iter().filter_map(|name| GrantType::parse(name)).collect())
}

/// The same of response types.
fn known_response_types<'de, D: Deserializer<'de>>(
    names: D,
) -> Result<Vec<ResponseType>, D::Error> {
    let names = Vec::<String>::deserialize(names)?;
    Ok(names.iter().filter_map(|name| ResponseType::parse(name)).collect())
}

/// What a client asks for that says nothing else (OpenID Connect Dynamic Client Registration §2).
fn code() -> Vec<ResponseType> {
    vec![ResponseType::Code]
}

/// The form of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccessTokenFormat {
    /// A reference: whoever gets it asks the introspection endpoint, and a revocation shows at once.
    Opaque,
    /// A JWT (RFC 9068): verified offline until it expires; introspection shows a revocation at once.
    Jwt,
}

impl Client {
    /// Whether it has a grant type.
    #[must_use]
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    /// Whether it is registered for a response type, and for the grant types that it needs.
    #[must_use]
    pub fn may_ask_for(&self, response_type: ResponseType) -> bool {
        let registered = self.response_types.contains(&response_type);
        registered
            && response_type.grant_types().into_iter().all(|grant_type| self.may_use(grant_type))
    }

    /// What signs answers for it, where it is not the provider's default: each member with its algorithm.
    pub(crate) fn signed_by(
        &self,
    ) -> impl Iterator<Item = (&'static str, SigningAlgorithm)> + use<> {
        let registered = [
            ("id_token_signed_response_alg", self.id_token_signed_response_alg),
            ("userinfo_signed_response_alg", self.userinfo_signed_response_alg),
            ("introspection_signed_response_alg", self.introspection_signed_response_alg),
        ];
        registered.into_iter().filter_map(|(member, alg)| Some((member, alg?)))
    }

    /// Whether it cannot authenticate.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == TokenEndpointAuthMethod::None
    }

    /// For how long its access tokens count if they are signed; `None` if they are not.
    pub(crate) fn signed_for(&self, tokens: &TokenPolicy) -> Option<Duration> {
        let lifetime = self.access_token_lifetime(tokens.access_token_lifetime);
        (self.format(tokens) == AccessTokenFormat::Jwt).then_some(lifetime)
    }

    /// The form of its access tokens.
    pub(crate) fn format(&self, tokens: &TokenPolicy) -> AccessTokenFormat {
        match self.subject_type {
            SubjectType::Public => self.access_token_format.unwrap_or(tokens.access_token_format),
            // A JWT would tell the client the subject by which it is looked up.
            SubjectType::Pairwise => AccessTokenFormat::Opaque,
        }
    }

    /// The lifetime of its access tokens, where the provider's is `default`.
    #[must_use]
    pub fn access_token_lifetime(&self, default: Duration) -> Duration {
        self.access_token_lifespan.map_or(default, Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grant_types_of_a_later_version_are_not_permitted_and_harm_nobody() {
        let client = Client::public("app").redirect_uri("https://app.example/cb");
        let mut json = serde_json::to_value(&client).unwrap();
        assert_eq!(serde_json::from_value::<Client>(json.clone()).unwrap(), client);
        let names = json["grant_types"].as_array_mut().unwrap();
        names.push("urn:example:later".into());
        assert_eq!(serde_json::from_value::<Client>(json).unwrap(), client);
    }
}
