//! Policies as values: what a provider does when nobody says otherwise.

use std::borrow::Cow;
use std::time::Duration;

use auth_core::decision::Unavailable;
use auth_core::http::{CookieScope, CorsPolicy, TrustedProxies};
use auth_core::keys::SigningAlgorithm;
use auth_core::{Scopes, SessionId, Subject};

use crate::client::{AccessTokenFormat, Client, PairwiseSubjects, ResponseType};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Lifetimes and forms of what the token endpoint issues.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenPolicy {
    /// The form of access tokens. Default: opaque.
    pub access_token_format: AccessTokenFormat,
    /// Default: 15 minutes.
    pub access_token_lifetime: Duration,
    /// Default: one hour.
    pub id_token_lifetime: Duration,
    /// Default: one minute; RFC 6749 §4.1.2 permits ten.
    pub authorization_code_lifetime: Duration,
    /// What signs id tokens and JWT access tokens. Default: ES256.
    pub signing_algorithm: SigningAlgorithm,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            access_token_format: AccessTokenFormat::Opaque,
            access_token_lifetime: 15 * MINUTE,
            id_token_lifetime: HOUR,
            authorization_code_lifetime: MINUTE,
            signing_algorithm: SigningAlgorithm::Es256,
        }
    }
}

/// Refresh tokens: every one is used once, and its successor lives in the same family.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshPolicy {
    /// How long a family may go unused. Default: 14 days.
    pub idle_lifetime: Duration,
    /// How long a family lives, however often it is used. Default: 30 days.
    pub absolute_lifetime: Duration,
    /// For how long after its use a token still gives its one successor, to the client that lost the
    /// answer or raced against itself. After that, reuse kills the family. Default: 10 seconds.
    pub grace: Duration,
    /// Whether clients without `offline_access` get refresh tokens, too, that end with the login session.
    /// Default: no.
    pub session_bound: bool,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            idle_lifetime: 14 * DAY,
            absolute_lifetime: 30 * DAY,
            grace: Duration::from_secs(10),
            session_bound: false,
        }
    }
}

/// Who must use PKCE (RFC 7636); always with S256.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PkcePolicy {
    /// Every client (RFC 9700 §2.1.1).
    #[default]
    All,
    /// Public clients only, for relying parties that cannot do it yet.
    InsecurePublicClientsOnly,
}

/// What the authorization endpoint may answer with. What travels through the browser can be taken there, so that
/// RFC 9700 §2.1.2 advises against all but codes; the rest is for relying parties that cannot do it yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseTypePolicy {
    /// Codes only.
    #[default]
    Code,
    /// Id tokens, too: `id_token` and `code id_token`.
    IdTokens,
    /// Access tokens, too: every [`ResponseType`].
    InsecureAccessTokens,
}

impl ResponseTypePolicy {
    /// Whether a response type is supported.
    #[must_use]
    pub fn permits(self, response_type: ResponseType) -> bool {
        match self {
            Self::Code => response_type == ResponseType::Code,
            Self::IdTokens => !response_type.has_token(),
            Self::InsecureAccessTokens => true,
        }
    }
}

/// Login sessions at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPolicy {
    /// The longest life of a session that ends with the browser. Default: one day.
    pub lifetime: Duration,
    /// The life of a remembered session. Default: 30 days.
    pub remembered_lifetime: Duration,
    /// How long a person may take over a login or consent page. Default: 30 minutes.
    pub challenge_lifetime: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self { lifetime: DAY, remembered_lifetime: 30 * DAY, challenge_lifetime: 30 * MINUTE }
    }
}

/// A scope that this provider knows besides the standard ones.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeDefinition {
    /// Its value, such as `orders:read`.
    pub name: String,
    /// What it means, for the consent page.
    pub description: Option<String>,
    /// Which claims of the identity it releases at the userinfo endpoint.
    pub claims: Vec<String>,
}

impl ScopeDefinition {
    /// A scope that releases `claims`.
    #[must_use]
    pub fn new<C: Into<String>>(
        name: impl Into<String>,
        claims: impl IntoIterator<Item = C>,
    ) -> Self {
        let claims = claims.into_iter().map(Into::into).collect();
        Self { name: name.into(), description: None, claims }
    }

    /// With a description for the consent page.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }
}

/// Everything that a provider decides by.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Tokens.
    pub tokens: TokenPolicy,
    /// Refresh tokens.
    pub refresh: RefreshPolicy,
    /// PKCE.
    pub pkce: PkcePolicy,
    /// What the authorization endpoint may answer with. Default: codes only.
    pub response_types: ResponseTypePolicy,
    /// Whether every client must push its authorization requests (RFC 9126 §5). Default: no.
    pub require_pushed_authorization_requests: bool,
    /// Whether every client must sign its authorization requests (RFC 9101 §10.5). Default: no.
    pub require_signed_request_object: bool,
    /// Login sessions.
    pub sessions: SessionPolicy,
    /// Scopes besides the standard ones.
    pub scopes: Vec<ScopeDefinition>,
    /// Levels of authentication that are told apart, weakest first; empty for none. A request for one of
    /// them is met or refused.
    pub acr_values: Vec<String>,
    /// What access tokens may be for to be good at the embedder's own API, besides the issuer and nothing
    /// in particular.
    pub audience: Vec<String>,
    /// Whether the embedder's hook is asked for claims.
    pub claims_hook: bool,
    /// Whose scripts may call the token, userinfo and revocation endpoints.
    pub cors: CorsPolicy,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Where cookies are valid.
    pub cookies: CookieScope,
    /// How long a request may wait for store, directory and hook before it is answered by 503.
    /// Default: 10 seconds.
    pub deadline: Duration,
    /// Whether clients may watch the session from a page (OpenID Connect Session Management 1.0). Default: no.
    pub session_management: bool,
    /// Who makes the identifiers of clients with pairwise subjects. Default: nobody, and there are none.
    pub pairwise_subjects: Option<PairwiseSubjects>,
    /// Whether tokens may be encrypted, for clients and by them. Default: no.
    pub encryption: bool,
    /// Whether people can make an account (`prompt=create`): as the
    /// [challenge handler](auth_core::challenge::ChallengeHandler::registers) says.
    pub registration: bool,
    /// Whether whoever is refused is told by which rule, and what of the request offends it. Default: no; the log
    /// is. [Development mode](crate::ProviderBuilder::development) does.
    pub explain: bool,
    /// Whether a deletion also looks through all grants, codes, sessions and consents for records that stand in
    /// no index, since a version of the program before the index wrote them. Default: yes.
    pub unindexed_records: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tokens: TokenPolicy::default(),
            refresh: RefreshPolicy::default(),
            pkce: PkcePolicy::default(),
            response_types: ResponseTypePolicy::default(),
            require_pushed_authorization_requests: false,
            require_signed_request_object: false,
            sessions: SessionPolicy::default(),
            scopes: Vec::new(),
            acr_values: Vec::new(),
            audience: Vec::new(),
            claims_hook: false,
            cors: CorsPolicy::Origins(Vec::new()),
            trusted_proxies: TrustedProxies::none(),
            cookies: CookieScope::Secure,
            deadline: Duration::from_secs(10),
            session_management: false,
            pairwise_subjects: None,
            encryption: false,
            registration: false,
            explain: false,
            unindexed_records: true,
        }
    }
}

/// The claims of the standard scopes (OpenID Connect Core §5.4).
const STANDARD_SCOPES: [(&str, &[&str]); 6] = [
    ("openid", &[]),
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("offline_access", &[]),
];

impl Config {
    /// The identifier by which `client` knows a person.
    pub(crate) fn subject_for<'a>(
        &self,
        client: &Client,
        subject: &'a Subject,
    ) -> Result<Cow<'a, str>, Unavailable> {
        PairwiseSubjects::subject_for(self.pairwise_subjects.as_ref(), client, subject)
    }

    /// The `sid` by which `client` knows a session.
    pub(crate) fn sid_for(
        &self,
        client: &Client,
        sid: &SessionId,
    ) -> Result<Cow<'static, str>, Unavailable> {
        PairwiseSubjects::sid_for(self.pairwise_subjects.as_ref(), client, sid)
    }

    /// Every scope that is known here.
    #[must_use]
    pub fn known_scopes(&self) -> Scopes {
        let standard = STANDARD_SCOPES.iter().map(|(name, _)| (*name).to_owned());
        standard.chain(self.scopes.iter().map(|scope| scope.name.clone())).collect()
    }

    /// The claims that a scope releases.
    pub(crate) fn claims_of<'a>(&'a self, scope: &str) -> Vec<&'a str> {
        if let Some((_, claims)) = STANDARD_SCOPES.iter().find(|(name, _)| *name == scope) {
            return claims.to_vec();
        }
        let own = self.scopes.iter().find(|own| own.name == scope);
        own.map(|own| own.claims.iter().map(String::as_str).collect()).unwrap_or_default()
    }

    /// Every claim that some scope releases, for the discovery document.
    pub(crate) fn known_claims(&self) -> Vec<&str> {
        let mut claims = vec!["sub"];
        let standard = STANDARD_SCOPES.iter().flat_map(|(_, claims)| claims.iter().copied());
        let own = self.scopes.iter().flat_map(|scope| scope.claims.iter().map(String::as_str));
        for claim in standard.chain(own) {
            if !claims.contains(&claim) {
                claims.push(claim);
            }
        }
        claims
    }

    /// What a scope means, if the provider was told.
    pub(crate) fn description_of(&self, scope: &str) -> Option<&str> {
        self.scopes.iter().find(|own| own.name == scope)?.description.as_deref()
    }
}
