//! The built-in sign-in page.

use std::time::Duration;

use auth_core::challenge::{Accept, AcceptLogin, Pending, Reject};
use auth_core::decision::{
    Asks, Cx, Decision, Done, Facts, Need, Outcome, Reservation, Unavailable, Work,
};
use auth_core::http::{Form, Request, Response, redirect};
use auth_core::page::{LoginPage, LoginProblem, Page};
use auth_core::{Authentication, Secret, Subject, Timestamp};
use http::{HeaderMap, Method, StatusCode};

use crate::challenge::{Browser, Challenge, Kindred};
use crate::client::Client;
use crate::endpoint::answer::parameters;
use crate::endpoint::budget::Budget;
use crate::endpoint::path;
use crate::provider::Provider;

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    let headers = request.headers();
    let form = match parameters(request) {
        Ok(form) => form,
        Err(error) => return provider.error_page(&error.into(), headers),
    };
    let text = form.get("login_challenge").unwrap_or_default();
    let (challenge, client) = match provider.open_challenge(&[Kindred::Login], text).await {
        Ok(opened) => opened,
        Err(error) => return provider.desk_error(&error, headers),
    };
    let browser = Browser::read(headers, provider.config().cookies);
    if let Err(error) = Browser::require(browser.as_ref(), challenge.browser, provider.tenant()) {
        return provider.error_page(&error, headers);
    }
    let shown = Shown { provider, challenge: &challenge, client: client.as_ref(), text, headers };
    if request.method() == Method::GET {
        return shown.page(StatusCode::OK, None, None).await;
    }
    let source = provider.source(request);
    let answer = match form.get("action") {
        Some("cancel") => Err(Reject::access_denied("the person chose not to sign in")),
        Some("continue") => match signed_in(&challenge, client.as_ref()) {
            Some(subject) => Ok(Accept::Login(AcceptLogin::continued(subject))),
            None => return shown.page(StatusCode::BAD_REQUEST, None, None).await,
        },
        _ => match sign_in(provider, &form, source).await {
            Err(cause) => return provider.unavailable_page(&cause, headers),
            Ok(Err(problem)) => {
                let status = match problem {
                    LoginProblem::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
                    _ => StatusCode::BAD_REQUEST,
                };
                return shown.page(status, form.get("identifier"), Some(problem)).await;
            }
            Ok(Ok(subject)) => {
                let remember = form.get("remember").is_some();
                let accept = AcceptLogin::new(subject).amr(["pwd"]).remember(remember);
                Ok(Accept::Login(match provider.config().acr_values.first() {
                    Some(weakest) => accept.acr(weakest.as_str()),
                    None => accept,
                }))
            }
        },
    };
    match provider.settle(challenge, answer).await {
        Ok(to) => redirect(&to.url),
        Err(error) => provider.desk_error(&error, headers),
    }
}

fn signed_in(challenge: &Challenge, client: Option<&Client>) -> Option<Subject> {
    match challenge.pending(String::new(), client) {
        Pending::Login(login) if login.skip => login.subject,
        _ => None,
    }
}

/// The page of a challenge.
struct Shown<'a> {
    provider: &'a Provider,
    challenge: &'a Challenge,
    client: Option<&'a Client>,
    text: &'a str,
    headers: &'a HeaderMap,
}

impl Shown<'_> {
    async fn page(
        &self,
        status: StatusCode,
        identifier: Option<&str>,
        problem: Option<LoginProblem>,
    ) -> Response {
        let Pending::Login(login) = self.challenge.pending(self.text.to_owned(), self.client)
        else {
            return self
                .provider
                .desk_error(&auth_core::challenge::DeskError::NotFound, self.headers);
        };
        let action = format!("{}{}", self.provider.tenant().issuer.path(), path::LOGIN);
        let mut page = LoginPage::new(action, login.challenge, login.client);
        page.identifier = identifier.map(str::to_owned).or(login.login_hint);
        page.problem = problem;
        if let Some(subject) = login.subject.filter(|_| login.skip) {
            page.continue_as = match self.provider.display_name(&subject).await {
                Ok(name) => Some(name),
                Err(cause) => return self.provider.unavailable_page(&cause, self.headers),
            };
        }
        let locales = self.challenge.locales(self.headers);
        self.provider.page(status, &Page::Login(page), &locales)
    }
}

/// Verifies identifier and password, after an attempt was reserved for both of the identifier and the
/// source.
async fn sign_in(
    provider: &Provider,
    form: &Form,
    source: String,
) -> Result<Result<Subject, LoginProblem>, Unavailable> {
    let attempt = SignInAttempt {
        identifier: form.get("identifier").unwrap_or_default().to_owned(),
        password: Secret::new(form.get("password").unwrap_or_default()),
        source,
    };
    provider.driver().run(provider.tenant(), &attempt).await
}

/// One attempt to sign in by a password.
#[derive(Debug)]
struct SignInAttempt {
    identifier: String,
    password: Secret,
    source: String,
}

impl SignInAttempt {
    /// The window in which attempts are counted.
    const WINDOW: Duration = Duration::from_secs(300);
    /// Attempts that fail for one identifier in a window.
    const PER_IDENTIFIER: u64 = 10;
    /// Attempts that fail from one source in a window.
    const PER_SOURCE: u64 = 100;

    fn budgets(&self, now: Timestamp) -> Vec<Budget> {
        let identifier = self.identifier.to_lowercase();
        let budget = |kind, whose: &str, limit| Budget::new(kind, whose, limit, Self::WINDOW, now);
        let mut budgets = vec![budget("sign_in_identifier", &identifier, Self::PER_IDENTIFIER)];
        if !self.source.is_empty() {
            budgets.push(budget("sign_in_source", &self.source, Self::PER_SOURCE));
        }
        budgets
    }
}

impl Decision for SignInAttempt {
    type Answer = Subject;
    type Refusal = LoginProblem;

    fn prefetch(&self) -> Asks {
        Asks::none()
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Subject, LoginProblem>, Need> {
        let budgets = self.budgets(cx.now);
        let asks =
            budgets.iter().fold(Asks::none(), |asks, budget| asks.read_counter(&budget.good));
        facts.require(asks)?;
        let reservations = budgets.iter().map(|budget| budget.reserve(facts, cx.now));
        let reservations = reservations.collect::<Result<Vec<_>, _>>()?;
        facts.require(reservations.iter().cloned().fold(Asks::none(), Asks::work))?;
        for reservation in &reservations {
            if !matches!(facts.done(reservation)?, Done::Reserved(Reservation::Granted(_))) {
                return Ok(Outcome::refuse(LoginProblem::TooManyAttempts));
            }
        }
        let authenticate = Work::Authenticate {
            identifier: self.identifier.clone(),
            password: self.password.clone(),
        };
        Ok(match facts.done(&authenticate)? {
            Done::Authentication(Authentication::Accepted(subject)) => {
                let batch = cx.side_batch();
                let batch = budgets.iter().fold(batch, |batch, b| batch.write(b.give_back()));
                Outcome::commit(batch, Ok(subject.clone()))?
            }
            _ => Outcome::refuse(LoginProblem::Credentials),
        })
    }
}
