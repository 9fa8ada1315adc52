//! The authorization endpoint and its login page as a person's browser meets them.

use std::time::Duration;

use auth_core::http::TrustedProxies;
use auth_testkit::store::CommitFault;
use auth_testkit::{Browser, Reply};
use http::StatusCode;
use url::form_urlencoded;

use crate::authz::settled_browser;
use crate::flow::*;
use crate::world::{PASSWORD, WEB_CALLBACK, World};

/// A request whose challenge is too long for a URL: its hint cannot be compressed.
fn long_request() -> AuthorizationRequest {
    let hint: String = (0..60).map(|n: u32| challenge_of(&n.to_string())).collect();
    request("web").set("login_hint", &hint)
}

/// Fills in the login page.
pub async fn attempt(
    world: &World,
    browser: &Browser,
    page: &Reply,
    who: &str,
    password: &str,
) -> Reply {
    let challenge = page.hidden("login_challenge").expect("a login page");
    let form =
        [("login_challenge", challenge.as_str()), ("identifier", who), ("password", password)];
    browser.post(&world.url("/oauth2/login"), &form).await.unwrap()
}

blackbox! {
    async fn an_unauthenticated_request_writes_nothing_and_sets_one_cookie(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let before = world.store.snapshot();
        let reply = browser.get(&request("web").url(&world)).await.unwrap();
        let cookies: Vec<&str> =
            reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        assert!(cookies[0].starts_with("auth_browser="), "{cookies:?}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookies[0].contains(attribute), "{cookies:?}");
        }
        // It goes with the window, and a second request of the same browser keeps it.
        assert!(!cookies[0].contains("Max-Age") && !cookies[0].contains("Domain"), "{cookies:?}");
        let page = follow(&world, &browser, reply).await.page();
        assert!(page.hidden("login_challenge").is_some());
        let again = browser.get(&request("web").url(&world)).await.unwrap();
        assert!(page.headers.get("set-cookie").is_none() && again.headers.get("set-cookie").is_none());
        assert_eq!(world.store.since(before).commits, 0);
        answer(&world, &browser, &ALICE, End::Page(page)).await.callback().code();
    }

    async fn a_long_request_is_stored_and_leads_to_its_end(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let reply = browser.get(&long_request().url(&world)).await.unwrap();
        assert!(reply.location().unwrap().as_str().len() < 2000);
        let page = follow(&world, &browser, reply).await.page();
        assert!(page.text().contains(&challenge_of("0")), "the hint is shown");
        // Nobody else's browser gets at it.
        assert_page(&Browser::new().get(page.url.as_str()).await.unwrap(), 403);
        let callback = answer(&world, &browser, &ALICE, End::Page(page)).await.callback();
        Tokens::of(&redeem(&world, WEB, &callback.code()).await);
    }

    async fn long_requests_are_limited_for_each_source(setup: Setup) {
        let proxies = TrustedProxies::parse(["127.0.0.1"]).unwrap();
        let world = World::with(setup, |builder| builder.trusted_proxies(proxies)).await;
        let browser = Browser::new();
        let from = async |source: &str| {
            let get = browser.http().get(long_request().url(&world));
            browser.send(get.header("x-forwarded-for", source)).await.unwrap()
        };
        for _ in 0..30 {
            assert_eq!(from("192.0.2.1").await.status, StatusCode::SEE_OTHER);
        }
        let refused = from("192.0.2.1").await;
        assert_page(&refused, 503);
        assert!(!refused.header("retry-after").is_empty());
        // Others are not held up, nor are requests that need no room.
        assert_eq!(from("192.0.2.2").await.status, StatusCode::SEE_OTHER);
        let short = browser.get(&request("web").url(&world)).await.unwrap();
        assert_eq!(short.status, StatusCode::SEE_OTHER);
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(from("192.0.2.1").await.status, StatusCode::SEE_OTHER);
    }

    async fn a_long_request_that_cannot_be_counted_is_refused(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let asked = long_request().set("prompt", "login");
        for fault in [CommitFault::Unavailable, CommitFault::UnknownNotApplied] {
            world.faults.fail_commit(fault);
            assert_page(&browser.get(&asked.url(&world)).await.unwrap(), 503);
            assert_eq!(world.faults.waiting(), 0);
        }
        open(&world, &browser, &asked.url(&world)).await.page();
    }

    async fn a_request_over_16_kib_is_refused_by_a_page(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let padded = |length: usize| {
            let room = length - request("web").query().len() - "&padding=".len();
            request("web").and("padding", &"x".repeat(room))
        };
        let longest = padded(16 * 1024);
        open(&world, &browser, &longest.url(&world)).await.callback().code();
        let before = world.store.snapshot();
        assert_page(&browser.get(&padded(16 * 1024 + 1).url(&world)).await.unwrap(), 400);
        // Query and body count together.
        let post = browser.http().post(format!("{}?x=1", world.url("/oauth2/auth"))).body(longest.query());
        let post = post.header("content-type", "application/x-www-form-urlencoded");
        assert_page(&browser.send(post).await.unwrap(), 400);
        assert_eq!(world.store.since(before).round_trips(), 0);
    }

    async fn parameters_that_nobody_knows_are_ignored(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let asked = request("web")
            .and("extra", "<script>alert(1)</script>")
            .and("subject", "u-bob")
            .and("granted_scope", "email")
            .and("", "nameless")
            .and("display", "popup")
            .and("claims_locales", "de");
        let callback = open(&world, &browser, &asked.url(&world)).await.callback();
        let names: Vec<&str> = callback.parameters.keys().map(String::as_str).collect();
        assert_eq!(names, ["code", "iss", "state"]);
        let tokens = Tokens::of(&redeem(&world, WEB, &callback.code()).await);
        assert_eq!(claims(&tokens.id)["sub"], "u-alice");
        assert_eq!(tokens.answer["scope"], "openid offline_access");
    }

    async fn every_response_mode_carries_codes_and_errors(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        for (name, value, carried) in [("prompt", "none", "code"), ("scope", "admin", "error")] {
            let asked = request("web").set(name, value);
            let mode = |mode: &str| asked.clone().set("response_mode", mode).url(&world);

            let query = open(&world, &browser, &mode("query")).await.callback();
            assert!(query.url.as_str().starts_with(&format!("{WEB_CALLBACK}?")) && query.url.fragment().is_none());
            assert!(!query.get(carried).is_empty());

            let fragment = open(&world, &browser, &mode("fragment")).await.callback();
            assert!(fragment.url.query().is_none());
            let parameters: Vec<_> = form_urlencoded::parse(fragment.url.fragment().unwrap().as_bytes()).collect();
            for name in [carried, "state", "iss"] {
                assert!(parameters.iter().any(|(known, _)| known == name), "{parameters:?}");
            }

            let page = browser.get(&mode("form_post")).await.unwrap();
            assert_page(&page, 200);
            let html = page.text();
            assert!(html.contains(&format!("<form method=\"post\" action=\"{WEB_CALLBACK}\">")), "{html}");
            assert_eq!(page.hidden("state").as_deref(), Some("state-1234567890"));
            assert_eq!(page.hidden("iss").as_deref(), Some(world.issuer.as_str()));
            let posted = page.hidden(carried).unwrap();
            if carried == "code" {
                Tokens::of(&redeem(&world, WEB, &posted).await);
                Tokens::of(&redeem(&world, WEB, &query.code()).await);
                let (_, code) = parameters.iter().find(|(name, _)| name == "code").unwrap();
                Tokens::of(&redeem(&world, WEB, code).await);
            } else {
                assert_eq!(posted, "invalid_scope");
                assert_eq!(page.hidden("code"), None);
            }
        }
        // What a client sends cannot break out of the page.
        let state = "\"><script>alert(1)</script>";
        let asked = request("web").set("state", state).set("response_mode", "form_post");
        let page = browser.get(&asked.url(&world)).await.unwrap();
        assert!(!page.text().contains("<script>alert"), "{}", page.text());
        assert_eq!(page.hidden("state").unwrap(), "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;");
    }

    async fn an_account_that_is_chosen_goes_on_in_its_session(setup: Setup) {
        let world = World::start(setup).await;
        let browser = settled_browser(&world, "web").await;
        let silent = open(&world, &browser, &request("web").url(&world)).await.callback();
        let before = claims(&Tokens::of(&redeem(&world, WEB, &silent.code()).await).id);
        world.clock.advance(Duration::from_secs(60));

        let choose = request("web").set("prompt", "select_account");
        let page = open(&world, &browser, &choose.url(&world)).await.page();
        assert!(page.text().contains("value=\"continue\"") && page.text().contains("Alice Anders"));
        let challenge = page.hidden("login_challenge").unwrap();
        let form = [("login_challenge", challenge.as_str()), ("action", "continue")];
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        let callback = follow(&world, &browser, reply).await.callback();
        let after = claims(&Tokens::of(&redeem(&world, WEB, &callback.code()).await).id);
        for name in ["sub", "sid", "auth_time"] {
            assert_eq!(after[name], before[name]);
        }

        // Somebody else may sign in there, too, and is somebody else.
        let page = open(&world, &browser, &choose.url(&world)).await;
        let callback = answer(&world, &browser, &BOB, page).await.callback();
        let bobs = claims(&Tokens::of(&redeem(&world, WEB, &callback.code()).await).id);
        assert_eq!(bobs["sub"], "u-bob");
        assert_ne!(bobs["sid"], before["sid"]);
    }

    async fn whoever_says_no_is_sent_back_with_that(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let login = open(&world, &browser, &request("web").url(&world)).await.page();
        let challenge = login.hidden("login_challenge").unwrap();
        let form = [("login_challenge", challenge.as_str()), ("action", "cancel")];
        let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        let callback = follow(&world, &browser, reply).await.callback();
        assert_redirected(&world, &callback, "access_denied");
        assert_eq!(callback.get("state"), "state-1234567890");
        assert_eq!(browser.cookie("auth_session"), None);

        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        let reply = attempt(&world, &browser, &page, "alice", PASSWORD).await;
        let page = follow(&world, &browser, reply).await.page();
        let challenge = page.hidden("consent_challenge").unwrap();
        let form = [("consent_challenge", challenge.as_str()), ("action", "reject")];
        let reply = browser.post(&world.url("/oauth2/consent"), &form).await.unwrap();
        let callback = follow(&world, &browser, reply).await.callback();
        assert_redirected(&world, &callback, "access_denied");
        assert_eq!(callback.get("state"), "state-1234567890");
    }

    async fn a_wrong_password_shows_the_page_again_and_ten_close_it(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        assert!(!page.text().contains("role=\"alert\""));
        for n in 0..10 {
            let who = if n % 2 == 0 { "alice" } else { "ALICE" };
            let reply = attempt(&world, &browser, &page, who, "wrong").await;
            assert_page(&reply, 400);
            assert!(reply.text().contains("role=\"alert\""), "{}", reply.text());
            assert!(reply.text().contains(&format!("value=\"{who}\"")));
            assert!(!reply.text().contains("value=\"wrong\""));
            assert_eq!(reply.hidden("login_challenge"), page.hidden("login_challenge"));
        }
        // Now the right one is of no use, in no browser; other people are let in.
        let other = Browser::new();
        let others = open(&world, &other, &request("web").url(&world)).await.page();
        for (browser, page) in [(&browser, &page), (&other, &others)] {
            let reply = attempt(&world, browser, page, "alice", PASSWORD).await;
            assert_page(&reply, 429);
            assert!(reply.text().contains("role=\"alert\""));
        }
        let bob = attempt(&world, &other, &others, "bob", PASSWORD).await;
        follow(&world, &other, bob).await.page().hidden("consent_challenge").unwrap();
        world.clock.advance(Duration::from_secs(301));
        let reply = attempt(&world, &browser, &page, "alice", PASSWORD).await;
        follow(&world, &browser, reply).await.page().hidden("consent_challenge").unwrap();
    }

    async fn who_does_not_exist_looks_like_who_mistyped(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        let mut answers = Vec::new();
        for who in ["alice", "nobody"] {
            let reply = attempt(&world, &browser, &page, who, "wrong").await;
            assert_page(&reply, 400);
            let text = reply.text().replace(who, "WHO");
            // Each page has a nonce of its own.
            let nonce = text.split_once("nonce=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
            answers.push(text.replace(&nonce, "NONCE"));
        }
        assert_eq!(answers[0], answers[1]);
    }

    async fn a_page_that_was_left_open_too_long_says_so(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        world.clock.advance(Duration::from_secs(30 * 60));
        assert_page(&browser.get(page.url.as_str()).await.unwrap(), 410);
        let before = world.store.snapshot();
        assert_page(&attempt(&world, &browser, &page, "alice", PASSWORD).await, 410);
        assert_eq!(world.store.since(before).commits, 0);
    }
}
