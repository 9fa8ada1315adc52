//! What can be set, and how a wrong setting is refused.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may panic")]

use std::error::Error as _;

use auth_core::page::{
    ClientView, ConsentPage, LoggedOutPage, LoginPage, Page, PageRenderer, PageView, ScopeView,
};
use auth_ui::{DefaultPages, Error};

fn login() -> Page {
    let mut client = ClientView::default();
    client.name = "App".into();
    Page::Login(LoginPage::new("/login".into(), "challenge".into(), client))
}

fn render(pages: &DefaultPages, page: &Page, wanted: &[&str]) -> String {
    let wanted: Vec<_> = wanted.iter().map(|&tag| tag.to_owned()).collect();
    pages.render(&PageView::new(page, &wanted, "nonce")).expect("renders")
}

fn lang(pages: &DefaultPages, wanted: &[&str]) -> String {
    let html = render(pages, &Page::LoggedOut(LoggedOutPage::new(true)), wanted);
    html.split_once("<html lang=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

#[test]
fn the_best_language_is_chosen() {
    let pages = DefaultPages::new();
    assert_eq!(lang(&pages, &[]), "en");
    assert_eq!(lang(&pages, &["ko-KR", "en"]), "ko");
    assert_eq!(lang(&pages, &["de", "ko"]), "ko");
    assert_eq!(lang(&pages, &["en-GB", "ko"]), "en");
    assert_eq!(lang(&pages, &["de", "fr"]), "en");
    assert_eq!(lang(&pages, &["", "not a tag", "*", "KO"]), "ko");
    // A header of any length is looked at only so far.
    let mut many = vec!["de"; 1000];
    many.push("ko");
    assert_eq!(lang(&pages, &many), "en");
}

#[test]
fn an_added_language_falls_back_to_english() {
    let pages = DefaultPages::builder()
        .language("fr", "login-title = Connexion\nlogin-lead = pour accéder à { $client }\n")
        .language("ar", "login-title = تسجيل الدخول\n")
        .build()
        .expect("builds");
    let html = render(&pages, &login(), &["fr-CA"]);
    assert!(html.contains("<html lang=\"fr\" dir=\"ltr\">") && html.contains("<h1>Connexion</h1>"));
    assert!(html.contains("pour accéder à <bdi>App</bdi>"));
    assert!(html.contains(">Password</label>"));
    let html = render(&pages, &login(), &["ar"]);
    assert!(html.contains("<html lang=\"ar\" dir=\"rtl\">"));
    assert!(html.contains("to continue to <bdi>App</bdi>"));
    assert_eq!(lang(&pages, &["ko"]), "ko");
}

#[test]
fn single_texts_are_overridden() {
    let pages = DefaultPages::builder()
        .language(
            "en",
            "login-identifier = Staff number <7 digits>\nscope-notes-read = Read notes\n",
        )
        .build()
        .expect("builds");
    let html = render(&pages, &login(), &["en"]);
    assert!(html.contains(">Staff number &lt;7 digits&gt;</label>"), "a text is not HTML");
    assert!(html.contains(">Password</label>"));
    let scopes = vec![ScopeView::new("notes:read")];
    let client = ClientView::default();
    let page =
        Page::Consent(ConsentPage::new("/".into(), "c".into(), client, "ada".into(), scopes));
    // A language without the text has the English one.
    assert!(render(&pages, &page, &["ko"]).contains("<bdi>Read notes</bdi>"));
}

#[test]
fn wrong_languages_are_refused() {
    let refused = |tag: &str, source: &str| {
        DefaultPages::builder().language(tag, source).build().expect_err("refused")
    };
    let error = refused("not a tag", "");
    assert!(matches!(&error, Error::LanguageTag { tag, .. } if tag == "not a tag"), "{error}");
    assert!(error.source().is_some());

    let error = refused("fr", "login-title = Connexion\n\nlogin-lead = { $client\n");
    assert!(matches!(&error, Error::Language { line: 3 | 4, .. }), "{error:?}");
    assert!(error.to_string().contains("\"fr\", line"), "{error}");

    let error = refused("fr", "login-lead = pour { $clientt }\n");
    assert!(matches!(&error, Error::Text { id, .. } if id == "login-lead"), "{error:?}");
    assert!(
        error.to_string().contains("$clientt") && error.to_string().contains("$client,"),
        "{error}"
    );

    let error = refused("fr", "login-title = A\nlogin-title = B\n");
    assert_eq!(error.to_string(), "language \"fr\", text \"login-title\": is there twice");

    // Known, but not what this text is given.
    let error = refused("fr", "login-title = Connexion { $host }\n");
    let text = error.to_string();
    assert!(
        text.contains("login-title") && text.contains("$host") && text.contains("login.html"),
        "{text}"
    );
}

#[test]
fn a_template_can_be_replaced_or_extended() {
    let pages = DefaultPages::builder()
        .template("logged_out.html", "{{ lang }}: {{ t(\"logged-out-title\") }}")
        .template(
            "login.html",
            "{% extends \"default/login.html\" %}{% block footer %}<footer>Acme</footer>{% endblock %}",
        )
        .build()
        .expect("builds");
    let bye = Page::LoggedOut(LoggedOutPage::new(true));
    assert_eq!(render(&pages, &bye, &["ko"]), "ko: 로그아웃했어요");
    let html = render(&pages, &login(), &["en"]);
    assert!(html.contains("<footer>Acme</footer>") && html.contains("name=\"password\""));
}

#[test]
fn wrong_templates_are_refused() {
    let refused = |name: &str, source: &str| {
        let error = DefaultPages::builder().template(name, source).build().expect_err("refused");
        error.to_string()
    };
    let error = refused("login.htm", "");
    assert!(error.contains("\"login.htm\"") && error.contains("login.html"), "{error}");
    let error = refused("login.html", "<p>\n{% if %}");
    assert!(error.starts_with("template \"login.html\": line 2: syntax error"), "{error}");
    let error = refused("login.html", "<p>\n\n{{ clent.name }}");
    assert!(error.starts_with("template \"login.html\": line 3: undefined value"), "{error}");
    assert!(error.contains("clent"), "{error}");
    let error = refused("login.html", "{{ t(\"login-titel\") }}");
    assert!(error.contains("line 1") && error.contains("login-titel"), "{error}");
    // Found although the page that includes it is another one.
    let error = refused("links.html", "{{ nothing }}");
    assert!(error.starts_with("template \"links.html\": line 1: undefined value"), "{error}");
    let error = refused("login.html", "{% extends \"missing.html\" %}");
    assert!(error.contains("missing.html"), "{error}");
    let error = refused("style.css", "p { color: {{ theme.nothing }} }");
    assert!(error.starts_with("template \"style.css\": line 1: undefined value"), "{error}");
}

#[test]
fn the_theme_is_on_every_page() {
    let pages = DefaultPages::builder()
        .product("Acme <ID>")
        .logo("/logo.svg")
        .accent("#0f766e")
        .build()
        .expect("builds");
    let html = render(&pages, &login(), &["en"]);
    assert!(html.contains("<title>Sign in · Acme &lt;ID&gt;</title>"));
    assert!(html.contains("<img src=\"/logo.svg\" alt=\"\"><bdi>Acme &lt;ID&gt;</bdi>"));
    assert!(html.contains("--accent: #0f766e;"));
    assert!(!render(&DefaultPages::new(), &login(), &["en"]).contains("<header"));
}

#[test]
fn wrong_themes_are_refused() {
    let error = DefaultPages::builder().accent("red").build().expect_err("refused");
    assert_eq!(error.to_string(), "the accent colour \"red\" is not of the form #rgb or #rrggbb");
    for logo in ["http://a.example/x.png", "//a.example/x.png", "x.png", "javascript:x", ""] {
        let error = DefaultPages::builder().logo(logo).build().expect_err("refused");
        assert!(matches!(error, Error::Logo { .. }), "{error}");
    }
}
