//! A client, put together step by step: each begins with the safe choice and nothing granted.

use auth_core::keys::SigningAlgorithm;
use auth_core::{Scopes, Secret};
use jsonwebtoken::jwk::JwkSet;

use crate::client::{
    AccessTokenFormat, ClaimMapper, Client, ClientKeys, GrantType, ResponseType, SubjectType,
    TokenEndpointAuthMethod,
};

impl Client {
    fn new(client_id: &str, method: TokenEndpointAuthMethod, grant_types: Vec<GrantType>) -> Self {
        Self {
            client_id: client_id.into(),
            client_name: String::new(),
            token_endpoint_auth_method: method,
            insecure_token_endpoint_audience: false,
            jwks: None,
            jwks_uri: None,
            request_uris: Vec::new(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            frontchannel_logout_uri: None,
            frontchannel_logout_session_required: false,
            grant_types,
            response_types: vec![ResponseType::Code],
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
            id_token_encrypted_response_alg: None,
            id_token_encrypted_response_enc: None,
            userinfo_encrypted_response_alg: None,
            userinfo_encrypted_response_enc: None,
            introspection_encrypted_response_alg: None,
            introspection_encrypted_response_enc: None,
            subject_type: SubjectType::Public,
            sector_identifier_uri: None,
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

    /// A server-side application whose assertions have a MAC by a secret (RFC 7523). The provider keeps the secret
    /// sealed, where it keeps a hash of others: [`private_key_jwt`](Self::private_key_jwt) needs none.
    #[must_use]
    pub fn client_secret_jwt(client_id: &str, secret: impl Into<Secret>) -> Self {
        let client = Self::for_people(client_id, TokenEndpointAuthMethod::ClientSecretJwt);
        Self { secret: Some(secret.into()), ..client }
    }

    /// A server-side application that signs assertions with one of `keys` (RFC 7523): a `JwkSet`, or the URL
    /// of one.
    #[must_use]
    pub fn private_key_jwt(client_id: &str, keys: impl Into<ClientKeys>) -> Self {
        let client = Self::for_people(client_id, TokenEndpointAuthMethod::PrivateKeyJwt);
        match keys.into() {
            ClientKeys::Registered(jwks) => client.jwks(jwks),
            ClientKeys::At(uri) => client.jwks_uri(uri),
        }
    }

    /// Whose assertions may name the URL of the token endpoint, or that of pushed requests, as their audience, in place
    /// of the issuer: what OpenID Connect Core §9 and RFC 9126 §2 advise, and older libraries send. Another authorization server that the client
    /// trusts, and that claims our endpoint's URL for its own, could then use them here (RFC 7523bis §1).
    #[must_use]
    pub fn insecure_token_endpoint_audience(mut self) -> Self {
        self.insecure_token_endpoint_audience = true;
        self
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

    /// Whose server is told of logouts at this URI (OpenID Connect Back-Channel Logout 1.0); the provider needs
    /// an [HTTP client](crate::ProviderBuilder::http_client) for it.
    #[must_use]
    pub fn backchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.backchannel_logout_uri = Some(uri.into());
        self
    }

    /// Which is told of logouts through the browser at this URI (OpenID Connect Front-Channel Logout 1.0). Most
    /// browsers keep the cookies of a frame apart: prefer the back channel.
    #[must_use]
    pub fn frontchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.frontchannel_logout_uri = Some(uri.into());
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
        response_type.grant_types().into_iter().fold(self, Self::grant_type)
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

    /// With these public keys, which verify what it signs, and which what it is sent is encrypted to.
    #[must_use]
    pub fn jwks(self, jwks: JwkSet) -> Self {
        Self { jwks: Some(jwks), jwks_uri: None, ..self }
    }

    /// Whose public keys are at this URI; the provider needs an
    /// [HTTP client](crate::ProviderBuilder::http_client) for it.
    #[must_use]
    pub fn jwks_uri(self, uri: impl Into<String>) -> Self {
        Self { jwks: None, jwks_uri: Some(uri.into()), ..self }
    }

    /// Whose signed authorization requests may be fetched from this URI (RFC 9101 §5.2); the provider needs an
    /// [HTTP client](crate::ProviderBuilder::http_client) for it.
    #[must_use]
    pub fn request_uri(mut self, uri: impl Into<String>) -> Self {
        self.request_uris.push(uri.into());
        self
    }

    /// Which must sign its authorization requests (RFC 9101 §10.5), with one of its [`jwks`](Self::jwks).
    #[must_use]
    pub fn require_signed_request_object(mut self) -> Self {
        self.require_signed_request_object = true;
        self
    }

    /// Which gets identifiers of people that other clients do not get (OpenID Connect Core §8); the provider needs
    /// [pairwise subjects](crate::ProviderBuilder::pairwise_subjects) for it.
    #[must_use]
    pub fn pairwise(mut self) -> Self {
        self.subject_type = SubjectType::Pairwise;
        self
    }

    /// Whose identifiers of people are those of all clients of this URI, where a JSON list of their redirect URIs
    /// stands.
    #[must_use]
    pub fn sector_identifier_uri(mut self, uri: impl Into<String>) -> Self {
        self.sector_identifier_uri = Some(uri.into());
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
}
