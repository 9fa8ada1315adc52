//! The built-in page that asks whether to sign out.

use auth_core::challenge::{Accept, DeskError, Pending, Reject};
use auth_core::http::{Request, Response, redirect};
use auth_core::page::{LogoutPage, Page};
use http::{Method, StatusCode};

use crate::challenge::{Browser, Kindred};
use crate::endpoint::answer::parameters;
use crate::endpoint::path;
use crate::provider::Provider;

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    let headers = request.headers();
    let form = match parameters(request) {
        Ok(form) => form,
        Err(error) => return provider.error_page(&error.into(), headers),
    };
    let text = form.get("logout_challenge").unwrap_or_default();
    let (challenge, _) = match provider.open_challenge(&[Kindred::Logout], text).await {
        Ok(opened) => opened,
        Err(error) => return provider.desk_error(&error, headers),
    };
    let browser = Browser::read(headers, provider.config().cookies);
    if let Err(error) = Browser::require(browser.as_ref(), challenge.browser, provider.tenant()) {
        return provider.error_page(&error, headers);
    }
    if request.method() == Method::GET {
        let Pending::Logout(logout) = challenge.pending(text.to_owned(), None) else {
            return provider.desk_error(&DeskError::NotFound, headers);
        };
        let account = match provider.display_name(&logout.subject).await {
            Ok(name) => name,
            Err(cause) => return provider.unavailable_page(&cause, headers),
        };
        let action = format!("{}{}", provider.tenant().issuer.path(), path::LOGOUT);
        let page = LogoutPage::new(action, logout.challenge, logout.client, account);
        let locales = challenge.locales(headers);
        return provider.page(StatusCode::OK, &Page::Logout(page), &locales);
    }
    let answer = match form.get("action") {
        Some("accept") => Ok(Accept::Logout),
        _ => Err(Reject::access_denied("the person stays signed in")),
    };
    match provider.settle(challenge, answer).await {
        Ok(to) => redirect(&to.url),
        Err(error) => provider.desk_error(&error, headers),
    }
}
