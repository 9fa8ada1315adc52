//! Where an error of the authorization endpoint may go, as types.

use auth_core::http::FormError;
use auth_core::page::Remedy;
use http::StatusCode;

use crate::authorize::ValidatedRedirect;
use crate::explain::{Explained, Rule};
use crate::refusal::ErrorCode;

/// An error before the redirect URI is validated: it can only become a page
/// (RFC 6749 §4.1.2.1, RFC 9700 §4.11.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageError {
    pub(crate) status: StatusCode,
    pub(crate) error: ErrorCode,
    pub(crate) description: String,
    pub(crate) remedy: Option<Remedy>,
    pub(crate) rule: Option<Rule>,
}

impl Explained for PageError {
    fn rule(&mut self) -> &mut Option<Rule> {
        &mut self.rule
    }
}

impl PageError {
    pub(crate) fn new(error: ErrorCode, description: impl Into<String>) -> Self {
        // A page is never a 401: nobody is asked to authenticate by a header.
        let status = match error.status() {
            StatusCode::UNAUTHORIZED => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self { status, error, description: description.into(), remedy: None, rule: None }
    }

    pub(crate) fn remedy(self, remedy: Remedy) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    pub(crate) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl From<FormError> for PageError {
    fn from(error: FormError) -> Self {
        let page = Self::new(ErrorCode::InvalidRequest, error.to_string());
        match error {
            FormError::ContentType => page.status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            _ => page,
        }
    }
}

/// An error after that: it goes to the client, and only there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RedirectError {
    pub(crate) to: ValidatedRedirect,
    /// The wire code: ours, or free text of whoever rejected a challenge.
    pub(crate) error: String,
    pub(crate) description: String,
    pub(crate) rule: Option<Rule>,
}

impl Explained for RedirectError {
    fn rule(&mut self) -> &mut Option<Rule> {
        &mut self.rule
    }
}

impl RedirectError {
    pub(crate) fn new(
        to: &ValidatedRedirect,
        error: ErrorCode,
        description: impl Into<String>,
    ) -> Self {
        Self {
            to: to.clone(),
            error: error.as_str().to_owned(),
            description: description.into(),
            rule: None,
        }
    }
}

/// Either of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuthorizeRefusal {
    Page(PageError),
    Redirect(RedirectError),
}

impl From<PageError> for AuthorizeRefusal {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl From<RedirectError> for AuthorizeRefusal {
    fn from(error: RedirectError) -> Self {
        Self::Redirect(error)
    }
}

impl From<AuthorizeRefusal> for crate::stop::Stop<AuthorizeRefusal> {
    fn from(refusal: AuthorizeRefusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl From<PageError> for crate::stop::Stop<AuthorizeRefusal> {
    fn from(error: PageError) -> Self {
        Self::Refuse(error.into())
    }
}

impl From<RedirectError> for crate::stop::Stop<AuthorizeRefusal> {
    fn from(error: RedirectError) -> Self {
        Self::Refuse(error.into())
    }
}
