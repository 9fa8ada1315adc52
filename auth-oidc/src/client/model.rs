//! [`Client`]: what a relying party is and may do.

use std::time::Duration;

use auth_core::keys::{CompactJws, SigningAlgorithm};
use auth_core::{ClientId, Scopes, Secret};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::client::{ClaimMapper, ResponseType};

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
    /// Its public keys, for `private_key_jwt` and request objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JwkSet>,
    /// Where it may be answered: the exact texts.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where the browser may go after a logout: the exact texts.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
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
    /// What signs its id tokens; the provider's default if `None`.
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
    /// What signs introspections that it asks for as JWTs (RFC 9701); the provider's default if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<SigningAlgorithm>,
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

/// How a client authenticates at the token endpoint (OpenID Connect Core §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenEndpointAuthMethod {
    /// Not at all: a public client.
    None,
    /// HTTP Basic.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
    /// By a signed assertion (RFC 7523).
    PrivateKeyJwt,
}

impl TokenEndpointAuthMethod {
    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Whether there is a secret.
    #[must_use]
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// A grant type (RFC 6749 §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// Tokens from the authorization endpoint (RFC 6749 §4.2); none at the token endpoint.
    Implicit,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials, Self::Implicit];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::Implicit => "implicit",
        }
    }

    /// The grant type of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name)
    }
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

/// The grant types of a response type (OpenID Connect Dynamic Client Registration §2).
fn needed(response_type: ResponseType) -> Vec<GrantType> {
    let code = response_type.has_code().then_some(GrantType::AuthorizationCode);
    let front = response_type.has_token() || response_type.has_id_token();
    code.into_iter().chain(front.then_some(GrantType::Implicit)).collect()
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
    fn new(client_id: &str, method: TokenEndpointAuthMethod, grant_types: Vec<GrantType>) -> Self {
        Self {
            client_id: client_id.into(),
            client_name: String::new(),
            token_endpoint_auth_method: method,
            jwks: None,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            grant_types,
            response_types: code(),
            scope: Scopes::default(),
            default_scope: Scopes::default(),
            optional_scope: Scopes::default(),
            audience: Vec::new(),
            access_token_format: None,
            id_token_signed_response_alg: None,
            require_pushed_authorization_requests: false,
            request_object_signing_alg: None,
            require_signed_request_object: false,
            userinfo_signed_response_alg: None,
            introspection_signed_response_alg: None,
            skip_consent: false,
            introspect_any: false,
            claim_mappers: Vec::new(),
            default_max_age: None,
            access_token_lifespan: None,
            logo_uri: None,
            client_uri: None,
            policy_uri: None,
            tos_uri: None,
            secret: None,
        }
    }

    fn for_people(client_id: &str, method: TokenEndpointAuthMethod) -> Self {
        Self::new(client_id, method, vec![GrantType::AuthorizationCode, GrantType::RefreshToken])
    }

    /// An application that cannot keep a secret: in a browser or on a device.
    #[must_use]
    pub fn public(client_id: &str) -> Self {
        Self::for_people(client_id, TokenEndpointAuthMethod::None)
    }

    /// A server-side application with a secret, sent by HTTP Basic. Take one from
    /// [`generate_client_secret`](crate::client::generate_client_secret): it is verified by one SHA-256,
    /// a secret that a person chose by argon2id.
    #[must_use]
    pub fn confidential(client_id: &str, secret: impl Into<Secret>) -> Self {
        let client = Self::for_people(client_id, TokenEndpointAuthMethod::ClientSecretBasic);
        Self { secret: Some(secret.into()), ..client }
    }

    /// A server-side application that signs assertions with one of `jwks` (RFC 7523).
    #[must_use]
    pub fn private_key_jwt(client_id: &str, jwks: JwkSet) -> Self {
        let client = Self::for_people(client_id, TokenEndpointAuthMethod::PrivateKeyJwt);
        Self { jwks: Some(jwks), ..client }
    }

    /// A program that acts for itself by `client_credentials`.
    #[must_use]
    pub fn service(client_id: &str, secret: impl Into<Secret>) -> Self {
        let method = TokenEndpointAuthMethod::ClientSecretBasic;
        let client = Self::new(client_id, method, vec![GrantType::ClientCredentials]);
        Self { secret: Some(secret.into()), ..client }
    }

    /// With this name for people.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.client_name = name.into();
        self
    }

    /// With another redirect URI.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// With another place to go to after a logout.
    #[must_use]
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uris.push(uri.into());
        self
    }

    /// With these scopes, separated by blanks. Values that no scope may have are left out, which
    /// registration reports.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = scope.split_whitespace().map(str::to_owned).collect();
        self
    }

    /// With scopes that a person may untick.
    #[must_use]
    pub fn optional_scope(mut self, scope: &str) -> Self {
        self.optional_scope = scope.split_whitespace().map(str::to_owned).collect();
        self
    }

    /// With scopes that apply even when they are not asked for.
    #[must_use]
    pub fn default_scope(mut self, scope: &str) -> Self {
        self.default_scope = scope.split_whitespace().map(str::to_owned).collect();
        self
    }

    /// With another grant type.
    #[must_use]
    pub fn grant_type(mut self, grant_type: GrantType) -> Self {
        if !self.grant_types.contains(&grant_type) {
            self.grant_types.push(grant_type);
        }
        self
    }

    /// With another answer of the authorization endpoint, and the grant types that it needs; the provider's
    /// [`ResponseTypePolicy`](crate::provider::ResponseTypePolicy) must permit it, too.
    #[must_use]
    pub fn response_type(mut self, response_type: ResponseType) -> Self {
        if !self.response_types.contains(&response_type) {
            self.response_types.push(response_type);
        }
        needed(response_type).into_iter().fold(self, Self::grant_type)
    }

    /// With another way to authenticate.
    #[must_use]
    pub fn auth_method(mut self, method: TokenEndpointAuthMethod) -> Self {
        self.token_endpoint_auth_method = method;
        self
    }

    /// With a resource that it may ask tokens for.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// With access tokens of this form.
    #[must_use]
    pub fn access_token_format(mut self, format: AccessTokenFormat) -> Self {
        self.access_token_format = Some(format);
        self
    }

    /// With id tokens signed so.
    #[must_use]
    pub fn id_token_alg(mut self, algorithm: SigningAlgorithm) -> Self {
        self.id_token_signed_response_alg = Some(algorithm);
        self
    }

    /// With userinfo signed so.
    #[must_use]
    pub fn userinfo_alg(mut self, algorithm: SigningAlgorithm) -> Self {
        self.userinfo_signed_response_alg = Some(algorithm);
        self
    }

    /// Which must push its authorization requests (RFC 9126 §6).
    #[must_use]
    pub fn require_pushed_authorization_requests(mut self) -> Self {
        self.require_pushed_authorization_requests = true;
        self
    }

    /// With these public keys, which verify what it signs.
    #[must_use]
    pub fn jwks(mut self, jwks: JwkSet) -> Self {
        self.jwks = Some(jwks);
        self
    }

    /// Which must sign its authorization requests (RFC 9101 §10.5), with one of its [`jwks`](Self::jwks).
    #[must_use]
    pub fn require_signed_request_object(mut self) -> Self {
        self.require_signed_request_object = true;
        self
    }

    /// First party: people are not asked for consent.
    #[must_use]
    pub fn skip_consent(mut self) -> Self {
        self.skip_consent = true;
        self
    }

    /// A resource server: it may introspect every token.
    #[must_use]
    pub fn introspect_any(mut self) -> Self {
        self.introspect_any = true;
        self
    }

    /// With another claim.
    #[must_use]
    pub fn claim(mut self, mapper: ClaimMapper) -> Self {
        self.claim_mappers.push(mapper);
        self
    }

    /// Whether it has a grant type.
    #[must_use]
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    /// Whether it is registered for a response type, and for the grant types that it needs.
    #[must_use]
    pub fn may_ask_for(&self, response_type: ResponseType) -> bool {
        let registered = self.response_types.contains(&response_type);
        registered && needed(response_type).into_iter().all(|grant_type| self.may_use(grant_type))
    }

    /// The claims of a JWT that one of its keys verifies.
    pub(crate) fn verify(&self, jws: &CompactJws<'_>) -> Option<Map<String, Value>> {
        let keys = self.jwks.as_ref().map(|jwks| jwks.keys.as_slice()).unwrap_or_default();
        let kid = jws.header().kid.as_deref();
        let named = |key: &&Jwk| kid.is_none() || key.common.key_id.as_deref() == kid;
        keys.iter().filter(named).find_map(|key| jws.verify(key).ok())
    }

    /// Whether it cannot authenticate.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == TokenEndpointAuthMethod::None
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
