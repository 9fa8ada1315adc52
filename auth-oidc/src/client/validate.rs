//! Checks a client's metadata before it is stored.

use auth_core::{Forbidden, HttpClient, Scopes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use url::Url;

use crate::client::redirect_uri::{InvalidRedirectUri, RedirectUri};
use crate::client::{Client, GrantType, ResponseType, TokenEndpointAuthMethod};

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
    /// The most keys of a client.
    const MAX_KEYS: usize = 20;
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
        match (&self.jwks, method) {
            (None, TokenEndpointAuthMethod::PrivateKeyJwt) => {
                return metadata("jwks", "private_key_jwt needs public keys");
            }
            (None, _) if self.require_signed_request_object => {
                return metadata("jwks", "request objects are verified by public keys");
            }
            (Some(jwks), _) => {
                if let Err(reason) = check_keys(jwks) {
                    return metadata("jwks", reason);
                }
            }
            _ => {}
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

    /// Asks whether requests may be sent to where it wants them.
    pub(crate) fn check_outgoing(
        &self,
        http: Option<&dyn HttpClient>,
    ) -> Result<(), InvalidClient> {
        let Some(uri) = &self.backchannel_logout_uri else { return Ok(()) };
        let refuse = |reason| {
            let (client_id, member) = (self.client_id.to_string(), "backchannel_logout_uri");
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
        }
    }
}

fn check_keys(jwks: &JwkSet) -> Result<(), &'static str> {
    if jwks.keys.is_empty() || jwks.keys.len() > Client::MAX_KEYS {
        return Err("there are 1 to 20 keys");
    }
    jwks.keys.iter().try_for_each(check_key)
}

/// A public key that is long enough (RFC 7518 §3.3, §6), for an algorithm of its own kind.
fn check_key(key: &Jwk) -> Result<(), &'static str> {
    use KeyAlgorithm::{
        ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512, RSA_OAEP, RSA_OAEP_256,
        UNKNOWN_ALGORITHM,
    };
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    let own: &[KeyAlgorithm] = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let (n, e) = (bytes(&rsa.n), bytes(&rsa.e));
            if bits(&n) < 2048 || bits(&e) < 2 || e.last().is_none_or(|last| last % 2 == 0) {
                return Err("an RSA key has 2048 bits or more and an odd exponent over 1");
            }
            &[RS256, RS384, RS512, PS256, PS384, PS512, RSA_OAEP, RSA_OAEP_256]
        }
        AlgorithmParameters::EllipticCurve(ec) => {
            let length = match ec.curve {
                EllipticCurve::P256 => 32,
                EllipticCurve::P384 => 48,
                EllipticCurve::P521 => 66,
                _ => return Err("the curve of an EC key is P-256, P-384 or P-521"),
            };
            if [&ec.x, &ec.y].into_iter().any(|part| bytes(part).len() != length) {
                return Err("the coordinates of an EC key are as long as its curve says");
            }
            &[ES256, ES384]
        }
        AlgorithmParameters::OctetKeyPair(okp) => {
            if bytes(&okp.x).len() != 32 {
                return Err("an OKP key has 32 bytes");
            }
            &[EdDSA]
        }
        _ => return Err("only public EC, RSA and OKP keys are taken"),
    };
    match key.common.key_algorithm {
        // One that is not known here verifies nothing.
        None | Some(UNKNOWN_ALGORITHM) => Ok(()),
        Some(algorithm) if own.contains(&algorithm) => Ok(()),
        Some(_) => Err("the `alg` of a key belongs to another kind of key"),
    }
}

/// The length of a number, in bits.
fn bits(number: &[u8]) -> usize {
    let Some(first) = number.iter().position(|byte| *byte != 0) else { return 0 };
    (number.len() - first) * 8 - number[first].leading_zeros() as usize
}
