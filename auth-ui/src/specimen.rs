//! A page of every kind and shape, against which templates and languages are tried when they are set.

use auth_core::page::{
    ClientView, ConsentPage, ErrorPage, Explanation, FormPostPage, LoggedOutPage, LoginPage,
    LoginProblem, LogoutPage, Page, Remedy, ScopeView,
};

fn logged_out_continue() -> LoggedOutPage {
    let mut page = LoggedOutPage::new(true);
    page.frames = vec!["https://notes.example/logged-out?iss=x&sid=y".to_owned()];
    page.continue_to = Some("https://notes.example/bye?state=a&b".to_owned());
    page
}

/// Each page with a name that fits into the name of a file.
pub(crate) fn pages() -> Vec<(&'static str, Page)> {
    vec![
        ("login", Page::Login(login(bare("Notes")))),
        ("login-again", Page::Login(login_again(LoginProblem::Credentials))),
        ("login-limited", Page::Login(login_again(LoginProblem::TooManyAttempts))),
        ("login-continue", Page::Login(login_continue())),
        ("consent", Page::Consent(consent(full("Acme Notes"), scopes()))),
        ("consent-bare", Page::Consent(consent(bare("Notes"), Vec::new()))),
        ("logout", Page::Logout(logout(Some(full("Acme Notes"))))),
        ("logout-bare", Page::Logout(logout(None))),
        ("logged-out", Page::LoggedOut(LoggedOutPage::new(true))),
        ("logged-out-continue", Page::LoggedOut(logged_out_continue())),
        ("logged-out-stayed", Page::LoggedOut(LoggedOutPage::new(false))),
        ("error", Page::Error(error(400, None))),
        ("error-explained", Page::Error(explained())),
        ("error-server", Page::Error(error(500, None))),
        ("error-start-again", Page::Error(error(400, Some(Remedy::StartAgain)))),
        ("error-cookies", Page::Error(error(400, Some(Remedy::AllowCookies)))),
        ("error-later", Page::Error(error(429, Some(Remedy::TryLater)))),
        ("form-post", Page::FormPost(form_post())),
    ]
}

fn bare(name: &str) -> ClientView {
    let mut client = ClientView::default();
    client.name = name.into();
    client
}

fn full(name: &str) -> ClientView {
    let mut client = bare(name);
    client.logo_uri = Some("https://notes.example/logo.png".into());
    client.client_uri = Some("https://notes.example/".into());
    client.policy_uri = Some("https://notes.example/privacy".into());
    client.tos_uri = Some("https://notes.example/terms".into());
    client.redirect_host = Some("notes.example".into());
    client
}

fn login(client: ClientView) -> LoginPage {
    LoginPage::new("/login".into(), "challenge".into(), client)
}

fn login_again(problem: LoginProblem) -> LoginPage {
    let mut page = login(full("Acme Notes"));
    page.identifier = Some("ada@example.com".into());
    page.problem = Some(problem);
    page
}

fn login_continue() -> LoginPage {
    let mut page = login(full("Acme Notes"));
    page.continue_as = Some("ada@example.com".into());
    page
}

fn consent(client: ClientView, scopes: Vec<ScopeView>) -> ConsentPage {
    ConsentPage::new(
        "/consent".into(),
        "challenge".into(),
        client,
        "ada@example.com".into(),
        scopes,
    )
}

fn scopes() -> Vec<ScopeView> {
    let optional = ["phone", "address", "offline_access"].map(|name| {
        let mut scope = ScopeView::new(name);
        scope.optional = true;
        scope
    });
    let mut described = ScopeView::new("notes:write");
    described.description = Some("Write and delete notes".into());
    let mut scopes =
        vec![ScopeView::new("openid"), ScopeView::new("profile"), ScopeView::new("email")];
    scopes.extend([described, ScopeView::new("notes:read")]);
    scopes.extend(optional);
    scopes
}

fn logout(client: Option<ClientView>) -> LogoutPage {
    LogoutPage::new("/logout".into(), "challenge".into(), client, "ada@example.com".into())
}

fn error(status: u16, remedy: Option<Remedy>) -> ErrorPage {
    let description = "redirect_uri is not one that the client has registered";
    let mut page = ErrorPage::new(status, "invalid_request", description, "01K5T2ZQ8M4XW7");
    page.remedy = remedy;
    page
}

fn explained() -> ErrorPage {
    let mut page = error(400, None);
    let mut explanation = Explanation::new("OpenID Connect Core §3.1.2.1, RFC 9700 §4.1.3");
    explanation.parameter = Some("redirect_uri".into());
    explanation.value = Some("https://notes.example/callback/?return_to=%2Fnotes%2F2026".into());
    page.explanation = Some(explanation);
    page
}

fn form_post() -> FormPostPage {
    let parameters = [("code", "SplxlOBeZQQYbYS6WxSbIA"), ("state", "af0ifjsldkj")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    FormPostPage::new("https://notes.example/callback".into(), parameters.to_vec())
}
