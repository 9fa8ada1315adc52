//! The authorization endpoint under attack: who is signed in, when, and what they agreed to.

use std::time::Duration;

use auth_core::challenge::{Accept, AcceptConsent, AcceptLogin, DeskError};
use auth_oidc::client::Client;
use auth_testkit::Browser;

use crate::authz::settled_browser;
use crate::flow::*;
use crate::world::{World, web};

blackbox! {
    async fn a_008_prompt_none_does_not_come_before_the_redirect_uri(setup: Setup) {
        let world = World::start(setup).await;
        let silent = request("web").set("prompt", "none");
        let callback = open(&world, &Browser::new(), &silent.url(&world)).await.callback();
        assert_redirected(&world, &callback, "login_required");
        let signed_in = settled_browser(&world, "web").await;
        let before = world.store.snapshot();
        for browser in [Browser::new(), signed_in] {
            for uri in ["https://evil.example/cb", "https://app.example/cb/", "https://spa.example/cb"] {
                let bad = silent.clone().set("redirect_uri", uri);
                assert_page(&browser.get(&bad.url(&world)).await.unwrap(), 400);
            }
        }
        assert_eq!(world.store.since(before).commits, 0);
    }

    async fn a_009_a_client_that_anybody_can_pose_as_is_never_answered_silently(setup: Setup) {
        const SCHEME: &str = "com.example.app:/cb";
        let app = Client::public("app").redirect_uri(SCHEME).scope("openid profile email offline_access");
        let world = World::with(setup, |builder| builder.client(app)).await;
        // The control: a public client whose host answers for it is remembered.
        let browser = settled_browser(&world, "spa").await;
        let silent = request("spa").set("prompt", "none");
        open(&world, &browser, &silent.url(&world)).await.callback().code();

        let native = request("app").set("redirect_uri", SCHEME);
        let alice = Person { remember_consent: true, ..ALICE };
        authorize(&world, &browser, &alice, &native).await.callback().code();
        let before = world.store.snapshot();
        let silent = native.clone().set("prompt", "none");
        let callback = open(&world, &browser, &silent.url(&world)).await.callback();
        assert_redirected(&world, &callback, "consent_required");
        let page = open(&world, &browser, &native.url(&world)).await.page();
        assert!(page.hidden("consent_challenge").is_some(), "{}", page.text());
        assert_eq!(world.store.since(before).commits, 0);

        // Not even consent that is left out altogether counts for it.
        let app = Client::public("app").redirect_uri(SCHEME).scope("openid offline_access").skip_consent();
        world.provider.clients().put(app).await.unwrap();
        let callback = open(&world, &browser, &silent.url(&world)).await.callback();
        assert_redirected(&world, &callback, "consent_required");

        let plain = Client::public("plain").redirect_uri("http://app.example/cb").scope("openid");
        assert!(world.provider.clients().put(plain).await.is_err());
    }

    async fn a_010_a_demand_for_a_new_sign_in_is_not_met_by_an_old_one(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let old = open(&world, &browser, &request("web").url(&world)).await.callback();
        let old = Tokens::of(&redeem(&world, WEB, &old.code()).await);
        let auth_time = |tokens: &Tokens| claims(&tokens.id)["auth_time"].as_u64().unwrap();

        for (name, value) in [("prompt", "login"), ("max_age", "0"), ("max_age", "30")] {
            world.clock.advance(Duration::from_secs(60));
            let demand = request("web").set(name, value);
            let page = open(&world, &browser, &demand.url(&world)).await.page();
            let challenge = page.hidden("login_challenge").expect("a login page");
            assert!(!page.text().contains("value=\"continue\""), "{}", page.text());
            let before = world.store.snapshot();
            // Neither the button that is not there, nor a reload, brings the old session back.
            let form = [("login_challenge", challenge.as_str()), ("action", "continue")];
            let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
            assert_page(&reply, 400);
            let again = browser.get(page.url.as_str()).await.unwrap();
            assert!(!again.text().contains("value=\"continue\""));
            let accept = Accept::Login(AcceptLogin::continued("u-alice"));
            let accepted = world.provider.desk().accept(&challenge, accept).await;
            assert!(matches!(accepted, Err(DeskError::Unfit(_))), "{accepted:?}");
            if name == "prompt" {
                let silent = demand.clone().set("prompt", "none login");
                let callback = open(&world, &browser, &silent.url(&world)).await.callback();
                assert_redirected(&world, &callback, "invalid_request");
            } else {
                let silent = demand.clone().set("prompt", "none");
                let callback = open(&world, &browser, &silent.url(&world)).await.callback();
                assert_redirected(&world, &callback, "login_required");
            }
            assert_eq!(world.store.since(before).commits, 0);

            let callback = answer(&world, &browser, &ALICE, End::Page(page)).await.callback();
            let new = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
            assert!(auth_time(&new) >= auth_time(&old) + 60, "{name}={value}");
            assert_eq!(claims(&new.id)["sid"], claims(&old.id)["sid"]);
        }

        // Somebody else who signs in then gets a session of their own.
        let page = open(&world, &browser, &request("web").set("prompt", "login").url(&world)).await;
        let callback = answer(&world, &browser, &BOB, page).await.callback();
        let bob = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&bob.id)["sub"], "u-bob");
        assert_ne!(claims(&bob.id)["sid"], claims(&old.id)["sid"]);
    }

    async fn a_011_a_level_is_told_only_if_it_was_reached(setup: Setup) {
        let world = World::with(setup, |builder| builder.acr_values(["aal1", "aal2"])).await;
        let browser = settled_browser(&world, "web").await;
        let weak = request("web").set("acr_values", "aal1");
        let callback = open(&world, &browser, &weak.url(&world)).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&tokens.id)["acr"], "aal1");

        let strong = request("web").set("acr_values", "aal2");
        let silent = strong.clone().set("prompt", "none");
        let callback = open(&world, &browser, &silent.url(&world)).await.callback();
        assert_redirected(&world, &callback, "login_required");
        // A password is asked for, and is not enough.
        let page = open(&world, &browser, &strong.url(&world)).await;
        let callback = answer(&world, &browser, &ALICE, page).await.callback();
        assert_redirected(&world, &callback, "unmet_authentication_requirements");
        // Pages of the embedder's own that reached the level say so.
        let page = open(&world, &browser, &strong.url(&world)).await.page();
        let challenge = page.hidden("login_challenge").unwrap();
        let accept = Accept::Login(AcceptLogin::new("u-alice").acr("aal2"));
        let to = world.provider.desk().accept(&challenge, accept).await.unwrap();
        let callback = open(&world, &browser, &to.url).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&tokens.id)["acr"], "aal2");
    }

    async fn a_012_a_hint_names_somebody_and_authenticates_nobody(setup: Setup) {
        let world = World::start(setup).await;
        let other = World::start(setup).await;
        let hinted = |hint: &str| request("web").set("id_token_hint", hint);
        let alices = tokens(&world).await;
        let bob = authorize(&world, &Browser::new(), &BOB, &request("web")).await.callback();
        let bobs = Tokens::of(&redeem(&world, WEB, &bob.code()).await);
        let browser = settled_browser(&world, "web").await;
        open(&world, &browser, &hinted(&alices.id).url(&world)).await.callback().code();

        let before = world.store.snapshot();
        let callback = open(&world, &browser, &hinted(&bobs.id).url(&world)).await.callback();
        assert_redirected(&world, &callback, "login_required");
        // Nobody is signed in by it.
        let silent = hinted(&alices.id).set("prompt", "none");
        let callback = open(&world, &Browser::new(), &silent.url(&world)).await.callback();
        assert_redirected(&world, &callback, "login_required");
        let (signed, signature) = alices.id.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let swapped = format!("{header}.{}.{signature}", bobs.id.split('.').nth(1).unwrap());
        let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
        let cut = format!("{signed}.");
        let foreign = tokens(&other).await.id;
        for bad in [swapped.as_str(), &unsigned, &cut, &foreign, &alices.access, "x", "a.b.c"] {
            let callback = open(&world, &browser, &hinted(bad).url(&world)).await.callback();
            assert_redirected(&world, &callback, "invalid_request");
        }
        assert_eq!(world.store.since(before).commits, 0);
        // Who is to sign in anew may be the one of the hint.
        let anew = hinted(&bobs.id).set("prompt", "login");
        let browser = settled_browser(&world, "web").await;
        authorize(&world, &browser, &BOB, &anew).await.callback().code();
        // Whoever signs in in place of the one that was hinted at is not passed on.
        let end = authorize(&world, &Browser::new(), &BOB, &hinted(&alices.id)).await;
        assert_redirected(&world, &end.callback(), "login_required");
    }

    async fn a_018_consent_gives_at_most_what_was_asked_for(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let asked = request("web").set("prompt", "consent");
        let page = open(&world, &browser, &asked.url(&world)).await.page();
        let challenge = page.hidden("consent_challenge").unwrap();
        let desk = world.provider.desk();
        let scopes = |text: &str| text.split(' ').map(str::to_owned).collect();

        let before = world.store.snapshot();
        for beyond in ["openid email", "openid offline_access orders:read", "admin"] {
            let accept = Accept::Consent(AcceptConsent::new(scopes(beyond)));
            let accepted = desk.accept(&challenge, accept).await;
            assert!(matches!(accepted, Err(DeskError::Unfit(_))), "{beyond}: {accepted:?}");
        }
        // An answer of another kind does not make it another subject's.
        for accept in [AcceptLogin::new("u-bob"), AcceptLogin::continued("u-bob")] {
            let accepted = desk.accept(&challenge, Accept::Login(accept)).await;
            assert!(matches!(accepted, Err(DeskError::Unfit(_))), "{accepted:?}");
        }
        assert_eq!(world.store.since(before).commits, 0);

        // Boxes that the page does not have count for nothing.
        let form = [
            ("consent_challenge", challenge.as_str()),
            ("action", "accept"),
            ("grant_scope", "openid"),
            ("grant_scope", "orders:read"),
            ("grant_scope", "admin"),
            ("subject", "u-bob"),
        ];
        let reply = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
        let callback = follow(&world, &browser, reply).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(tokens.answer["scope"], "openid offline_access");
        assert_eq!(claims(&tokens.id)["sub"], "u-alice");

        // What the client lost while the page was open is not granted any more.
        let page = open(&world, &browser, &asked.url(&world)).await;
        world.provider.clients().put(web().scope("openid")).await.unwrap();
        let callback = answer(&world, &browser, &ALICE, page).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(tokens.answer["scope"], "openid");
    }

    async fn a_019_the_request_cannot_change_between_page_and_answer(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let planted = [
            ("scope", "openid email orders:read"),
            ("client_id", "spa"),
            ("redirect_uri", "https://evil.example/cb"),
            ("state", "state-of-the-attacker"),
            ("nonce", "nonce-of-the-attacker"),
            ("response_mode", "fragment"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ];
        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        let login = page.hidden("login_challenge").unwrap();
        let mut form = vec![
            ("login_challenge", login.as_str()),
            ("identifier", "alice"),
            ("password", crate::world::PASSWORD),
        ];
        form.extend(planted);
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        // Planted beside the verifier, too.
        let query: Vec<String> = planted.map(|(name, value)| format!("&{name}={value}")).to_vec();
        let resume = format!("{}{}", reply.location().unwrap(), query.concat());
        let page = open(&world, &browser, &resume).await.page();
        let consent = page.hidden("consent_challenge").unwrap();
        assert!(!page.text().contains("orders:read"), "{}", page.text());
        let mut form = vec![("consent_challenge", consent.as_str()), ("action", "accept")];
        form.extend(planted);
        let reply = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
        let resume = format!("{}{}", reply.location().unwrap(), query.concat());
        let callback = open(&world, &browser, &resume).await.callback();
        assert!(callback.url.as_str().starts_with("https://app.example/cb?"), "{}", callback.url);
        assert_eq!(callback.get("state"), "state-1234567890");
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(tokens.answer["scope"], "openid offline_access");
        assert_eq!(claims(&tokens.id)["nonce"], "nonce-1234567890");

        // The cookies are two random values, and nothing of the request can be read off its challenges.
        let cookies = ["auth_browser", "auth_session"].map(|name| browser.cookie(name).unwrap());
        for text in [&cookies[0], &cookies[1], &login, &consent] {
            for part in text.split(['.', '_']) {
                let bytes = base64_decode(part);
                for secret in ["state-1234567890", "app.example", "openid", "u-alice"] {
                    assert!(!text.contains(secret) && !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
                }
            }
        }
    }
}

fn base64_decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
}
