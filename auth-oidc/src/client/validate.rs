//! Checks a client's metadata before it is stored.

use auth_core::keys::KeyPolicy;
use auth_core::{Forbidden, HttpClient, Scopes};
use url::Url;

use crate::client::keys::check_keys;
use crate::client::redirect_uri::{InvalidRedirectUri, RedirectUri};
use crate::client::{AccessTokenFormat, Client, GrantType, ResponseType, TokenEndpointAuthMethod};
use crate::provider::TokenPolicy;

/// A client cannot be registered (RFC 7591 §3.2.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClient {
    /// `invalid_redirect_uri`.
    #[error("the redirect URI `{uri}` cannot be registered: {reason}")]
    RedirectUri {
        /// The URI.
        uri: String,
        /// Why.
        reason: InvalidRedirectUri,
    },
    /// `invalid_client_metadata`.
    #[error("the member `{member}` of the client `{client_id}` cannot be registered: {reason}")]
    Metadata {
        /// The client.
        client_id: String,
        /// The member.
        member: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl Client {
    /// The longest identifier, in bytes.
    pub(crate) const MAX_ID: usize = 255;
    /// The most request URIs of a client.
    const MAX_REQUEST_URIS: usize = 20;
    /// The longest of them, in bytes (RFC 9101 §5.2).
    const MAX_REQUEST_URI: usize = 512;
    /// The longest name, in characters.
    const MAX_NAME: usize = 200;

    /// Checks everything that registration demands.
    ///
    /// # Errors
    /// [`InvalidClient`] names the member and what is wrong with it.
    pub fn validate(&self) -> Result<(), InvalidClient> {
        let metadata = |member, reason| {
            Err(InvalidClient::Metadata { client_id: self.client_id.to_string(), member, reason })
        };
        let id = self.client_id.as_str();
        if id.is_empty()
            || id.len() > Self::MAX_ID
            || !id.bytes().all(|b| (0x21..=0x7E).contains(&b))
        {
            return metadata("client_id", "it has 1 to 255 printable ASCII characters");
        }
        let confusing = |c: char| {
            c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        };
        if self.client_name.chars().count() > Self::MAX_NAME || self.client_name.contains(confusing)
        {
            return metadata(
                "client_name",
                "at most 200 characters, none of which controls direction",
            );
        }
        for uri in self.redirect_uris.iter().chain(&self.post_logout_redirect_uris) {
            RedirectUri::register(uri)
                .map_err(|reason| InvalidClient::RedirectUri { uri: uri.clone(), reason })?;
        }
        if let Some(uri) = &self.frontchannel_logout_uri
            && !self.is_of_a_redirect_uri(uri)
        {
            return metadata(
                "frontchannel_logout_uri",
                "scheme, host and port are those of one of its redirect URIs, by http or https, and it has no fragment",
            );
        }
        let absolute = |uri: &String| Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none());
        if !self.backchannel_logout_uri.iter().all(absolute) {
            return metadata("backchannel_logout_uri", "it is an absolute URL without a fragment");
        }
        if !self.sector_identifier_uri.iter().all(absolute) {
            return metadata("sector_identifier_uri", "it is an absolute URL without a fragment");
        }
        if !self.subject_type.is_public() {
            if self.access_token_format == Some(AccessTokenFormat::Jwt) {
                return metadata(
                    "access_token_format",
                    "access tokens of a client with pairwise subjects are opaque",
                );
            }
            if self.sector().is_none() {
                return metadata(
                    "sector_identifier_uri",
                    "pairwise subjects need one, unless all redirect URIs are https of one host",
                );
            }
        }
        let by_browser = [GrantType::AuthorizationCode, GrantType::Implicit];
        if by_browser.into_iter().any(|grant| self.may_use(grant)) && self.redirect_uris.is_empty()
        {
            return metadata("redirect_uris", "its grant types need one");
        }
        let fits = |asked: &ResponseType| *asked == ResponseType::Code || self.may_ask_for(*asked);
        if !self.response_types.iter().all(fits) {
            return metadata(
                "response_types",
                "a value needs a grant type that is not there: a code authorization_code, all else implicit",
            );
        }
        if self.grant_types.is_empty() {
            return metadata("grant_types", "none is given");
        }
        if self.may_use(GrantType::ClientCredentials) && self.is_public() {
            return metadata("grant_types", "client_credentials needs a client that authenticates");
        }
        let method = self.token_endpoint_auth_method;
        match (&self.jwks, &self.jwks_uri) {
            (Some(_), Some(_)) => return metadata("jwks_uri", "there is a jwks as well"),
            (Some(jwks), None) => {
                if let Err(reason) = check_keys(jwks) {
                    return metadata("jwks", reason);
                }
            }
            (None, None) if method == TokenEndpointAuthMethod::PrivateKeyJwt => {
                return metadata(
                    "jwks",
                    "private_key_jwt needs public keys, here or at a jwks_uri",
                );
            }
            (None, None) if self.require_signed_request_object => {
                return metadata(
                    "jwks",
                    "request objects are verified by public keys, here or at a jwks_uri",
                );
            }
            _ => {}
        }
        if !self.jwks_uri.iter().all(absolute) {
            return metadata("jwks_uri", "it is an absolute URL without a fragment");
        }
        self.check_encrypted_responses()?;
        let short = |uri: &String| uri.len() <= Self::MAX_REQUEST_URI;
        if self.request_uris.len() > Self::MAX_REQUEST_URIS || !self.request_uris.iter().all(short)
        {
            return metadata("request_uris", "there are at most 20, each of at most 512 bytes");
        }
        if self.secret.as_ref().is_some_and(auth_core::Secret::is_empty) {
            return metadata("client_secret", "it is empty");
        }
        let well_formed = |scopes: &Scopes| Scopes::parse(&scopes.to_string()).is_ok();
        if ![&self.scope, &self.default_scope, &self.optional_scope].into_iter().all(well_formed) {
            return metadata("scope", "a value has a character that RFC 6749 §3.3 does not permit");
        }
        if !self.default_scope.is_subset(&self.scope) || !self.optional_scope.is_subset(&self.scope)
        {
            return metadata("scope", "it must hold every default and optional scope");
        }
        let links = [&self.logo_uri, &self.client_uri, &self.policy_uri, &self.tos_uri];
        let https = |uri: &String| Url::parse(uri).is_ok_and(|uri| uri.scheme() == "https");
        if !links.into_iter().flatten().all(https) {
            return metadata("logo_uri, client_uri, policy_uri, tos_uri", "each is an https URL");
        }
        if self.audience.iter().any(|audience| audience.is_empty() || audience.contains('#')) {
            return metadata("audience", "a value is empty or has a fragment");
        }
        Ok(())
    }
}

impl Client {
    /// Whether a frame at `uri` belongs to whom codes are sent to (OpenID Connect Front-Channel Logout §2).
    fn is_of_a_redirect_uri(&self, uri: &str) -> bool {
        let Ok(uri) = Url::parse(uri) else { return false };
        let origins = self.redirect_uris.iter().filter_map(|uri| Url::parse(uri).ok());
        // It stands in a Content-Security-Policy, where some characters that a host may have mean something else.
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        ["https", "http"].contains(&uri.scheme())
            && uri.fragment().is_none()
            && uri.host_str().is_some_and(|host| host.chars().all(plain))
            && origins.into_iter().any(|other| other.origin() == uri.origin())
    }

    /// Whether the provider can sign for it, and keeps keys for as long as what they signed.
    pub(crate) fn check_signing(
        &self,
        keys: &KeyPolicy,
        tokens: &TokenPolicy,
    ) -> Result<(), InvalidClient> {
        let refuse = |member, reason| {
            let client_id = self.client_id.to_string();
            Err(InvalidClient::Metadata { client_id, member, reason })
        };
        let known = |(_, alg): &(_, _)| keys.algorithms.contains(alg);
        if let Some((member, _)) = self.signed_by().find(|it| !known(it)) {
            return refuse(
                member,
                "the provider has no key of this algorithm: add it by `.signing_keys(|keys| …)`",
            );
        }
        if self.signed_for(tokens).is_some_and(|lifetime| lifetime > keys.keep_after) {
            return refuse(
                "access_token_lifespan",
                "its tokens would outlive the keys that sign them: have shorter ones, or raise `keep_after` in \
                 `.signing_keys(|keys| …)`",
            );
        }
        Ok(())
    }

    /// Asks whether requests may be sent to where it wants them.
    pub(crate) fn check_outgoing(
        &self,
        http: Option<&dyn HttpClient>,
    ) -> Result<(), InvalidClient> {
        let one = [
            ("backchannel_logout_uri", &self.backchannel_logout_uri),
            ("jwks_uri", &self.jwks_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
        ];
        let one = one.into_iter().filter_map(|(member, uri)| Some((member, uri.as_ref()?)));
        let many = self.request_uris.iter().map(|uri| ("request_uris", uri));
        for (member, uri) in one.chain(many) {
            let refuse = |reason| {
                let client_id = self.client_id.to_string();
                Err(InvalidClient::Metadata { client_id, member, reason })
            };
            let Some(http) = http else {
                return refuse(
                    "the provider has nothing to send requests with: add \
                     `.http_client(auth_fetch::SafeHttpClient::new()?)`",
                );
            };
            match Url::parse(uri) {
                Err(_) => refuse("it is no URL"),
                Ok(uri) => http.check(&uri).or_else(|Forbidden(reason)| refuse(reason)),
            }?;
        }
        Ok(())
    }
}
