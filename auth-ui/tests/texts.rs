//! The texts and the places they are used in agree.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The ids in a Fluent source, attributes as `id.attribute`, with their texts.
fn texts(language: &str) -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut message = String::new();
    for line in read(&format!("locales/{language}.ftl")).lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (id, text) = line.split_once(" = ").expect("one text a line");
        let id = match id.trim_start().strip_prefix('.') {
            Some(attribute) => format!("{message}.{attribute}"),
            None => {
                id.clone_into(&mut message);
                message.clone()
            }
        };
        texts.push((id, text.to_owned()));
    }
    texts
}

fn ids(language: &str) -> BTreeSet<String> {
    texts(language).into_iter().map(|(id, _)| id).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("readable")
}

/// Everything that may name a text.
fn places() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(root.join("templates")).expect("templates");
    let mut all: String =
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    all.push_str(&read("src/view.rs"));
    all
}

/// The placeables of a text.
fn variables(text: &str) -> BTreeSet<&str> {
    text.split("{ ").skip(1).filter_map(|rest| rest.split(" }").next()).collect()
}

#[test]
fn both_languages_have_the_same_texts() {
    let (english, korean) = (ids("en"), ids("ko"));
    assert!(english.len() > 50, "{}", english.len());
    assert_eq!(english.difference(&korean).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(korean.difference(&english).collect::<Vec<_>>(), Vec::<&String>::new());
    for ((id, english), (_, korean)) in texts("en").iter().zip(&texts("ko")) {
        assert_eq!(variables(english), variables(korean), "{id}");
    }
}

#[test]
fn no_text_is_unused() {
    let places = places();
    // Scopes are looked up by the name the engine gives.
    let scopes = ["openid", "profile", "email", "address", "phone", "offline_access"];
    for id in ids("en") {
        let scope = id.strip_prefix("scope-").map(|rest| rest.trim_end_matches(".detail"));
        let used = places.contains(&format!("\"{id}\""))
            || scope.is_some_and(|name| scopes.contains(&name));
        assert!(used, "{id}");
    }
    for scope in scopes {
        assert!(ids("en").contains(&format!("scope-{scope}")), "{scope}");
    }
}

#[test]
fn every_text_that_is_named_exists() {
    let known = ids("en");
    let places = places();
    let prefixes =
        ["login-", "consent-", "logout-", "logged-", "error-", "form-post-", "client-", "link-"];
    let named: BTreeSet<_> = places
        .split('"')
        .skip(1)
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
        .collect();
    assert!(named.len() > 40, "{}", named.len());
    for id in named {
        assert!(known.contains(id), "{id}");
    }
}

#[test]
fn korean_is_in_one_register() {
    for (id, text) in texts("ko") {
        let formal = ["니다", "십시오", "하세요"].iter().find(|&ending| text.contains(ending));
        assert_eq!(formal, None, "{id}: {text}");
        if text.ends_with('.') {
            assert!(text.ends_with("요."), "{id}: {text}");
        }
    }
}
