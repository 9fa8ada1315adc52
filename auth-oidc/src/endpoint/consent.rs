//! The built-in consent page.

use auth_core::challenge::{Accept, AcceptConsent, DeskError, Pending, Reject};
use auth_core::http::{Request, Response, redirect};
use auth_core::page::{ConsentPage, Page, ScopeView};
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
    let text = form.get("consent_challenge").unwrap_or_default();
    let (challenge, client) = match provider.open_challenge(&[Kindred::Consent], text).await {
        Ok(opened) => opened,
        Err(error) => return provider.desk_error(&error, headers),
    };
    let browser = Browser::read(headers, provider.config().cookies);
    if let Err(error) = Browser::require(browser.as_ref(), challenge.browser, provider.tenant()) {
        return provider.error_page(&error, headers);
    }
    let Pending::Consent(consent) = challenge.pending(text.to_owned(), client.as_ref()) else {
        return provider.desk_error(&DeskError::NotFound, headers);
    };
    if request.method() == Method::GET {
        let account = match provider.display_name(&consent.subject).await {
            Ok(name) => name,
            Err(cause) => return provider.unavailable_page(&cause, headers),
        };
        let view = |name: &str| {
            let mut view = ScopeView::new(name);
            view.description = provider.config().description_of(name).map(str::to_owned);
            view.optional = consent.optional_scope.contains(name);
            view
        };
        let scopes = consent.requested_scope.iter().map(view).collect();
        let action = format!("{}{}", provider.tenant().issuer.path(), path::CONSENT);
        let page = ConsentPage::new(action, consent.challenge, consent.client, account, scopes);
        let locales = challenge.locales(headers);
        return provider.page(StatusCode::OK, &Page::Consent(page), &locales);
    }
    let answer = match form.get("action") {
        Some("accept") => {
            let ticked = |scope: &str| form.all("grant_scope").any(|granted| granted == scope);
            let granted = consent
                .requested_scope
                .iter()
                .filter(|scope| !consent.optional_scope.contains(scope) || ticked(scope))
                .map(str::to_owned)
                .collect();
            let remember = form.get("remember").is_some();
            Ok(Accept::Consent(AcceptConsent::new(granted).remember(remember)))
        }
        _ => Err(Reject::access_denied("the person did not consent")),
    };
    match provider.settle(challenge, answer).await {
        Ok(to) => redirect(&to.url),
        Err(error) => provider.desk_error(&error, headers),
    }
}
