//! Writes every page in every language into `target/gallery`, for looking at.
//!
//! `cargo run -p auth-ui --example gallery`

use std::error::Error;
use std::fs;
use std::path::Path;

use auth_core::page::{
    ClientView, ConsentPage, LoginPage, Page, PageRenderer, PageView, ScopeView,
};
use auth_ui::DefaultPages;

#[path = "../src/specimen.rs"]
mod specimen;

fn main() -> Result<(), Box<dyn Error>> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/gallery");
    fs::create_dir_all(&target)?;
    let looks = [
        ("", DefaultPages::new()),
        (
            "acme-",
            DefaultPages::builder()
                .product("Acme ID")
                .logo("/logo.svg")
                .accent("#0f766e")
                .build()?,
        ),
        ("kakao-", DefaultPages::builder().product("노랑 계정").accent("#fee500").build()?),
        ("night-", DefaultPages::builder().product("Night").accent("#000000").build()?),
    ];
    let mut pages = specimen::pages();
    pages.extend(hostile());
    let mut links = String::new();
    for (look, renderer) in &looks {
        for language in ["en", "ko"] {
            for (name, page) in &pages {
                // The other looks differ in colour only; a few pages show it.
                if !look.is_empty() && !matches!(*name, "login-continue" | "login" | "consent") {
                    continue;
                }
                let locales = [language.to_owned()];
                let html = renderer.render(&PageView::new(page, &locales, "gallery"))?;
                let file = format!("{look}{name}.{language}.html");
                // A picture from the web would make the gallery depend on the network.
                let html = html.replace("https://notes.example/logo.png", "notes.svg");
                fs::write(target.join(&file), html.replace("\"/logo.svg\"", "\"acme.svg\""))?;
                links.push_str(&format!("<li><a href=\"{file}\">{file}</a>\n"));
            }
        }
    }
    fs::write(target.join("notes.svg"), NOTES)?;
    fs::write(target.join("acme.svg"), ACME)?;
    fs::write(
        target.join("index.html"),
        format!("<!doctype html><title>Gallery</title><ul>{links}</ul>"),
    )?;
    println!("{}", target.canonicalize()?.join("index.html").display());
    Ok(())
}

/// A client, a person and a scope whose names try everything.
fn hostile() -> [(&'static str, Page); 2] {
    let mut client = ClientView::default();
    client.name = format!("<script>alert(1)</script>\u{202e}{}", "Unbreakable".repeat(20));
    client.policy_uri = Some("javascript:alert(1)".into());
    client.logo_uri = Some("http://tracker.example/pixel.png".into());
    client.redirect_host = Some("long-label.".repeat(20) + "example");
    let person = "a".repeat(120) + "@example.com";
    let mut login = LoginPage::new("/login".into(), "challenge".into(), client.clone());
    login.continue_as = Some(person.clone());
    login.identifier = Some("\"><img src=x>".into());
    let mut scope = ScopeView::new("scope:".repeat(30));
    scope.optional = true;
    let scopes = vec![ScopeView::new("x".repeat(200)), scope];
    let consent = ConsentPage::new("/consent".into(), "challenge".into(), client, person, scopes);
    [("login-hostile", Page::Login(login)), ("consent-hostile", Page::Consent(consent))]
}

const NOTES: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 56 56"><path fill="#f59f0b" d="M0 0h56v56H0z"/><path fill="none" stroke="#fff" stroke-linecap="round" stroke-width="4" d="M17 20h22M17 28h22M17 36h13"/></svg>"##;
const ACME: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#0f766e"/><path fill="none" stroke="#fff" stroke-linecap="round" stroke-linejoin="round" stroke-width="3" d="m9 22 7-13 7 13M12 18h8"/></svg>"##;
