//! Settling challenges from pages of the embedder's own: what the adapters of web frameworks share.
//!
//! The browser brings the challenge in the query: `login_challenge`, `consent_challenge` or
//! `logout_challenge`. A [`Ticket`] is that challenge opened at the desk: it shows the question, and
//! `accept` and `reject` answer it.
//!
//! ```text
//!   GET  /sign-in?login_challenge=… ─▶ Ticket::open ─▶ LoginRequest ─▶ the embedder's page
//!   POST /sign-in?login_challenge=… ─▶ Ticket::open ─▶ accept(subject).amr(["pwd"]).finish()
//!                                                          └─▶ RedirectTo: the browser goes on
//! ```
//!
//! Without a framework the results are [`RedirectTo`] and [`Unsettled`]; an adapter puts responses of
//! its framework in their place, by [`Rendering`].

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::challenge::{
    Accept, AcceptConsent, AcceptLogin, ChallengeDesk, ConsentRequest, DeskError, LoginRequest,
    LogoutRequest, Pending, RedirectTo, Reject,
};
use crate::http::{Form, Response, json as respond_json};
use crate::id::Subject;
use crate::scope::Scopes;

/// A kind of question. It is implemented for [`LoginRequest`], [`ConsentRequest`] and
/// [`LogoutRequest`], and for nothing else.
pub trait Question: Sized + Send + Sync + sealed::OfPending + 'static {
    /// The query parameter that brings the challenge.
    const PARAMETER: &'static str;

    /// The challenge by which it is settled.
    fn challenge(&self) -> &str;
}

mod sealed {
    use super::Pending;

    pub trait OfPending: Sized {
        fn of_pending(pending: Pending) -> Option<Self>;
    }
}

/// Declares the kind of question of a variant of [`Pending`].
macro_rules! question {
    ($request:ident, $variant:ident, $parameter:literal) => {
        impl Question for $request {
            const PARAMETER: &'static str = $parameter;

            fn challenge(&self) -> &str {
                &self.challenge
            }
        }

        impl sealed::OfPending for $request {
            fn of_pending(pending: Pending) -> Option<Self> {
                match pending {
                    Pending::$variant(request) => Some(request),
                    _ => None,
                }
            }
        }
    };
}

question!(LoginRequest, Login, "login_challenge");
question!(ConsentRequest, Consent, "consent_challenge");
question!(LogoutRequest, Logout, "logout_challenge");

/// What becomes of an answer, so that handlers of a web framework can return it as it is.
pub trait Rendering: From<RedirectTo> {
    /// What becomes of a challenge that cannot be settled.
    type Rejection: From<Unsettled>;
}

impl Rendering for RedirectTo {
    type Rejection = Unsettled;
}

/// A challenge that was opened at the desk. It derefs to its question.
#[derive(Debug)]
pub struct Ticket<Q, R = RedirectTo> {
    desk: Arc<dyn ChallengeDesk>,
    question: Q,
    rendering: PhantomData<fn() -> R>,
}

impl<Q: Question, R: Rendering> Ticket<Q, R> {
    /// Opens the challenge that the query of a request brings.
    ///
    /// # Errors
    /// [`Unsettled::NoChallenge`] if it brings none or is malformed; else what the desk says. A
    /// challenge of another kind is [`DeskError::NotFound`].
    pub async fn open(
        desk: Arc<dyn ChallengeDesk>,
        query: Option<&str>,
    ) -> Result<Self, Unsettled> {
        let form = Form::from_query(query).unwrap_or_default();
        let challenge = form.get(Q::PARAMETER).ok_or(Unsettled::NoChallenge(Q::PARAMETER))?;
        let question = Q::of_pending(desk.open(challenge).await?).ok_or(DeskError::NotFound)?;
        Ok(Self { desk, question, rendering: PhantomData })
    }

    /// Answers no: `access_denied`, with a description for the developers of the client.
    ///
    /// # Errors
    /// [`Unsettled::Desk`].
    pub async fn reject(&self, description: impl Into<String>) -> Result<R, R::Rejection> {
        let reject = Reject::access_denied(description);
        rendered(self.desk.reject(self.question.challenge(), reject).await)
    }

    fn answer<T>(&self, accept: T) -> Answer<T, R> {
        Answer {
            desk: Arc::clone(&self.desk),
            challenge: self.question.challenge().to_owned(),
            accept,
            rendering: PhantomData,
        }
    }
}

impl<R: Rendering> Ticket<LoginRequest, R> {
    /// Begins to answer that this is `subject`.
    pub fn accept(&self, subject: impl Into<Subject>) -> Answer<AcceptLogin, R> {
        self.answer(AcceptLogin::new(subject))
    }

    /// Begins to answer that the session of `subject` goes on: only if [`LoginRequest::skip`] permits.
    pub fn continued(&self, subject: impl Into<Subject>) -> Answer<AcceptLogin, R> {
        self.answer(AcceptLogin::continued(subject))
    }
}

impl<R: Rendering> Ticket<ConsentRequest, R> {
    /// Begins to answer that the client may have `scope`: at most what was asked for.
    pub fn accept(&self, scope: Scopes) -> Answer<AcceptConsent, R> {
        self.answer(AcceptConsent::new(scope))
    }
}

impl<R: Rendering> Ticket<LogoutRequest, R> {
    /// Answers yes: sign out.
    ///
    /// # Errors
    /// [`Unsettled::Desk`].
    pub async fn accept(&self) -> Result<R, R::Rejection> {
        rendered(self.desk.accept(self.question.challenge(), Accept::Logout).await)
    }
}

impl<Q, R> Deref for Ticket<Q, R> {
    type Target = Q;

    fn deref(&self) -> &Q {
        &self.question
    }
}

/// A yes in the making. Nothing is answered before [`finish`](Answer::finish).
#[derive(Debug)]
#[must_use = "nothing is answered before `finish`"]
pub struct Answer<T, R = RedirectTo> {
    desk: Arc<dyn ChallengeDesk>,
    challenge: String,
    accept: T,
    rendering: PhantomData<fn() -> R>,
}

impl<R> Answer<AcceptLogin, R> {
    /// They proved it by these methods (RFC 8176).
    pub fn amr<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.accept = self.accept.amr(methods);
        self
    }

    /// They proved it at this level.
    pub fn acr(mut self, acr: impl Into<String>) -> Self {
        self.accept = self.accept.acr(acr);
        self
    }

    /// The session outlives the browser's.
    pub fn remember(mut self, remember: bool) -> Self {
        self.accept = self.accept.remember(remember);
        self
    }

    /// For how long, if it is remembered; the provider's own limit by default.
    pub fn remember_for(mut self, time: Duration) -> Self {
        self.accept.remember_for = Some(time);
        self
    }

    /// What the consent question should know: [`ConsentRequest::context`].
    pub fn context(mut self, context: impl Into<Value>) -> Self {
        self.accept.context = context.into();
        self
    }
}

impl<R> Answer<AcceptConsent, R> {
    /// The same question is answered so the next time.
    pub fn remember(mut self, remember: bool) -> Self {
        self.accept = self.accept.remember(remember);
        self
    }

    /// For how long, if it is remembered; for ever by default.
    pub fn remember_for(mut self, time: Duration) -> Self {
        self.accept.remember_for = Some(time);
        self
    }

    /// Adds claims to the id token.
    pub fn id_token<N, V>(mut self, claims: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<Value>,
    {
        self.accept.id_token.extend(claims.into_iter().map(|(n, v)| (n.into(), v.into())));
        self
    }

    /// Adds claims to the access token.
    pub fn access_token<N, V>(mut self, claims: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<Value>,
    {
        self.accept.access_token.extend(claims.into_iter().map(|(n, v)| (n.into(), v.into())));
        self
    }
}

impl<T: Into<Accept>, R: Rendering> Answer<T, R> {
    /// Answers yes.
    ///
    /// # Errors
    /// [`Unsettled::Desk`].
    pub async fn finish(self) -> Result<R, R::Rejection> {
        rendered(self.desk.accept(&self.challenge, self.accept.into()).await)
    }
}

impl From<AcceptLogin> for Accept {
    fn from(accept: AcceptLogin) -> Self {
        Self::Login(accept)
    }
}

impl From<AcceptConsent> for Accept {
    fn from(accept: AcceptConsent) -> Self {
        Self::Consent(accept)
    }
}

fn rendered<R: Rendering>(settled: Result<RedirectTo, DeskError>) -> Result<R, R::Rejection> {
    Ok(settled.map_err(Unsettled::from)?.into())
}

/// A request to a page cannot be dealt with, for its challenge. It renders itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unsettled {
    /// The query does not bring one challenge: 400.
    #[error("the query must have one `{0}`")]
    NoChallenge(&'static str),
    /// The desk refuses.
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl Unsettled {
    /// The answer to the browser: JSON that names the cause.
    #[must_use]
    pub fn response(&self) -> Response {
        let (status, error) = match self {
            Self::NoChallenge(_) => (StatusCode::BAD_REQUEST, "no_challenge"),
            Self::Desk(DeskError::NotFound) => (StatusCode::NOT_FOUND, "not_found"),
            Self::Desk(DeskError::UnknownKey) => (StatusCode::NOT_FOUND, "unknown_key"),
            Self::Desk(DeskError::Expired) => (StatusCode::GONE, "expired"),
            Self::Desk(DeskError::Used) => (StatusCode::GONE, "used"),
            Self::Desk(DeskError::Unfit(_)) => (StatusCode::BAD_REQUEST, "unfit"),
            Self::Desk(DeskError::Unavailable(cause)) => {
                let error = cause as &dyn std::error::Error;
                tracing::error!(target: "oauth2", error, "a challenge could not be settled");
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
        };
        let unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
        let description = if unavailable { "try again later".to_owned() } else { self.to_string() };
        let body = json!({"error": error, "error_description": description});
        let mut response = respond_json(status, &body);
        if unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
