//! What the templates are given of each page.

use auth_core::page::{
    ClientView, ConsentPage, ErrorPage, FormPostPage, LoggedOutPage, LoginPage, LoginProblem,
    LogoutPage, Page, Remedy, ScopeView,
};
use minijinja::{Error, ErrorKind, Value, context};

use crate::escape::{image, initial, is_form_target, link, shown};
use crate::language::Texts;

/// The template of a page and its values.
pub(crate) fn of(page: &Page, texts: &Texts) -> Result<(&'static str, Value), Error> {
    Ok(match page {
        Page::Login(page) => ("login.html", login(page)),
        Page::Consent(page) => ("consent.html", consent(page, texts)),
        Page::Logout(page) => ("logout.html", logout(page)),
        Page::LoggedOut(page) => ("logged_out.html", logged_out(page)?),
        Page::Error(page) => ("error.html", error(page)),
        Page::FormPost(page) => ("form_post.html", form_post(page)?),
        _ => return Err(Error::new(ErrorKind::TemplateNotFound, "there is none for this page")),
    })
}

fn login(page: &LoginPage) -> Value {
    let identifier = page.identifier.as_deref().unwrap_or_default();
    // Somebody who is signed in most likely goes on as they are: no field shall draw them away.
    let focus = match (&page.continue_as, identifier) {
        (Some(_), _) => "",
        (None, "") => "identifier",
        (None, _) => "password",
    };
    context! {
        action => &page.action,
        challenge => &page.challenge,
        client => client(&page.client),
        identifier,
        continue_as => page.continue_as.as_deref().map(shown),
        problem => page.problem.map(problem),
        focus,
    }
}

fn problem(problem: LoginProblem) -> Value {
    // Only for `Credentials` the fields themselves are what is wrong.
    let (text, fields) = match problem {
        LoginProblem::Credentials => ("login-problem-credentials", true),
        LoginProblem::TooManyAttempts => ("login-problem-attempts", false),
        _ => ("login-problem-other", false),
    };
    context! { text, fields }
}

fn consent(page: &ConsentPage, texts: &Texts) -> Value {
    let scopes: Vec<_> = page.scopes.iter().map(|one| scope(one, texts)).collect();
    context! {
        action => &page.action,
        challenge => &page.challenge,
        client => client(&page.client),
        account => account(&page.account),
        scopes,
    }
}

/// A scope with the text that there is for it, in the person's language if possible: the text
/// `scope-NAME`, else the description that the provider was told.
fn scope(scope: &ScopeView, texts: &Texts) -> Value {
    let mut id = String::from("scope-");
    id.extend(scope.name.chars().map(|character| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => character,
        // Not possible in the id of a text; `.` would select an attribute.
        _ => '-',
    }));
    let text = texts.fixed(&id);
    let detail = text.as_ref().and_then(|_| texts.fixed(&format!("{id}.detail")));
    let description = || scope.description.as_deref().map(|text| Value::from(shown(text)));
    context! {
        name => &scope.name,
        shown => shown(&scope.name),
        text => text.or_else(description),
        detail,
        optional => scope.optional,
    }
}

fn logout(page: &LogoutPage) -> Value {
    context! {
        action => &page.action,
        challenge => &page.challenge,
        client => page.client.as_ref().map(client),
        account => account(&page.account),
    }
}

fn error(page: &ErrorPage) -> Value {
    let (title, text) = match page.remedy {
        Some(Remedy::StartAgain) => ("error-start-again-title", "error-start-again-text"),
        Some(Remedy::AllowCookies) => ("error-cookies-title", "error-cookies-text"),
        Some(Remedy::TryLater) => ("error-later-title", "error-later-text"),
        _ if page.status >= 500 => ("error-server-title", "error-server-text"),
        _ => ("error-title", "error-text"),
    };
    context! {
        status => page.status,
        texts => context! { title, text },
        error => shown(&page.error),
        description => shown(&page.description),
        request_id => shown(&page.request_id),
        explanation => page.explanation.as_ref().map(|it| context! {
            rule => shown(&it.rule),
            parameter => it.parameter.as_deref().map(shown),
            value => it.value.as_deref().map(shown),
        }),
    }
}

fn logged_out(page: &LoggedOutPage) -> Result<Value, Error> {
    let LoggedOutPage { signed_out, frames, continue_to, .. } = page;
    // As for a form post: what the engine validated must not run here.
    if continue_to.iter().any(|url| !is_form_target(url)) {
        let detail = "the way on from a logout must not be a script";
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    let mut frames = frames.clone();
    frames.retain(|url| link(url).is_some());
    Ok(context! { signed_out, frames, continue_to })
}

fn form_post(page: &FormPostPage) -> Result<Value, Error> {
    // The engine validated the address against the client's registration; this one check is
    // repeated because getting it wrong would run the client's script in the provider's origin.
    if !is_form_target(&page.redirect_uri) {
        let detail = "the redirect URI of a form post must not be a script";
        return Err(Error::new(ErrorKind::InvalidOperation, detail));
    }
    let parameters: Vec<_> =
        page.parameters.iter().map(|(name, value)| context! { name, value }).collect();
    Ok(context! { redirect_uri => &page.redirect_uri, parameters })
}

fn account(name: &str) -> Value {
    let name = shown(name);
    context! { initial => initial(&name), name }
}

fn client(client: &ClientView) -> Value {
    let name = shown(&client.name);
    let addresses = [
        ("client-website", &client.client_uri),
        ("client-policy", &client.policy_uri),
        ("client-terms", &client.tos_uri),
    ];
    let links: Vec<_> = addresses
        .into_iter()
        .filter_map(|(text, url)| Some(context! { text, url => link(url.as_deref()?)? }))
        .collect();
    context! {
        initial => initial(&name),
        name,
        logo => client.logo_uri.as_deref().and_then(image),
        links,
        redirect_host => client.redirect_host.as_deref().map(shown),
    }
}
