//! [`LoginChallenge`], [`ConsentChallenge`], [`LogoutChallenge`]: an application's own pages.

use std::ops::Deref;
use std::sync::Arc;

use auth_core::challenge::{
    ChallengeDesk, ConsentRequest, LoginRequest, LogoutRequest, RedirectTo,
};
use auth_core::http::redirect;
use auth_core::settle::{Question, Rendering, Ticket};
use axum::Extension;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::middleware::AddExtension;
use axum::response::{IntoResponse, Response};
use tower_layer::Layer;

use crate::rejection::ChallengeRejection;

/// Tells the routes that it wraps where challenges are settled.
#[derive(Debug, Clone)]
pub struct DeskLayer(Arc<dyn ChallengeDesk>);

impl DeskLayer {
    /// Settles challenges at `desk`.
    #[must_use]
    pub fn new(desk: Arc<dyn ChallengeDesk>) -> Self {
        Self(desk)
    }
}

impl<S> Layer<S> for DeskLayer {
    type Service = AddExtension<S, Arc<dyn ChallengeDesk>>;

    fn layer(&self, inner: S) -> Self::Service {
        Extension(Arc::clone(&self.0)).layer(inner)
    }
}

/// The login question that the query parameter `login_challenge` brings.
pub type LoginChallenge = Challenge<LoginRequest>;

/// The consent question that the query parameter `consent_challenge` brings.
pub type ConsentChallenge = Challenge<ConsentRequest>;

/// The logout question that the query parameter `logout_challenge` brings.
pub type LogoutChallenge = Challenge<LogoutRequest>;

/// Extracts a question that came with the request. It derefs to the question, such as
/// [`LoginRequest`], and answers it by `accept` and `reject` of its [`Ticket`].
///
/// ```
/// use auth_axum::{ChallengeRejection, ConsentChallenge, LoginChallenge, Settled};
///
/// async fn page(login: LoginChallenge) -> String {
///     format!("{} wants to know who you are", login.client.name)
/// }
///
/// // The form posts to the URL of its page, so that the challenge comes along.
/// async fn submit(login: LoginChallenge) -> Result<Settled, ChallengeRejection> {
///     login.accept("alice").amr(["pwd"]).remember(true).finish().await
/// }
///
/// async fn refuse(consent: ConsentChallenge) -> Result<Settled, ChallengeRejection> {
///     consent.reject("the person said no").await
/// }
/// # use axum::{Router, routing::get};
/// # Router::<()>::new().route("/", get(page).post(submit).delete(refuse));
/// ```
#[derive(Debug)]
pub struct Challenge<Q>(Ticket<Q, Settled>);

impl<Q> Deref for Challenge<Q> {
    type Target = Ticket<Q, Settled>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<Q: Question, S: Send + Sync> FromRequestParts<S> for Challenge<Q> {
    type Rejection = ChallengeRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ChallengeRejection> {
        let Some(desk) = parts.extensions.get::<Arc<dyn ChallengeDesk>>() else {
            tracing::error!(
                "a route asks for a challenge and no desk is there: add \
                 `.layer(auth_axum::DeskLayer::new(desk))` to its router"
            );
            return Err(ChallengeRejection::MissingDesk);
        };
        Ok(Self(Ticket::open(Arc::clone(desk), parts.uri.query()).await?))
    }
}

/// A challenge is settled. As a response it sends the browser on.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct Settled(pub RedirectTo);

impl From<RedirectTo> for Settled {
    fn from(to: RedirectTo) -> Self {
        Self(to)
    }
}

impl Rendering for Settled {
    type Rejection = ChallengeRejection;
}

impl IntoResponse for Settled {
    fn into_response(self) -> Response {
        redirect(&self.0.url).map(Body::from)
    }
}
