//! [`PageRenderer`]: the port through which an engine shows a page to a person.

use std::fmt;

use serde::Serialize;

/// Turns a [`Page`] into HTML.
///
/// `auth-ui` has the default. A renderer must escape every value it is given: client names and error
/// descriptions come from outside. Inline `<style>` and `<script>` elements need
/// [`PageView::nonce`], which the engine also puts into the `Content-Security-Policy`.
pub trait PageRenderer: Send + Sync + fmt::Debug + 'static {
    /// The page as a whole HTML document.
    ///
    /// # Errors
    /// [`RenderError`] if the template is broken; the engine then answers with a plain 500.
    fn render(&self, view: &PageView<'_>) -> Result<String, RenderError>;

    /// The languages it has, as BCP 47 tags, for `ui_locales_supported` (OpenID Connect Discovery §3).
    /// None by default: nothing is promised then.
    fn locales(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A template could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("the page could not be rendered")]
#[non_exhaustive]
pub struct RenderError {
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl RenderError {
    /// Wraps the renderer's own error.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}

/// A page and the circumstances it is shown in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PageView<'a> {
    /// What to show.
    pub page: &'a Page,
    /// Wanted languages as BCP 47 tags, best first: `ui_locales` (OpenID Connect Core §3.1.2.1), then
    /// `Accept-Language`. May be empty.
    pub locales: &'a [String],
    /// The nonce that inline styles and scripts must carry.
    pub nonce: &'a str,
}

impl<'a> PageView<'a> {
    /// A view of `page`.
    #[must_use]
    pub fn new(page: &'a Page, locales: &'a [String], nonce: &'a str) -> Self {
        Self { page, locales, nonce }
    }
}

/// The pages of a provider.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Page {
    /// Sign in.
    Login(LoginPage),
    /// Let a client have access.
    Consent(ConsentPage),
    /// Ask whether to sign out.
    Logout(LogoutPage),
    /// Signed out.
    LoggedOut(LoggedOutPage),
    /// Something is wrong and cannot be told to the client.
    Error(ErrorPage),
    /// Posts an authorization response to the client by itself (OAuth 2.0 Form Post Response Mode).
    FormPost(FormPostPage),
}

/// The client that a person deals with, as far as a page shows it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ClientView {
    /// `client_name`, else the client id.
    pub name: String,
    /// `logo_uri`: an https image.
    pub logo_uri: Option<String>,
    /// `client_uri`: the client's home page.
    pub client_uri: Option<String>,
    /// `policy_uri`: its privacy policy.
    pub policy_uri: Option<String>,
    /// `tos_uri`: its terms of service.
    pub tos_uri: Option<String>,
    /// The host that the person will be sent back to.
    pub redirect_host: Option<String>,
}

/// The sign-in form. Posts `identifier`, `password`, `remember` (`true` when ticked) and the hidden
/// `login_challenge` to `action`; the buttons are `action=login`, `action=continue` (only with
/// `continue_as`) and `action=cancel`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoginPage {
    /// Where the form posts to.
    pub action: String,
    /// The hidden `login_challenge`.
    pub challenge: String,
    /// Who asks.
    pub client: ClientView,
    /// What to put into the identifier field: `login_hint`, or what was typed before.
    pub identifier: Option<String>,
    /// A person who is signed in and may go on without signing in again (`prompt=select_account`).
    pub continue_as: Option<String>,
    /// What was wrong with the last attempt.
    pub problem: Option<LoginProblem>,
}

impl LoginPage {
    /// A form that posts `challenge` to `action`.
    #[must_use]
    pub fn new(action: String, challenge: String, client: ClientView) -> Self {
        Self { action, challenge, client, identifier: None, continue_as: None, problem: None }
    }
}

/// Why a sign-in did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginProblem {
    /// Identifier or password is wrong; which of them is not told.
    Credentials,
    /// Too many attempts; try again later.
    TooManyAttempts,
}

/// The consent form. Posts the ticked `grant_scope` values, `remember` (`true` when ticked) and the
/// hidden `consent_challenge` to `action`; the buttons are `action=accept` and `action=deny`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConsentPage {
    /// Where the form posts to.
    pub action: String,
    /// The hidden `consent_challenge`.
    pub challenge: String,
    /// Who asks.
    pub client: ClientView,
    /// The person who is signed in, by a name they know.
    pub account: String,
    /// What is asked for.
    pub scopes: Vec<ScopeView>,
}

impl ConsentPage {
    /// A form that posts `challenge` to `action`.
    #[must_use]
    pub fn new(
        action: String,
        challenge: String,
        client: ClientView,
        account: String,
        scopes: Vec<ScopeView>,
    ) -> Self {
        Self { action, challenge, client, account, scopes }
    }
}

/// A scope on the consent page.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScopeView {
    /// The scope value, such as `email`.
    pub name: String,
    /// What it means, if the provider was told; the renderer knows the standard scopes itself.
    pub description: Option<String>,
    /// Whether the person may untick it.
    pub optional: bool,
}

impl ScopeView {
    /// A scope that cannot be unticked.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), description: None, optional: false }
    }
}

/// The question whether to sign out. Posts the hidden `logout_challenge` to `action`; the buttons are
/// `action=accept` and `action=deny`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogoutPage {
    /// Where the form posts to.
    pub action: String,
    /// The hidden `logout_challenge`.
    pub challenge: String,
    /// Who asks, if a client does.
    pub client: Option<ClientView>,
    /// The person who is signed in, by a name they know.
    pub account: String,
}

impl LogoutPage {
    /// A form that posts `challenge` to `action`.
    #[must_use]
    pub fn new(
        action: String,
        challenge: String,
        client: Option<ClientView>,
        account: String,
    ) -> Self {
        Self { action, challenge, client, account }
    }
}

/// The end of a session, or the news that it goes on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoggedOutPage {
    /// Whether the person is signed out; otherwise they chose to stay.
    pub signed_out: bool,
    /// Pages of clients to load in frames that nobody sees, so that the browser is signed out there, too
    /// (OpenID Connect Front-Channel Logout §3). The engine permits their origins and no others.
    pub frames: Vec<String>,
    /// Where to go once they are loaded, or have had their time.
    pub continue_to: Option<String>,
}

impl LoggedOutPage {
    /// The page.
    #[must_use]
    pub fn new(signed_out: bool) -> Self {
        Self { signed_out, frames: Vec::new(), continue_to: None }
    }
}

/// An error that cannot be told to the client, because who the client is, or where it wants its
/// answers, is not established.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ErrorPage {
    /// The status of the answer.
    pub status: u16,
    /// The standard's code, such as `invalid_request`.
    pub error: String,
    /// What is wrong, naming the parameter.
    pub description: String,
    /// What the person at the screen can do, where there is something.
    pub remedy: Option<Remedy>,
    /// Names the request in the logs.
    pub request_id: String,
    /// Which rule refused it; in development mode only.
    pub explanation: Option<Explanation>,
}

/// Which rule refused a request, for whoever develops the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Where it stands, such as `RFC 7636 §4.3`.
    pub rule: String,
    /// The parameter that does not satisfy it, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What was sent, shortened, and no secret; `None` if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Explanation {
    /// By a rule.
    #[must_use]
    pub fn new(rule: impl Into<String>) -> Self {
        Self { rule: rule.into(), parameter: None, value: None }
    }
}

impl ErrorPage {
    /// The page.
    #[must_use]
    pub fn new(
        status: u16,
        error: impl Into<String>,
        description: impl Into<String>,
        request_id: impl Into<String>,
    ) -> Self {
        Self {
            status,
            error: error.into(),
            description: description.into(),
            remedy: None,
            request_id: request_id.into(),
            explanation: None,
        }
    }
}

/// What a person can do about an [`ErrorPage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Go back to the application and start again: the interaction expired or was used.
    StartAgain,
    /// Permit cookies: the browser did not bring the one that was set.
    AllowCookies,
    /// Wait a while.
    TryLater,
}

/// A form that posts itself to the client. Without JavaScript it has a button.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FormPostPage {
    /// Where the form posts to: the validated redirect URI.
    pub redirect_uri: String,
    /// The response parameters.
    pub parameters: Vec<(String, String)>,
}

impl FormPostPage {
    /// The page.
    #[must_use]
    pub fn new(redirect_uri: String, parameters: Vec<(String, String)>) -> Self {
        Self { redirect_uri, parameters }
    }
}
