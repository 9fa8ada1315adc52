//! PKCE: a code is worth nothing without the verifier that its request committed to.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use auth_core::SystemEntropy;
use auth_oidc::ProviderBuilder;
use auth_oidc::client::generate_client_secret;
use auth_testkit::Browser;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::form_urlencoded;

use crate::code::{Events, ask_no_consent, redeem_with, signed_in};
use crate::flow::*;
use crate::world::World;

const OTHER_VERIFIER: &str = "another-verifier-of-good-form-0123456789-abc";

/// The authorization response as the client sees it, whether in the query, the fragment or a form.
async fn response(
    world: &World,
    browser: &Browser,
    by_post: bool,
    request: &AuthorizationRequest,
) -> BTreeMap<String, String> {
    let end = if by_post {
        let form: Vec<(String, String)> =
            form_urlencoded::parse(request.query().as_bytes()).into_owned().collect();
        let post = browser.http().post(world.url("/oauth2/auth")).form(&form);
        follow(world, browser, browser.send(post).await.unwrap()).await
    } else {
        open(world, browser, &request.url(world)).await
    };
    match answer(world, browser, &ALICE, end).await {
        End::Callback(Callback { url, parameters }) => match url.fragment() {
            Some(text) => form_urlencoded::parse(text.as_bytes()).into_owned().collect(),
            None => parameters,
        },
        End::Page(page) => ["code", "error"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), page.hidden(name)?)))
            .collect(),
    }
}

/// A code of the challenge of `verifier`.
async fn code_for(world: &World, browser: &Browser, verifier: &str) -> String {
    let request = request("web").set("code_challenge", &challenge_of(verifier));
    open(world, browser, &request.url(world)).await.callback().code()
}

/// The code is burnt: not even its true owner can use it, and what comes is no server error.
async fn assert_burnt(world: &World, by: By<'_>, code: &str) {
    assert_refused(&redeem(world, by, code).await, 400, "invalid_grant");
}

blackbox! {
    async fn a_043_the_challenge_is_stripped_from_the_request(setup: Setup) {
        let world = World::with(setup, ProviderBuilder::insecure_pkce_for_public_clients_only).await;
        let browser = Browser::new();
        ask_no_consent(&world).await;
        let stripped =
            |client| request(client).without("code_challenge").without("code_challenge_method");

        // Without a challenge and without a verifier a client that authenticates may pass here.
        let code = authorize(&world, &browser, &ALICE, &stripped("web")).await.callback().code();
        Tokens::of(&redeem_with(&world, WEB, &code, "code_verifier", None).await);
        let code = authorize(&world, &browser, &ALICE, &request("spa")).await.callback().code();
        Tokens::of(&redeem(&world, SPA, &code).await);

        let code = authorize(&world, &browser, &ALICE, &stripped("web")).await.callback().code();
        assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        let honest = redeem_with(&world, WEB, &code, "code_verifier", None).await;
        assert_refused(&honest, 400, "invalid_grant");
        // An empty verifier is one that was sent.
        let code = authorize(&world, &browser, &ALICE, &stripped("web")).await.callback().code();
        let empty = redeem_with(&world, WEB, &code, "code_verifier", Some("")).await;
        assert_refused(&empty, 400, "invalid_grant");

        let before = world.store.snapshot();
        let public = authorize(&world, &browser, &ALICE, &stripped("spa")).await.callback();
        assert_redirected(&world, &public, "invalid_request");
        let half = request("web").without("code_challenge");
        for request in [half, request("web").set("code_challenge", "")] {
            let refused = open(&world, &browser, &request.url(&world)).await.callback();
            assert_redirected(&world, &refused, "invalid_request");
        }
        assert_eq!(world.store.since(before).commits, 0);

        // Unless somebody turns it off, no client may do without.
        let strict = World::start(setup).await;
        let refused = open(&strict, &browser, &stripped("web").url(&strict)).await.callback();
        assert_redirected(&strict, &refused, "invalid_request");
    }

    async fn a_044_the_verifier_is_left_out(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        for (client, by) in [("web", WEB), ("spa", SPA)] {
            let url = request(client).url(&world);
            let good = open(&world, &browser, &url).await.callback().code();
            Tokens::of(&redeem(&world, by, &good).await);
            for verifier in [None, Some("")] {
                let code = open(&world, &browser, &url).await.callback().code();
                let refused = redeem_with(&world, by, &code, "code_verifier", verifier).await;
                assert_refused(&refused, 400, "invalid_grant");
                assert_burnt(&world, by, &code).await;
            }
        }
    }

    async fn a_045_a_weaker_method(setup: Setup) {
        for lenient in [false, true] {
            let world = World::with(setup, |b| match lenient {
                true => b.insecure_pkce_for_public_clients_only(),
                false => b,
            })
            .await;
            ask_no_consent(&world).await;
            let browser = Browser::new();
            for client in ["web", "spa"] {
                authorize(&world, &browser, &ALICE, &request(client)).await.callback().code();
                let before = world.store.snapshot();
                for method in ["plain", "S512", "s256", "S256 ", ""] {
                    let request = request(client).set("code_challenge_method", method);
                    let refused = open(&world, &browser, &request.url(&world)).await.callback();
                    assert_redirected(&world, &refused, "invalid_request");
                }
                let request = request(client).without("code_challenge_method");
                let refused = open(&world, &browser, &request.url(&world)).await.callback();
                assert_redirected(&world, &refused, "invalid_request");
                assert_eq!(world.store.since(before).commits, 0);
            }
            for name in ["openid-configuration", "oauth-authorization-server"] {
                let url = world.url(&format!("/.well-known/{name}"));
                let metadata = browser.get(&url).await.unwrap();
                assert_eq!(metadata.json()["code_challenge_methods_supported"], json!(["S256"]));
            }
        }
    }

    async fn a_046_verifiers_and_challenges_of_bad_form(setup: Setup) {
        let (world, browser) = signed_in(setup).await;
        for length in [43, 128] {
            let verifier = "v".repeat(length);
            let code = code_for(&world, &browser, &verifier).await;
            Tokens::of(&redeem_with(&world, WEB, &code, "code_verifier", Some(&verifier)).await);
        }
        let body = "v".repeat(42);
        let bad = [
            "v".to_owned(),
            body.clone(),
            "v".repeat(129),
            "v".repeat(4096),
            format!("{body}="),
            format!("{body}+"),
            format!("{body}/"),
            format!("{body} "),
            format!("{body}é"),
            format!("{body}\0"),
        ];
        for verifier in bad {
            // The challenge fits, so that nothing but the form is wrong.
            let code = code_for(&world, &browser, &verifier).await;
            let refused = redeem_with(&world, WEB, &code, "code_verifier", Some(&verifier)).await;
            assert_refused(&refused, 400, "invalid_grant");
            let again = redeem_with(&world, WEB, &code, "code_verifier", Some(&verifier)).await;
            assert_refused(&again, 400, "invalid_grant");
        }

        let challenge = challenge_of(VERIFIER);
        let cut = &challenge[..42];
        let before = world.store.snapshot();
        let bad = [
            cut.to_owned(),
            "c".to_owned(),
            format!("{challenge}A"),
            format!("{challenge}="),
            format!("{cut}="),
            format!("{cut}+"),
            format!("{cut}/"),
            format!("{cut} "),
            format!("{cut}é"),
            "c".repeat(4096),
        ];
        for challenge in bad {
            let request = request("web").set("code_challenge", &challenge);
            let refused = open(&world, &browser, &request.url(&world)).await.callback();
            assert_redirected(&world, &refused, "invalid_request");
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_048_a_stolen_code_in_the_attackers_own_session(setup: Setup) {
        let events = Events::default();
        let world = World::with(setup, |b| b.events(events.clone())).await;
        ask_no_consent(&world).await;
        let victim = Browser::new();
        let url = request("web");
        let code = authorize(&world, &victim, &ALICE, &url).await.callback().code();
        Tokens::of(&redeem(&world, WEB, &code).await);

        // The attacker signs in at the same client, too, with a verifier that is good there.
        let own = url.set("code_challenge", &challenge_of(OTHER_VERIFIER));
        let attacker = Browser::new();
        let theirs = authorize(&world, &attacker, &BOB, &own).await.callback().code();
        let code = authorize(&world, &victim, &ALICE, &request("web")).await.callback().code();
        let injected = redeem_with(&world, WEB, &code, "code_verifier", Some(OTHER_VERIFIER)).await;
        assert_refused(&injected, 400, "invalid_grant");
        assert_burnt(&world, WEB, &code).await;
        Tokens::of(&redeem_with(&world, WEB, &theirs, "code_verifier", Some(OTHER_VERIFIER)).await);

        let told = events.delivered(&world).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].name, "pkce_mismatch");
        let text = told[0].detail.to_string();
        assert!(text.contains("web") && !text.contains(&code) && !text.contains(OTHER_VERIFIER));
    }

    async fn a_050_values_that_the_time_would_give_away(setup: Setup) {
        // Two providers and many requests at moments that are the same to each clock.
        let mut secrets = HashSet::new();
        for _ in 0..2 {
            let (world, browser) = signed_in(setup).await;
            for _ in 0..50 {
                let end = open(&world, &browser, &request("web").url(&world)).await;
                let tokens = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
                for token in [&tokens.access, &tokens.refresh] {
                    let raw = URL_SAFE_NO_PAD.decode(token.split_once('_').unwrap().1).unwrap();
                    // Behind the key's id: the 256 bits by which the token is known.
                    assert!(secrets.insert(raw[1..33].to_vec()));
                }
            }
        }
        let entropy = SystemEntropy::default();
        let mut generated = HashSet::new();
        for _ in 0..100_000 {
            let secret = generate_client_secret(&entropy).unwrap();
            let raw = URL_SAFE_NO_PAD.decode(secret.expose().strip_prefix("cs_").unwrap()).unwrap();
            assert_eq!(raw.len(), 32);
            assert!(generated.insert(raw));
        }
    }

    async fn a_051_every_way_to_a_code_demands_the_verifier(setup: Setup) {
        let world = World::with(setup, ProviderBuilder::insecure_pkce_for_public_clients_only).await;
        ask_no_consent(&world).await;
        let browser = Browser::new();
        authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
        let ways: [(&str, &str, bool); 8] = [
            ("response_mode", "query", false),
            ("response_mode", "query", true),
            ("response_mode", "fragment", false),
            ("response_mode", "form_post", false),
            ("prompt", "none", false),
            ("prompt", "login", false),
            ("prompt", "consent", false),
            ("prompt", "select_account", true),
        ];
        for (name, value, by_post) in ways {
            let way = format!("{name}={value}, POST {by_post}");
            // Each way its own window of the limit on sign-ins.
            world.clock.advance(Duration::from_secs(300));
            let without = request("spa").set(name, value);
            let without = without.without("code_challenge").without("code_challenge_method");
            let refused = response(&world, &browser, by_post, &without).await;
            assert_eq!(refused.get("error").map(String::as_str), Some("invalid_request"), "{way}");
            assert!(!refused.contains_key("code"), "{way}");
            for (client, by) in [("web", WEB), ("spa", SPA)] {
                let request = request(client).set(name, value);
                for (verifier, good) in
                    [(Some(VERIFIER), true), (Some(OTHER_VERIFIER), false), (None, false)]
                {
                    let answer = response(&world, &browser, by_post, &request).await;
                    let code = answer.get("code").unwrap_or_else(|| panic!("{way}: {answer:?}"));
                    let reply = redeem_with(&world, by, code, "code_verifier", verifier).await;
                    if good {
                        Tokens::of(&reply);
                    } else {
                        assert_refused(&reply, 400, "invalid_grant");
                        assert_burnt(&world, by, code).await;
                    }
                }
            }
        }
    }
}
