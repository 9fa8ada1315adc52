//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2).

use auth_core::Tenant;
use auth_core::challenge::{Pending, Step};
use auth_core::http::{Form, Request, Response, redirect};
use auth_core::page::Remedy;
use http::{Method, StatusCode};
use url::form_urlencoded;

use crate::authorize::{Answered, Authorize, Next, PageError};
use crate::challenge::{Browser, ResumeConsent, ResumeLogin, Verifier};
use crate::endpoint::answer::parameters;
use crate::endpoint::path;
use crate::provider::Provider;
use crate::refusal::ErrorCode;
use crate::session::login_session::LoginSession;

/// The longest request, in bytes of query and body together.
pub(super) const MAX_LEN: usize = 16 * 1024;

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    let length = request.uri().query().map_or(0, str::len) + request.body().len();
    let headers = request.headers();
    if length > MAX_LEN {
        let text = "the authorization request is longer than 16 KiB";
        return provider.error_page(&PageError::new(ErrorCode::InvalidRequest, text), headers);
    }
    let form = match parameters(request) {
        Ok(form) => form,
        Err(error) => return provider.error_page(&error.into(), headers),
    };
    let policy = match provider.policy().await {
        Ok(policy) => policy,
        Err(cause) => return provider.unavailable_page(&cause, headers),
    };
    let tenant = provider.tenant();
    let cookies = provider.config().cookies;
    let session = LoginSession::handle(tenant, cookies, headers);
    let browser = Browser::read(headers, cookies);
    // What another site posts comes without our cookies, which are `Lax`; a GET brings them.
    if request.method() == Method::POST && session.is_none() && browser.is_none() {
        return redirect(&as_get(tenant, &form));
    }
    let source = provider.source(request);
    let decided = if let Some(text) = form.get("login_verifier") {
        match Verifier::parse(text, "login_verifier", tenant) {
            None => return provider.error_page(&bad_verifier(), headers),
            Some(verifier) => {
                let resume = ResumeLogin { policy, verifier, session, browser, source };
                provider.driver().run(tenant, &resume).await
            }
        }
    } else if let Some(text) = form.get("consent_verifier") {
        match Verifier::parse(text, "consent_verifier", tenant) {
            None => return provider.error_page(&bad_verifier(), headers),
            Some(verifier) => {
                let resume = ResumeConsent { policy, verifier, session, browser };
                provider.driver().run(tenant, &resume).await
            }
        }
    } else {
        let authorize = Authorize::new(tenant, policy, form, session, browser, source);
        provider.driver().run(tenant, &authorize).await
    };
    match decided {
        Err(cause) => provider.unavailable_page(&cause, headers),
        Ok(Err(refusal)) => provider.authorize_refusal(refusal, headers),
        Ok(Ok(answered)) => go_on(provider, answered, request).await,
    }
}

/// The request as a URL.
fn as_get(tenant: &Tenant, form: &Form) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(form.iter()).finish();
    format!("{}?{query}", tenant.issuer.url(path::AUTHORIZATION))
}

fn bad_verifier() -> PageError {
    let text = "the verifier is not one that this provider made";
    PageError::new(ErrorCode::InvalidRequest, text).remedy(Remedy::StartAgain)
}

async fn go_on(provider: &Provider, answered: Answered, request: &Request) -> Response {
    let mut response = match answered.next {
        Next::Respond(response) => provider.respond(response, request.headers()),
        Next::Ask(pending) => provider.ask(&pending, request).await,
    };
    for cookie in answered.cookies {
        cookie.set(provider.config().cookies, response.headers_mut());
    }
    response
}

impl Provider {
    /// Puts a question to the person, as the handler says.
    pub(super) async fn ask(&self, pending: &Pending, request: &Request) -> Response {
        let headers = request.headers();
        let (browser, _) = request.clone().into_parts();
        let step = match self.handler().begin(pending, &browser).await {
            Ok(step) => step,
            Err(cause) => return self.unavailable_page(&cause, headers),
        };
        let desk: &dyn auth_core::challenge::ChallengeDesk = self;
        let settled = match step {
            Step::Redirect(url) => return redirect(&url),
            Step::Page(page) => {
                let locales = auth_core::http::preferred_locales(None, headers);
                return self.page(StatusCode::OK, &page, &locales);
            }
            Step::Accept(accept) => desk.accept(pending.challenge(), accept).await,
            Step::Reject(reject) => desk.reject(pending.challenge(), reject).await,
            _ => Err(auth_core::challenge::DeskError::NotFound),
        };
        match settled {
            Ok(to) => redirect(&to.url),
            Err(error) => self.desk_error(&error, headers),
        }
    }
}
