//! [`LoginChallenge`], [`ConsentChallenge`], [`LogoutChallenge`]: an application's own pages.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, Responder};
use auth_core::challenge::{
    ChallengeDesk, ConsentRequest, LoginRequest, LogoutRequest, RedirectTo,
};
use auth_core::http::redirect;
use auth_core::settle::{Question, Rendering, Ticket};

use crate::convert;
use crate::gate::Gate;
use crate::rejection::{ChallengeRejection, Rejection};

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

impl Gate for DeskLayer {
    async fn admit(&self, request: &HttpRequest) -> Result<(), Rejection> {
        request.extensions_mut().insert(Arc::clone(&self.0));
        Ok(())
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
/// An `Option` of it does not tell a used challenge from none at all; take
/// `Result<LoginChallenge, ChallengeRejection>` for that.
///
/// ```
/// use actix_web::{App, web};
/// use auth_actix::{ChallengeRejection, ConsentChallenge, LoginChallenge, Settled};
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
/// # App::new().service(web::resource("/").get(page).post(submit).delete(refuse));
/// ```
#[derive(Debug)]
pub struct Challenge<Q>(Ticket<Q, Settled>);

impl<Q> Deref for Challenge<Q> {
    type Target = Ticket<Q, Settled>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<Q: Question> FromRequest for Challenge<Q> {
    type Error = ChallengeRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ChallengeRejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let desk = request.extensions().get::<Arc<dyn ChallengeDesk>>().cloned();
            let Some(desk) = desk else {
                tracing::error!(
                    "a route asks for a challenge and no desk is there: add \
                     `.wrap(auth_actix::DeskLayer::new(desk))` to its application or scope"
                );
                return Err(ChallengeRejection::MissingDesk);
            };
            Ok(Self(Ticket::open(desk, request.uri().query()).await?))
        })
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

impl Responder for Settled {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        convert::response(redirect(&self.0.url))
    }
}
