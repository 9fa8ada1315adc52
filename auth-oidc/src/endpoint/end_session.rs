//! The end session endpoint (OpenID Connect RP-Initiated Logout §2).

use auth_core::http::{Request, Response, preferred_locales, redirect};
use auth_core::page::{LoggedOutPage, Page, Remedy};
use http::{Method, StatusCode};
use url::form_urlencoded::Serializer;

use crate::authorize::PageError;
use crate::challenge::{Browser, Verifier};
use crate::endpoint::answer::parameters;
use crate::endpoint::path;
use crate::provider::Provider;
use crate::refusal::ErrorCode;
use crate::session::end_session::{EndSession, LogoutStep, ResumeLogout};
use crate::session::login_session::LoginSession;

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    let headers = request.headers();
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
    // A form on the client's site brings no Lax cookie; the GET that follows does.
    if request.method() == Method::POST && session.is_none() {
        let query = Serializer::new(String::new()).extend_pairs(form.iter()).finish();
        return redirect(&format!("{}?{query}", tenant.issuer.url(path::END_SESSION)));
    }
    let decided = if let Some(text) = form.get("logout_verifier") {
        let Some(verifier) = Verifier::parse(text, "logout_verifier", tenant) else {
            let text = "the verifier is not one that this provider made";
            let error = PageError::new(ErrorCode::InvalidRequest, text);
            return provider.error_page(&error.remedy(Remedy::StartAgain), headers);
        };
        provider.driver().run(tenant, &ResumeLogout { policy, verifier, session, browser }).await
    } else {
        let source = provider.source(request);
        let end = EndSession { policy, form, session, browser, source };
        provider.driver().run(tenant, &end).await
    };
    let (mut response, set) = match decided {
        Err(cause) => return provider.unavailable_page(&cause, headers),
        Ok(Err(refusal)) => return provider.authorize_refusal(refusal, headers),
        Ok(Ok(LogoutStep::Ask { pending, cookie })) => {
            (provider.ask(&pending, request).await, cookie.into_iter().collect())
        }
        Ok(Ok(LogoutStep::Done { redirect: Some(to), frames, cookies, .. }))
            if frames.is_empty() =>
        {
            (redirect(&to.url()), cookies)
        }
        Ok(Ok(LogoutStep::Done { signed_out, redirect: to, frames, cookies, ui_locales })) => {
            let locales = preferred_locales(ui_locales.as_deref(), headers);
            let mut page = LoggedOutPage::new(signed_out);
            page.frames = frames;
            page.continue_to = to.map(|to| to.url());
            (provider.page(StatusCode::OK, &Page::LoggedOut(page), &locales), cookies)
        }
    };
    for cookie in set {
        cookie.set(cookies, response.headers_mut());
    }
    response
}
