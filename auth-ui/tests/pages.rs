//! What every page is, whatever its language.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may panic")]

use auth_core::page::{
    ClientView, ConsentPage, ErrorPage, FormPostPage, LoggedOutPage, LoginPage, LoginProblem,
    LogoutPage, Page, PageRenderer, PageView, Remedy, ScopeView,
};
use auth_ui::DefaultPages;

#[path = "../src/specimen.rs"]
mod specimen;

fn render(page: &Page, language: &str) -> String {
    let locales = [language.to_owned()];
    DefaultPages::new().render(&PageView::new(page, &locales, "n0nce")).expect("renders")
}

fn client(name: &str) -> ClientView {
    let mut client = ClientView::default();
    client.name = name.into();
    client
}

fn login(name: &str) -> LoginPage {
    LoginPage::new("/login".into(), "challenge".into(), client(name))
}

fn consent(scopes: Vec<ScopeView>) -> ConsentPage {
    ConsentPage::new("/consent".into(), "challenge".into(), client("App"), "ada".into(), scopes)
}

/// Every tag of the name, from `<` to `>`.
fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split('<')
        .filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag))
        .filter(|tag| tag.split([' ', '\n']).next() == Some(name))
        .collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// What is inside `<body>`, where the style sheet does not get in the way.
fn body(html: &str) -> &str {
    html.split_once("<body>").expect("a body").1
}

#[test]
fn every_page_is_sound_in_both_languages() {
    for (name, page) in specimen::pages() {
        for language in ["en", "ko"] {
            let html = render(&page, language);
            let place = format!("{name} in {language}");
            assert!(html.starts_with("<!doctype html>"), "{place}");
            assert!(html.contains(&format!("<html lang=\"{language}\" dir=\"ltr\">")), "{place}");
            for once in ["h1", "main", "title"] {
                assert_eq!(tags(&html, once).len(), 1, "{once} of {place}");
            }
            assert!(!html.contains("<title></title>") && !html.contains("<h1></h1>"), "{place}");
            assert!(html.contains("<meta name=\"viewport\""), "{place}");
            assert!(html.contains("<meta name=\"robots\" content=\"noindex\">"), "{place}");
            // The content security policy lets nothing else run or apply.
            assert!(!html.contains(" style="), "{place}");
            for tag in html.split('<').filter_map(|rest| rest.split_once('>')) {
                let handler = tag.0.split(' ').skip(1).any(|part| part.starts_with("on"));
                assert!(!handler, "<{}> of {place}", tag.0);
            }
            for element in tags(&html, "style").into_iter().chain(tags(&html, "script")) {
                assert_eq!(attribute(element, "nonce"), Some("n0nce"), "{place}");
            }
            // Those that go on by themselves.
            let goes_on = ["form-post", "logged-out-continue"].contains(&name);
            assert_eq!(tags(&html, "script").len(), usize::from(goes_on), "{place}");
            let hangul = body(&html).chars().any(|letter| ('가'..='힣').contains(&letter));
            assert_eq!(hangul, language == "ko", "{place}");
        }
    }
}

#[test]
fn every_input_has_a_label() {
    let mut seen = 0;
    for (name, page) in specimen::pages() {
        let html = render(&page, "en");
        let labelled: Vec<_> =
            tags(&html, "label").iter().filter_map(|tag| attribute(tag, "for")).collect();
        for (before, input) in
            html.match_indices("<input ").map(|(at, _)| (&html[..at], &html[at..]))
        {
            let kind = attribute(input, "type").expect("a type");
            if kind == "hidden" {
                continue;
            }
            seen += 1;
            let inside = before.matches("<label").count() > before.matches("</label>").count();
            let tied = attribute(input.split('>').next().expect("a tag"), "id")
                .is_some_and(|id| labelled.contains(&id));
            assert!(inside || tied, "{name}: {}", &input[..60]);
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn a_frame_or_a_way_on_that_is_a_script_is_not_on_the_page() {
    let mut page = LoggedOutPage::new(true);
    page.frames = [
        "javascript:alert(1)",
        "blob:https://a.example/x",
        "https://a.example/out?a=1&b=\"><script>",
    ]
    .map(str::to_owned)
    .into();
    let html = render(&Page::LoggedOut(page.clone()), "en");
    assert_eq!(tags(&html, "iframe").len(), 1, "{html}");
    assert!(
        !html.contains("javascript:") && !html.contains("blob:") && !html.contains("\"><script>"),
        "{html}"
    );
    page.continue_to = Some("javascript:alert(1)".to_owned());
    let pages = DefaultPages::new();
    assert!(pages.render(&PageView::new(&Page::LoggedOut(page), &[], "n")).is_err());
}

#[test]
fn the_login_form_posts_what_the_engine_reads() {
    let html = render(&Page::Login(login("App")), "en");
    assert!(html.contains(r#"<form method="post" action="/login">"#));
    assert!(html.contains(r#"<input type="hidden" name="login_challenge" value="challenge">"#));
    assert!(html.contains(r#"name="identifier" type="text" value="" autocomplete="username""#));
    assert!(html.contains(r#"name="password" type="password" autocomplete="current-password""#));
    assert!(html.contains(r#"<input type="checkbox" name="remember" value="true">"#));
    let buttons: Vec<_> = tags(&html, "button").iter().map(|tag| attribute(tag, "value")).collect();
    // The first button is the one that Enter presses.
    assert_eq!(buttons, [Some("login"), Some("cancel")]);
    assert!(html.contains(r#"name="action" value="cancel" formnovalidate>"#));
    assert_eq!(html.matches(" autofocus").count(), 1);
    assert!(!html.contains("role=\"alert\"") && !html.contains("aria-describedby"));
}

#[test]
fn a_failed_login_says_why_at_the_fields() {
    let mut page = login("App");
    page.identifier = Some("ada".into());
    page.problem = Some(LoginProblem::Credentials);
    let html = render(&Page::Login(page.clone()), "en");
    assert!(html.contains(r#"role="alert" id="problem""#));
    assert_eq!(html.matches(r#" aria-describedby="problem" aria-invalid="true""#).count(), 2);
    let password = tags(&html, "input").into_iter().find(|tag| tag.contains("\"password\""));
    assert!(password.expect("the field").ends_with(" autofocus"));

    page.problem = Some(LoginProblem::TooManyAttempts);
    let limited = render(&Page::Login(page), "en");
    assert!(!limited.contains(" aria-invalid") && limited.contains("Too many attempts"));
}

#[test]
fn who_is_signed_in_may_go_on_in_a_form_of_its_own() {
    let mut page = login("App");
    page.continue_as = Some("ada@example.com".into());
    let html = render(&Page::Login(page), "ko");
    let forms: Vec<_> = body(&html).split("<form ").skip(1).collect();
    assert_eq!(forms.len(), 2);
    assert!(forms[0].contains("value=\"continue\"") && !forms[0].contains("identifier"));
    assert!(forms[0].contains("<bdi>ada@example.com</bdi> 계정으로 계속하기"));
    assert!(!forms[1].contains("value=\"continue\""));
    assert!(forms.iter().all(|form| form.contains("name=\"login_challenge\"")));
    assert!(!html.contains(" autofocus"));
}

#[test]
fn only_optional_scopes_can_be_unticked() {
    let mut email = ScopeView::new("email");
    email.optional = true;
    let html = render(&Page::Consent(consent(vec![ScopeView::new("openid"), email])), "ko");
    assert!(html.contains(r#"<input type="hidden" name="grant_scope" value="openid">"#));
    assert!(html.contains(r#"<input type="checkbox" name="grant_scope" value="email" checked>"#));
    assert_eq!(html.matches("\"grant_scope\"").count(), 2);
    assert!(html.contains("계정 확인") && html.contains("이메일 주소 보기"));
    assert!(html.contains(r#"name="consent_challenge" value="challenge""#));
    assert!(html.contains(r#"<input type="checkbox" name="remember" value="true">"#));
    let buttons: Vec<_> = tags(&html, "button").iter().map(|tag| attribute(tag, "value")).collect();
    assert_eq!(buttons, [Some("accept"), Some("deny")]);
}

#[test]
fn unknown_scopes_show_their_description_or_value() {
    let mut described = ScopeView::new("notes:write");
    described.description = Some("Write <notes>".into());
    let html = render(&Page::Consent(consent(vec![described, ScopeView::new("notes:read")])), "en");
    assert!(html.contains("<bdi>Write &lt;notes&gt;</bdi>"));
    assert!(html.contains("<code><bdi>notes:read</bdi></code>"));
    // No attribute of another text is reached by a name.
    let html = render(&Page::Consent(consent(vec![ScopeView::new("email.detail")])), "en");
    assert!(html.contains("<code><bdi>email.detail</bdi></code>"));
}

#[test]
fn logout_asks_for_whom_and_who() {
    let page = LogoutPage::new("/logout".into(), "challenge".into(), None, "ada".into());
    let html = render(&Page::Logout(page), "en");
    assert!(html.contains(r#"name="logout_challenge" value="challenge""#));
    assert!(html.contains("<bdi>ada</bdi>") && !html.contains("is asking"));
    let buttons: Vec<_> = tags(&html, "button").iter().map(|tag| attribute(tag, "value")).collect();
    assert_eq!(buttons, [Some("accept"), Some("deny")]);
}

#[test]
fn each_error_tells_what_to_do() {
    let shown = |status, remedy| {
        let mut page = ErrorPage::new(status, "a_code", "a description", "an-id");
        page.remedy = remedy;
        let html = render(&Page::Error(page), "en");
        for part in ["a_code", "a description", "an-id"] {
            assert!(html.contains(part), "{part}");
        }
        html.split_once("<h1>").expect("a heading").1.split("</h1>").next().unwrap().to_owned()
    };
    let mut headings = vec![
        shown(400, None),
        shown(500, None),
        shown(400, Some(Remedy::StartAgain)),
        shown(400, Some(Remedy::AllowCookies)),
        shown(429, Some(Remedy::TryLater)),
    ];
    headings.sort();
    headings.dedup();
    assert_eq!(headings.len(), 5, "{headings:?}");
}

#[test]
fn a_form_post_carries_its_parameters_unchanged() {
    let value = "a\"b&c<d>\u{202e}\u{0}";
    let page = FormPostPage::new(
        "https://app.example/cb?x=1&y=2".into(),
        vec![("state".into(), value.into()), ("submit".into(), "1".into())],
    );
    let html = render(&Page::FormPost(page), "en");
    assert!(html.contains(r#"action="https://app.example/cb?x=1&amp;y=2""#));
    assert!(html.contains("name=\"state\" value=\"a&quot;b&amp;c&lt;d&gt;\u{202e}\u{0}\""));
    assert!(html.contains("HTMLFormElement.prototype.submit.call(") && html.contains("<noscript>"));
    assert!(html.contains("<meta name=\"referrer\" content=\"no-referrer\">"));
    // A button with a name would be a parameter.
    assert!(tags(&html, "button").iter().all(|tag| attribute(tag, "name").is_none()));
}

#[test]
fn a_form_never_posts_to_a_script() {
    let page = Page::FormPost(FormPostPage::new("javascript:alert(1)".into(), Vec::new()));
    assert!(DefaultPages::new().render(&PageView::new(&page, &[], "n")).is_err());
}

#[test]
fn hostile_values_are_escaped_everywhere() {
    let hostile = "\"'><script>alert(1)</script>\u{202e}";
    let text = || hostile.to_owned();
    let mut client = client(hostile);
    client.logo_uri = Some("https://x.example/\"><script>".into());
    client.client_uri = Some("https://x.example/\"><script>".into());
    client.policy_uri = Some("javascript:alert(1)".into());
    client.tos_uri = Some("data:text/html,x".into());
    client.redirect_host = Some(text());
    let mut login = LoginPage::new(text(), text(), client.clone());
    login.identifier = Some(text());
    login.continue_as = Some(text());
    let mut scope = ScopeView::new(hostile);
    scope.description = Some(text());
    let scopes = vec![scope, ScopeView::new(hostile)];
    let mut error = ErrorPage::new(400, hostile, hostile, hostile);
    error.remedy = Some(Remedy::StartAgain);
    let pages = [
        Page::Login(login),
        Page::Consent(ConsentPage::new(text(), text(), client.clone(), text(), scopes)),
        Page::Logout(LogoutPage::new(text(), text(), Some(client), text())),
        Page::Error(error),
        Page::FormPost(FormPostPage::new(text(), vec![(text(), text())])),
    ];
    for page in &pages {
        for language in ["en", "ko"] {
            let html = render(page, language);
            let own = usize::from(matches!(page, Page::FormPost(_)));
            assert_eq!(html.matches("<script").count(), own, "{page:?}");
            assert!(html.contains("&lt;script&gt;"), "{page:?}");
            assert!(!html.contains("javascript:") && !html.contains("data:text"), "{page:?}");
            // Every quote of the page is one of the templates': attributes stay what they are.
            for tag in body(&html).split('<').filter_map(|rest| rest.split_once('>')) {
                assert_eq!(tag.0.matches('"').count() % 2, 0, "<{}>", tag.0);
            }
            // Shown names cannot turn the text around; what is posted is left alone.
            for text in body(&html).split('>').filter_map(|rest| rest.split('<').next()) {
                assert!(!text.contains('\u{202e}'), "{text:?} of {page:?}");
            }
        }
    }
}

#[test]
fn logos_come_from_https_only() {
    let logo = |url: &str| {
        let mut client = client("App");
        client.logo_uri = Some(url.into());
        let page = LoginPage::new("/login".into(), "c".into(), client);
        render(&Page::Login(page), "en").contains("<img")
    };
    assert!(logo("https://app.example/logo.png"));
    assert!(!logo("http://app.example/logo.png"));
    assert!(!logo("data:image/svg+xml,x"));
}
