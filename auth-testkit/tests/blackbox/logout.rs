//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

use std::time::Duration;

use auth_oidc::client::{AccessTokenFormat, ClaimMapper};
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use ring::rand::{SecureRandom, SystemRandom};
use url::form_urlencoded::Serializer;

use crate::flow::*;
use crate::world::{WEB_BYE, WEB_CALLBACK, World, web};

pub const SESSION: &str = "auth_session";
const END_SESSION: &str = "/oauth2/sessions/logout";

pub fn logout_url(world: &World, parameters: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{}?{query}", world.url(END_SESSION))
}

/// Alice signs in; her consent is remembered, so that `prompt=none` tells whether the session is live.
pub async fn sign_in(world: &World, browser: &Browser, person: &Person<'_>) -> Tokens {
    let person = Person { remember_consent: true, ..person.clone() };
    let callback = authorize(world, browser, &person, &request("web")).await.callback();
    Tokens::of(&redeem(world, WEB, &callback.code()).await)
}

pub async fn signed_in(world: &World) -> (Browser, Tokens) {
    let browser = Browser::new();
    let tokens = sign_in(world, &browser, &ALICE).await;
    assert!(is_signed_in(world, &browser).await);
    (browser, tokens)
}

pub async fn is_signed_in(world: &World, browser: &Browser) -> bool {
    let silent = request("web").set("prompt", "none");
    let callback = open(world, browser, &silent.url(world)).await.callback();
    match callback.get("error") {
        "" => !callback.code().is_empty(),
        error => {
            assert_eq!(error, "login_required", "{}", callback.url);
            false
        }
    }
}

/// Asks for a logout that needs a confirmation, and gives the page that asks.
pub async fn ask(world: &World, browser: &Browser, parameters: &[(&str, &str)]) -> Reply {
    let page = open(world, browser, &logout_url(world, parameters)).await.page();
    assert_page(&page, 200);
    assert!(page.hidden("logout_challenge").is_some(), "{}", page.text());
    page
}

pub async fn answer_with(world: &World, browser: &Browser, page: &Reply, action: &str) -> Reply {
    let challenge = page.hidden("logout_challenge").unwrap();
    let form = [("logout_challenge", challenge.as_str()), ("action", action)];
    browser.post(&world.url("/oauth2/logout"), &form).await.unwrap()
}

/// 50 random characters of printable ASCII.
fn random_state() -> String {
    let mut bytes = [0; 50];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes.map(|byte| char::from(b' ' + byte % 95)).iter().collect()
}

blackbox! {
    async fn o_07_with_every_parameter_the_person_returns_to_the_client(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, tokens) = signed_in(&world).await;
        let cookie = browser.cookie(SESSION).unwrap();
        let state = random_state();
        let url = logout_url(&world, &[
            ("id_token_hint", &tokens.id),
            ("client_id", "web"),
            ("post_logout_redirect_uri", WEB_BYE),
            ("state", &state),
            ("logout_hint", "alice"),
            ("ui_locales", "ko en"),
        ]);
        let callback = open(&world, &browser, &url).await.callback();
        assert!(callback.url.as_str().starts_with(&format!("{WEB_BYE}?")), "{}", callback.url);
        assert_eq!(callback.get("state"), state);
        assert_eq!(callback.parameters.len(), 1, "{}", callback.url);
        assert_eq!(browser.cookie(SESSION), None);
        assert!(!is_signed_in(&world, &browser).await);
        // A copy of the cookie is worth nothing, either.
        browser.set_cookie(SESSION, &cookie);
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn o_07_state_comes_back_byte_for_byte(setup: Setup) {
        let world = World::with(setup, |builder| {
            builder.client(web().post_logout_redirect_uri("https://app.example/bye?from=us"))
        }).await;
        let all: String = (b' '..=b'~').map(char::from).collect();
        for state in [all, "+ %20 %2B&state=x#;/?".to_owned(), "한글 é".to_owned()] {
            for uri in [WEB_BYE, "https://app.example/bye?from=us"] {
                let parameters =
                    [("client_id", "web"), ("post_logout_redirect_uri", uri), ("state", &state)];
                let url = logout_url(&world, &parameters);
                let callback = open(&world, &Browser::new(), &url).await.callback();
                let states: Vec<_> =
                    callback.url.query_pairs().filter(|(name, _)| name == "state").collect();
                assert_eq!(states, [("state".into(), state.as_str().into())], "{}", callback.url);
                assert_eq!(callback.url.query().unwrap().contains("from=us"), uri.contains('?'));
                assert_eq!(callback.url.fragment(), None);
            }
        }
    }

    async fn a_178_an_unregistered_uri_gets_a_page(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, tokens) = signed_in(&world).await;
        let uris = [
            "https://evil.example/bye",
            "https://app.example/bye?x=1",
            "https://app.example/bye?",
            "https://app.example/bye#x",
            "https://app.example/bye/",
            "https://app.example/bye/../x",
            "https://app.example/Bye",
            "https://app.example/by%65",
            "https://APP.example/bye",
            "https://app.example:443/bye",
            "http://app.example/bye",
            "https://app.example.evil.example/bye",
            "https://app.example@evil.example/bye",
            "//evil.example/bye",
            "/bye",
            "javascript:alert(1)",
            " https://app.example/bye",
            // Redirect URIs of the authorization endpoint are another list.
            WEB_CALLBACK,
        ];
        let hint = ("id_token_hint", tokens.id.as_str());
        for uri in uris {
            for told in [hint, ("client_id", "web")] {
                let before = world.store.snapshot();
                let parameters = [told, ("post_logout_redirect_uri", uri), ("state", "s")];
                let reply = browser.get(&logout_url(&world, &parameters)).await.unwrap();
                assert_page(&reply, 400);
                assert_eq!(world.store.since(before).commits, 0, "{uri}");
            }
        }
        // Nobody vouches for a URI when no client is named, not even for a registered one.
        let nameless = logout_url(&world, &[("post_logout_redirect_uri", WEB_BYE)]);
        assert_page(&browser.get(&nameless).await.unwrap(), 400);
        assert!(is_signed_in(&world, &browser).await);

        let good = logout_url(&world, &[hint, ("post_logout_redirect_uri", WEB_BYE)]);
        assert_eq!(open(&world, &browser, &good).await.callback().url.as_str(), WEB_BYE);
    }

    async fn a_179_a_modified_or_foreign_hint_gets_a_page(setup: Setup) {
        // Its access tokens differ from id tokens by their type only.
        let audience = ClaimMapper::audience("web");
        let client = web().access_token_format(AccessTokenFormat::Jwt).claim(audience);
        let world = World::with(setup, |builder| builder.client(client)).await;
        let other = World::start(setup).await;
        let (browser, tokens) = signed_in(&world).await;
        let parts: Vec<&str> = tokens.id.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else { panic!("{}", tokens.id) };
        let mut claims = claims(&tokens.id);
        claims["sub"] = "u-bob".into();
        let changed = URL_SAFE_NO_PAD.encode(claims.to_string());
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let hints = [
            format!("{header}.{changed}.{signature}"),
            format!("{none}.{payload}."),
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            "x".to_owned(),
            tokens.access.clone(),
            tokens.refresh.clone(),
            signed_in(&other).await.1.id,
        ];
        let url = |hint: &str| {
            let uri = ("post_logout_redirect_uri", WEB_BYE);
            logout_url(&world, &[("id_token_hint", hint), ("client_id", "web"), uri])
        };
        for hint in hints {
            let before = world.store.snapshot();
            assert_page(&browser.get(&url(&hint)).await.unwrap(), 400);
            assert_eq!(world.store.since(before).commits, 0, "{hint}");
            assert!(is_signed_in(&world, &browser).await, "{hint}");
        }
        // A client that is not the hint's audience.
        let parameters = [("id_token_hint", tokens.id.as_str()), ("client_id", "spa")];
        assert_page(&browser.get(&logout_url(&world, &parameters)).await.unwrap(), 400);
        assert!(is_signed_in(&world, &browser).await);

        assert_eq!(open(&world, &browser, &url(&tokens.id)).await.callback().url.as_str(), WEB_BYE);
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn o_07_an_expired_hint_is_a_good_hint(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, tokens) = signed_in(&world).await;
        world.clock.advance(Duration::from_secs(2 * 3600));
        let parameters =
            [("id_token_hint", tokens.id.as_str()), ("post_logout_redirect_uri", WEB_BYE)];
        let end = open(&world, &browser, &logout_url(&world, &parameters)).await;
        assert_eq!(end.callback().url.as_str(), WEB_BYE);
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn o_07_without_a_hint_the_person_is_asked(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, _) = signed_in(&world).await;
        let page = ask(&world, &browser, &[]).await;
        let denied = answer_with(&world, &browser, &page, "deny").await;
        assert_page(&follow(&world, &browser, denied).await.page(), 200);
        assert!(is_signed_in(&world, &browser).await);

        // Whoever refuses to sign out does not leave this site, either.
        let parameters =
            [("client_id", "web"), ("post_logout_redirect_uri", WEB_BYE), ("state", "s")];
        let page = ask(&world, &browser, &parameters).await;
        assert!(page.text().contains("Web Shop"), "{}", page.text());
        let denied = answer_with(&world, &browser, &page, "deny").await;
        assert_page(&follow(&world, &browser, denied).await.page(), 200);
        assert!(is_signed_in(&world, &browser).await);

        let page = ask(&world, &browser, &parameters).await;
        let accepted = answer_with(&world, &browser, &page, "accept").await;
        let callback = follow(&world, &browser, accepted).await.callback();
        assert_eq!(callback.url.as_str(), format!("{WEB_BYE}?state=s"));
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn o_07_state_alone_leads_nowhere(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, _) = signed_in(&world).await;
        let page = ask(&world, &browser, &[("state", "https://evil.example")]).await;
        let accepted = answer_with(&world, &browser, &page, "accept").await;
        let page = follow(&world, &browser, accepted).await.page();
        assert_page(&page, 200);
        assert!(!page.text().contains("evil.example"));
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn o_07_without_a_session_it_goes_straight_on(setup: Setup) {
        let world = World::start(setup).await;
        let (_, tokens) = signed_in(&world).await;
        let browser = Browser::new();
        assert_page(&browser.get(&world.url(END_SESSION)).await.unwrap(), 200);
        for told in [("id_token_hint", tokens.id.as_str()), ("client_id", "web")] {
            let parameters = [told, ("post_logout_redirect_uri", WEB_BYE), ("state", "s")];
            let reply = browser.get(&logout_url(&world, &parameters)).await.unwrap();
            let callback = follow(&world, &browser, reply).await.callback();
            assert_eq!(callback.url.as_str(), format!("{WEB_BYE}?state=s"));
        }
    }

    async fn o_07_a_hint_of_somebody_else_ends_nothing(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, tokens) = signed_in(&world).await;
        let bob = sign_in(&world, &Browser::new(), &BOB).await;
        let before = world.store.snapshot();
        let uri = ("post_logout_redirect_uri", WEB_BYE);
        let url = logout_url(&world, &[("id_token_hint", &bob.id), uri]);
        assert_page(&browser.get(&url).await.unwrap(), 400);
        assert_eq!(world.store.since(before).commits, 0);
        assert!(is_signed_in(&world, &browser).await);
        let good = logout_url(&world, &[("id_token_hint", &tokens.id), uri]);
        assert_eq!(open(&world, &browser, &good).await.callback().url.as_str(), WEB_BYE);
    }

    async fn o_07_a_hint_of_another_session_of_the_person_asks_first(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, _) = signed_in(&world).await;
        let (_, elsewhere) = signed_in(&world).await;
        let parameters =
            [("id_token_hint", elsewhere.id.as_str()), ("post_logout_redirect_uri", WEB_BYE)];
        let page = ask(&world, &browser, &parameters).await;
        assert!(is_signed_in(&world, &browser).await);
        let accepted = answer_with(&world, &browser, &page, "accept").await;
        assert_eq!(follow(&world, &browser, accepted).await.callback().url.as_str(), WEB_BYE);
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn o_07_by_post(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, tokens) = signed_in(&world).await;
        let form = [
            ("id_token_hint", tokens.id.as_str()),
            ("post_logout_redirect_uri", WEB_BYE),
            ("state", "a b&c"),
        ];
        // A form on the client's site brings no Lax cookie: the browser must come again by GET, or the
        // session would stay while the client believes it gone.
        let reply = Browser::new().post(&world.url(END_SESSION), &form).await.unwrap();
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        let again = reply.location().unwrap();
        assert!(again.as_str().starts_with(&world.url(END_SESSION)), "{again}");
        let callback = open(&world, &browser, again.as_str()).await.callback();
        assert_eq!(callback.get("state"), "a b&c");
        assert!(!is_signed_in(&world, &browser).await);

        let (browser, tokens) = signed_in(&world).await;
        let form = [("id_token_hint", tokens.id.as_str()), form[1], form[2]];
        let reply = browser.post(&world.url(END_SESSION), &form).await.unwrap();
        let callback = follow(&world, &browser, reply).await.callback();
        assert!(callback.url.as_str().starts_with(WEB_BYE), "{}", callback.url);
        assert_eq!(callback.get("state"), "a b&c");
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn o_07_in_the_language_that_is_asked_for(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, _) = signed_in(&world).await;
        assert!(ask(&world, &browser, &[]).await.text().contains("Sign out?"));
        let page = ask(&world, &browser, &[("ui_locales", "ko")]).await;
        assert!(page.text().contains("로그아웃할까요?"), "{}", page.text());
        let accepted = answer_with(&world, &browser, &page, "accept").await;
        let page = follow(&world, &browser, accepted).await.page();
        assert!(page.text().contains("로그아웃했어요"), "{}", page.text());
    }

    async fn a_180_challenge_and_verifier_belong_to_one_browser(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, _) = signed_in(&world).await;
        let (stranger, _) = signed_in(&world).await;
        let page = ask(&world, &browser, &[]).await;
        for other in [&stranger, &Browser::new()] {
            assert_page(&answer_with(&world, other, &page, "accept").await, 403);
            assert_page(&other.get(page.url.as_str()).await.unwrap(), 403);
        }
        let accepted = answer_with(&world, &browser, &page, "accept").await;
        let verifier = accepted.location().unwrap();
        for other in [&stranger, &Browser::new()] {
            assert_page(&other.get(verifier.as_str()).await.unwrap(), 403);
        }
        assert!(is_signed_in(&world, &stranger).await);
        assert!(is_signed_in(&world, &browser).await);

        assert_page(&browser.get(verifier.as_str()).await.unwrap(), 200);
        assert_page(&browser.get(verifier.as_str()).await.unwrap(), 400);
        assert!(!is_signed_in(&world, &browser).await);
        // Neither of them ends the next session.
        sign_in(&world, &browser, &ALICE).await;
        assert_page(&browser.get(verifier.as_str()).await.unwrap(), 400);
        assert_page(&answer_with(&world, &browser, &page, "accept").await, 410);
        assert!(is_signed_in(&world, &browser).await);
    }
}

blackbox! {
    async fn a_184_a_uri_that_was_removed_meanwhile_is_not_followed(setup: Setup) {
        let world = World::start(setup).await;
        for removed in [false, true] {
            let browser = Browser::new();
            authorize(&world, &browser, &ALICE, &request("web")).await.callback();
            let ask = format!(
                "{}?client_id=web&post_logout_redirect_uri={WEB_BYE}",
                world.url("/oauth2/sessions/logout")
            );
            let page = open(&world, &browser, &ask).await.page();
            let challenge = page.hidden("logout_challenge").unwrap();
            if removed {
                let mut web = world.provider.clients().get(&"web".into()).await.unwrap().unwrap();
                web.post_logout_redirect_uris.clear();
                world.provider.clients().put(web).await.unwrap();
            }
            let form = [("logout_challenge", challenge.as_str()), ("action", "accept")];
            let reply = browser.post(&world.url("/oauth2/logout"), &form).await.unwrap();
            match follow(&world, &browser, reply).await {
                End::Callback(callback) => assert!(!removed, "{}", callback.url),
                End::Page(page) => assert!(removed, "{}", page.text()),
            }
            let silent = request("web").set("prompt", "none").url(&world);
            let callback = open(&world, &browser, &silent).await.callback();
            assert_redirected(&world, &callback, "login_required");
        }
    }
}
