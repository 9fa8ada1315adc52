//! Challenges: the questions that an engine puts to a person, and how somebody else may answer them.
//!
//! The engine opens a challenge and hands it to a [`ChallengeHandler`]: the built-in pages, a flow
//! engine, or code of the embedder. Whoever settles it does so at the [`ChallengeDesk`]; there is one
//! state machine behind it, whichever way the answer comes.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::decision::Unavailable;
use crate::id::{ClientId, SessionId, Subject};
use crate::page::{ClientView, Page};
use crate::scope::Scopes;

/// A question that waits for its answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Pending {
    /// Who is this?
    Login(LoginRequest),
    /// May the client have this?
    Consent(ConsentRequest),
    /// Sign out?
    Logout(LogoutRequest),
}

impl Pending {
    /// The challenge by which it is settled.
    #[must_use]
    pub fn challenge(&self) -> &str {
        match self {
            Self::Login(request) => &request.challenge,
            Self::Consent(request) => &request.challenge,
            Self::Logout(request) => &request.challenge,
        }
    }
}

/// What a page is shown in (OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Display {
    /// A full page.
    Page,
    /// A small window.
    Popup,
    /// A device without a pointer.
    Touch,
}

impl Display {
    /// All of them; `wap` is as unknown here as any other value, and means nothing.
    pub const ALL: [Self; 3] = [Self::Page, Self::Popup, Self::Touch];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Popup => "popup",
            Self::Touch => "touch",
        }
    }
}

/// A client asks who somebody is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoginRequest {
    /// By which it is settled: opaque.
    pub challenge: String,
    /// Who asks.
    pub client_id: ClientId,
    /// Who asks, for people.
    pub client: ClientView,
    /// What is asked for.
    pub requested_scope: Scopes,
    /// Somebody is signed in and need not prove it again: [`AcceptLogin::continued`] is permitted.
    pub skip: bool,
    /// Who is signed in, if anybody is.
    pub subject: Option<Subject>,
    /// `login_hint` (OpenID Connect Core §3.1.2.1).
    pub login_hint: Option<String>,
    /// `prompt=select_account`: the person is to choose.
    pub select_account: bool,
    /// `prompt=create`: the person has no account yet (Initiating User Registration via OpenID Connect 1.0 §4.1).
    pub create: bool,
    /// `display`: what the pages are shown in.
    pub display: Option<Display>,
    /// Wanted languages, best first.
    pub ui_locales: Vec<String>,
    /// `acr_values`, best first.
    pub acr_values: Vec<String>,
}

impl LoginRequest {
    /// A request without wishes.
    #[must_use]
    pub fn new(challenge: String, client_id: ClientId, client: ClientView) -> Self {
        Self {
            challenge,
            client_id,
            client,
            requested_scope: Scopes::default(),
            skip: false,
            subject: None,
            login_hint: None,
            select_account: false,
            create: false,
            display: None,
            ui_locales: Vec::new(),
            acr_values: Vec::new(),
        }
    }
}

/// A client asks for access.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConsentRequest {
    /// By which it is settled: opaque.
    pub challenge: String,
    /// Who asks.
    pub client_id: ClientId,
    /// Who asks, for people.
    pub client: ClientView,
    /// What is asked for.
    pub requested_scope: Scopes,
    /// Those of them that a person may refuse and still go on.
    pub optional_scope: Scopes,
    /// Who is asked.
    pub subject: Subject,
    /// Wanted languages, best first.
    pub ui_locales: Vec<String>,
    /// What the login's answer said in [`AcceptLogin::context`].
    pub context: Value,
}

impl ConsentRequest {
    /// A request for `requested_scope`.
    #[must_use]
    pub fn new(
        challenge: String,
        client_id: ClientId,
        client: ClientView,
        subject: Subject,
        requested_scope: Scopes,
    ) -> Self {
        Self {
            challenge,
            client_id,
            client,
            requested_scope,
            optional_scope: Scopes::default(),
            subject,
            ui_locales: Vec::new(),
            context: Value::Null,
        }
    }
}

/// Somebody, or a client of theirs, asks to sign out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogoutRequest {
    /// By which it is settled: opaque.
    pub challenge: String,
    /// Which client asks, if one does.
    pub client: Option<ClientView>,
    /// Who is signed in.
    pub subject: Subject,
    /// The session that would end.
    pub sid: SessionId,
    /// Who the client thinks is signed in, as it was sent (OpenID Connect RP-Initiated Logout §2); nobody has
    /// checked it.
    pub logout_hint: Option<String>,
    /// Wanted languages, best first.
    pub ui_locales: Vec<String>,
}

impl LogoutRequest {
    /// A request that no client made.
    #[must_use]
    pub fn new(challenge: String, subject: Subject, sid: SessionId) -> Self {
        Self { challenge, client: None, subject, sid, logout_hint: None, ui_locales: Vec::new() }
    }
}

/// The answer to a challenge: yes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Accept {
    /// This is who it is.
    Login(AcceptLogin),
    /// The client may have this.
    Consent(AcceptConsent),
    /// Sign out.
    Logout,
}

/// Who somebody is, and how they proved it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AcceptLogin {
    /// Who.
    pub subject: Subject,
    /// Whether the session outlives the browser's.
    pub remember: bool,
    /// For how long, if remembered; the provider's own limit by default.
    pub remember_for: Option<Duration>,
    /// How strongly they proved it.
    pub acr: Option<String>,
    /// By which methods (RFC 8176): `pwd`, `otp`, …
    pub amr: Vec<String>,
    /// Anything that the consent question should know.
    pub context: Value,
    /// Nobody proved anything anew: the session that is there goes on. Only for a request that permits
    /// it by [`LoginRequest::skip`].
    pub continued: bool,
}

impl AcceptLogin {
    /// `subject` signed in.
    #[must_use]
    pub fn new(subject: impl Into<Subject>) -> Self {
        Self {
            subject: subject.into(),
            remember: false,
            remember_for: None,
            acr: None,
            amr: Vec::new(),
            context: Value::Null,
            continued: false,
        }
    }

    /// The session of `subject` goes on.
    #[must_use]
    pub fn continued(subject: impl Into<Subject>) -> Self {
        Self { continued: true, ..Self::new(subject) }
    }

    /// The same by these methods (RFC 8176).
    #[must_use]
    pub fn amr<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.amr = methods.into_iter().map(Into::into).collect();
        self
    }

    /// The same at this level.
    #[must_use]
    pub fn acr(mut self, acr: impl Into<String>) -> Self {
        self.acr = Some(acr.into());
        self
    }

    /// The same in a session that outlives the browser's.
    #[must_use]
    pub fn remember(mut self, remember: bool) -> Self {
        self.remember = remember;
        self
    }
}

/// What a client may have.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct AcceptConsent {
    /// At most what was asked for. Nothing is granted by being left out.
    pub grant_scope: Scopes,
    /// Whether the same question is answered so the next time.
    pub remember: bool,
    /// For how long, if remembered; for ever by default.
    pub remember_for: Option<Duration>,
    /// Claims to add to the id token.
    pub id_token: Map<String, Value>,
    /// Claims to add to the access token.
    pub access_token: Map<String, Value>,
}

impl AcceptConsent {
    /// Grants `scope`.
    #[must_use]
    pub fn new(scope: Scopes) -> Self {
        Self { grant_scope: scope, ..Self::default() }
    }

    /// The same, remembered.
    #[must_use]
    pub fn remember(mut self, remember: bool) -> Self {
        self.remember = remember;
        self
    }
}

/// The answer to a challenge: no. It reaches the client as an error response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reject {
    /// The error code, such as `access_denied`.
    pub error: String,
    /// What happened, for the developers of the client.
    pub error_description: String,
}

impl Reject {
    /// `access_denied` (RFC 6749 §4.1.2.1).
    #[must_use]
    pub fn access_denied(description: impl Into<String>) -> Self {
        Self { error: "access_denied".to_owned(), error_description: description.into() }
    }
}

/// What a [`ChallengeHandler`] wants done with a question.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Step {
    /// Send the browser there; the challenge is settled later, at the desk.
    Redirect(String),
    /// Show this page.
    Page(Page),
    /// Yes, at once.
    Accept(Accept),
    /// No, at once.
    Reject(Reject),
}

/// Decides what becomes of a question.
#[async_trait]
pub trait ChallengeHandler: Send + Sync + fmt::Debug + 'static {
    /// Begins with a question that a browser's request gave rise to.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be begun.
    async fn begin(
        &self,
        pending: &Pending,
        browser: &http::request::Parts,
    ) -> Result<Step, Unavailable>;

    /// Whether people without an account can be sent to make one (`prompt=create`). Default: no, and such a
    /// request is refused.
    fn registers(&self) -> bool {
        false
    }
}

/// Sends every question to pages of the embedder's own, with the challenge in the query as
/// `login_challenge`, `consent_challenge` or `logout_challenge`; they settle it at the desk.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HeadlessUrls {
    /// Where people sign in.
    pub login: String,
    /// Where they consent.
    pub consent: String,
    /// Where they confirm that they sign out.
    pub logout: String,
    /// Where those make an account who come with `prompt=create`, if they can.
    pub registration: Option<String>,
}

impl HeadlessUrls {
    /// These pages.
    #[must_use]
    pub fn new(
        login: impl Into<String>,
        consent: impl Into<String>,
        logout: impl Into<String>,
    ) -> Self {
        Self {
            login: login.into(),
            consent: consent.into(),
            logout: logout.into(),
            registration: None,
        }
    }

    /// With a page where people make an account. It gets the `login_challenge`, and accepts it for whoever has
    /// one then.
    #[must_use]
    pub fn registration(self, page: impl Into<String>) -> Self {
        Self { registration: Some(page.into()), ..self }
    }
}

#[async_trait]
impl ChallengeHandler for HeadlessUrls {
    async fn begin(
        &self,
        pending: &Pending,
        _: &http::request::Parts,
    ) -> Result<Step, Unavailable> {
        let (page, parameter) = match pending {
            Pending::Login(login) if login.create => {
                (self.registration.as_ref().unwrap_or(&self.login), "login_challenge")
            }
            Pending::Login(_) => (&self.login, "login_challenge"),
            Pending::Consent(_) => (&self.consent, "consent_challenge"),
            Pending::Logout(_) => (&self.logout, "logout_challenge"),
        };
        let separator = if page.contains('?') { '&' } else { '?' };
        // A challenge is base64url and needs no encoding.
        Ok(Step::Redirect(format!("{page}{separator}{parameter}={}", pending.challenge())))
    }

    fn registers(&self) -> bool {
        self.registration.is_some()
    }
}

/// Where challenges are settled.
#[async_trait]
pub trait ChallengeDesk: Send + Sync + fmt::Debug + 'static {
    /// The question of a challenge.
    ///
    /// # Errors
    /// [`DeskError`].
    async fn open(&self, challenge: &str) -> Result<Pending, DeskError>;

    /// Answers it with yes. May be repeated until the browser has used the answer: the last one counts.
    ///
    /// # Errors
    /// [`DeskError`].
    async fn accept(&self, challenge: &str, accept: Accept) -> Result<RedirectTo, DeskError>;

    /// Answers it with no.
    ///
    /// # Errors
    /// [`DeskError`].
    async fn reject(&self, challenge: &str, reject: Reject) -> Result<RedirectTo, DeskError>;
}

/// Where the browser goes on after a challenge was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "the browser must be sent there"]
pub struct RedirectTo {
    /// The URL.
    pub url: String,
}

impl RedirectTo {
    /// There.
    pub fn new(url: String) -> Self {
        Self { url }
    }
}

/// A challenge cannot be settled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// Not a challenge of this provider, or of another kind.
    #[error("this is not a challenge of this provider")]
    NotFound,
    /// Sealed under a key that this process does not have.
    #[error("the challenge is sealed under a key that this process does not have")]
    UnknownKey,
    /// Too old.
    #[error("the challenge expired")]
    Expired,
    /// The browser has used the answer already.
    #[error("the challenge was used")]
    Used,
    /// The answer goes beyond the question.
    #[error("the answer does not fit the question: {0}")]
    Unfit(&'static str),
    /// A component failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
