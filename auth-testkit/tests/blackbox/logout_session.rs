//! What a logout ends, and what it does not.

use std::time::Duration;

use auth_testkit::Browser;
use http::StatusCode;

use crate::flow::*;
use crate::logout::{SESSION, answer_with, ask, is_signed_in, logout_url, sign_in, signed_in};
use crate::world::World;

/// Tokens that end with the session of the browser.
async fn sign_in_online(world: &World, browser: &Browser) -> Tokens {
    let online = request("web").set("scope", "openid");
    let callback = authorize(world, browser, &ALICE, &online).await.callback();
    let tokens = Tokens::of(&redeem(world, WEB, &callback.code()).await);
    assert!(is_active(world, &tokens.access).await);
    tokens
}

blackbox! {
    async fn a_189_a_slow_request_does_not_revive_the_session(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        // Three requests are under way: one comes from the login page, one stands before the consent
        // page, and one before the choice of an account.
        let login = open(&world, &browser, &request("web").url(&world)).await.page();
        let challenge = login.hidden("login_challenge").unwrap();
        let form = [
            ("login_challenge", challenge.as_str()),
            ("identifier", "alice"),
            ("password", ALICE.password),
            ("action", "login"),
        ];
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        let login_verifier = reply.location().unwrap();
        let consent = follow(&world, &browser, reply).await.page();
        let challenge = consent.hidden("consent_challenge").unwrap();
        let choose = request("web").set("prompt", "select_account");
        let choice = open(&world, &browser, &choose.url(&world)).await.page();
        let choice = choice.hidden("login_challenge").unwrap();
        let cookie = browser.cookie(SESSION).unwrap();

        let page = ask(&world, &browser, &[]).await;
        let accepted = answer_with(&world, &browser, &page, "accept").await;
        assert_page(&follow(&world, &browser, accepted).await.page(), 200);

        for held in [None, Some(&cookie)] {
            held.inspect(|cookie| browser.set_cookie(SESSION, cookie));
            let reply = browser.get(login_verifier.as_str()).await.unwrap();
            assert_page(&reply, 403);
            let form = [("consent_challenge", challenge.as_str()), ("action", "accept")];
            let reply = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
            assert_page(&follow(&world, &browser, reply).await.page(), 403);
            let form = [("login_challenge", choice.as_str()), ("action", "continue")];
            let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
            assert_page(&follow(&world, &browser, reply).await.page(), 403);
            assert!(!is_signed_in(&world, &browser).await);
        }
    }

    async fn o_07_a_session_ends_by_itself(setup: Setup) {
        const DAY: Duration = Duration::from_secs(86_400);
        let world = World::start(setup).await;
        let (short, long) = (Browser::new(), Browser::new());
        let lasting = Person { remember: true, ..ALICE };
        sign_in(&world, &short, &ALICE).await;
        sign_in(&world, &long, &lasting).await;
        for (wait, in_short, in_long) in [
            (DAY - Duration::from_secs(1), true, true),
            (Duration::from_secs(1), false, true),
            (29 * DAY - Duration::from_secs(1), false, true),
            (Duration::from_secs(1), false, false),
        ] {
            world.clock.advance(wait);
            assert_eq!(is_signed_in(&world, &short).await, in_short);
            assert_eq!(is_signed_in(&world, &long).await, in_long);
        }
    }

    async fn a_181_a_cookie_of_a_session_that_ended_is_worth_nothing(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, tokens) = signed_in(&world).await;
        let cookie = browser.cookie(SESSION).unwrap();
        let online = sign_in_online(&world, &browser).await;
        let url = logout_url(&world, &[("id_token_hint", &tokens.id)]);
        assert_page(&open(&world, &browser, &url).await.page(), 200);
        assert!(browser.cookie(SESSION).is_none());
        // Whoever kept it has nothing: not here, not in another browser, not at another process.
        let elsewhere = Browser::new();
        for holder in [&browser, &elsewhere] {
            holder.set_cookie(SESSION, &cookie);
            assert!(!is_signed_in(&world, holder).await);
        }
        let node = world.another_node().await;
        let silent = request("web").set("prompt", "none").url(&world);
        let silent = silent.replace(&world.issuer, &node.base);
        let request = Browser::new().http().get(&silent);
        let reply = Browser::new().send(request.header("cookie", format!("{SESSION}={cookie}"))).await;
        let location = reply.unwrap().location().unwrap();
        assert_eq!(Callback::of(location).get("error"), "login_required");
        assert!(!is_active(&world, &online.access).await);
    }

    async fn a_188_nobody_is_signed_out_by_being_sent_there(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, tokens) = signed_in(&world).await;
        let before = world.store.snapshot();
        for parameters in [vec![], vec![("client_id", "web")], vec![("state", "s")], vec![("logout_hint", "alice")]] {
            for _ in 0..20 {
                ask(&world, &browser, &parameters).await;
            }
        }
        assert!(is_signed_in(&world, &browser).await);
        assert_eq!(world.store.since(before).commits, 1, "the code of the check, and no question");
        let good = logout_url(&world, &[("id_token_hint", &tokens.id)]);
        assert_page(&open(&world, &browser, &good).await.page(), 200);
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn a_185_the_tokens_of_the_session_end_with_it(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, offline) = signed_in(&world).await;
        let online = request("web").set("scope", "openid");
        let callback = authorize(&world, &browser, &ALICE, &online).await.callback();
        let unredeemed = authorize(&world, &browser, &ALICE, &online).await.callback();
        let online = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert!(is_active(&world, &online.access).await);

        let url = logout_url(&world, &[("id_token_hint", &offline.id)]);
        assert_page(&open(&world, &browser, &url).await.page(), 200);
        assert!(!is_active(&world, &online.access).await);
        assert_eq!(userinfo(&world, &online.access).await.status, StatusCode::UNAUTHORIZED);
        let reply = redeem(&world, WEB, &unredeemed.code()).await;
        assert_refused(&reply, 400, "invalid_grant");
        // Offline access is the access that does not end here.
        assert!(is_active(&world, &offline.access).await);
        Tokens::of(&refresh(&world, WEB, &offline.refresh).await);
    }
}
