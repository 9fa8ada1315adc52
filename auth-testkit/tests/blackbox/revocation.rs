//! Revoking all that a person has, or all that they gave one client.

use auth_oidc::client::{AccessTokenFormat, ClaimMapper};
use auth_testkit::Browser;

use crate::flow::*;
use crate::world::World;

/// Tokens for `web` and for `spa`, and the browser that they came through.
async fn two_grants(world: &World) -> (Browser, Tokens, Tokens) {
    let browser = Browser::new();
    let person = Person { remember_consent: true, ..ALICE };
    let code = authorize(world, &browser, &person, &request("web")).await.callback().code();
    let web = Tokens::of(&redeem(world, WEB, &code).await);
    let code = authorize(world, &browser, &person, &request("spa")).await.callback().code();
    let spa = Tokens::of(&redeem(world, SPA, &code).await);
    (browser, web, spa)
}

blackbox! {
    async fn a_071_a_person_who_is_revoked_has_nothing_left(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, web, spa) = two_grants(&world).await;
        let bob = authorize(&world, &Browser::new(), &BOB, &request("web")).await.callback().code();
        let bob = Tokens::of(&redeem(&world, WEB, &bob).await);
        for token in [&web.access, &web.refresh, &spa.access, &bob.access] {
            assert!(is_active(&world, token).await);
        }
        world.provider.revoke_subject(&"u-alice".into()).await.unwrap();
        for token in [&web.access, &web.refresh, &spa.access, &spa.refresh] {
            assert!(!is_active(&world, token).await);
        }
        assert_refused(&refresh(&world, WEB, &web.refresh).await, 400, "invalid_grant");
        let silent = request("web").set("prompt", "none").url(&world);
        let callback = open(&world, &browser, &silent).await.callback();
        assert_redirected(&world, &callback, "login_required");
        assert!(is_active(&world, &bob.access).await, "somebody else's");

        // Whoever may sign in again begins anew.
        let again = authorize(&world, &browser, &ALICE, &request("web")).await.callback().code();
        let again = Tokens::of(&redeem(&world, WEB, &again).await);
        assert!(is_active(&world, &again.access).await);
    }

    async fn a_060_a_consent_that_is_taken_back_takes_its_codes_and_tokens_along(setup: Setup) {
        let world = World::start(setup).await;
        let (browser, web, spa) = two_grants(&world).await;
        // Remembered, so that a code comes without a question.
        let url = request("web").url(&world);
        let pending = open(&world, &browser, &url).await.callback().code();
        world.provider.revoke_consent(&"u-alice".into(), &"web".into()).await.unwrap();

        assert_refused(&redeem(&world, WEB, &pending).await, 400, "invalid_grant");
        assert_refused(&refresh(&world, WEB, &web.refresh).await, 400, "invalid_grant");
        assert!(!is_active(&world, &web.access).await);
        assert!(is_active(&world, &spa.access).await, "another client's");
        let page = open(&world, &browser, &url).await.page();
        assert!(page.hidden("consent_challenge").is_some(), "the person is asked again");
    }
}

blackbox! {
    async fn a_login_that_was_collected_cannot_bring_back_a_session_that_was_ended(setup: Setup) {
        let world = World::start(setup).await;
        for out_of_sessions in [false, true] {
            let browser = Browser::new();
            authorize(&world, &browser, &ALICE, &request("web")).await.callback();
            // Alice proves who she is once more, in the session that she has; it leads to a question.
            let again = request("web").set("prompt", "login consent");
            let page = open(&world, &browser, &again.url(&world)).await.page();
            let challenge = page.hidden("login_challenge").unwrap();
            let form = [
                ("login_challenge", challenge.as_str()),
                ("identifier", "alice"),
                ("password", crate::world::PASSWORD),
                ("action", "login"),
            ];
            let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
            let collect = reply.location().unwrap();
            for _ in 0..2 {
                let page = open(&world, &browser, collect.as_str()).await.page();
                assert!(page.hidden("consent_challenge").is_some(), "a reload goes on");
            }
            // She leaves; somebody finds the address in the history of this browser.
            if out_of_sessions {
                world.provider.revoke_subject(&"u-alice".into()).await.unwrap();
            } else {
                let ask = world.url("/oauth2/sessions/logout");
                let page = open(&world, &browser, &ask).await.page();
                let challenge = page.hidden("logout_challenge").unwrap();
                let form = [("logout_challenge", challenge.as_str()), ("action", "accept")];
                let reply = browser.post(&world.url("/oauth2/logout"), &form).await.unwrap();
                follow(&world, &browser, reply).await.page();
            }
            let page = open(&world, &browser, collect.as_str()).await.page();
            assert!(page.hidden("consent_challenge").is_none(), "{}", page.text());
            let silent = request("web").set("prompt", "none").url(&world);
            let callback = open(&world, &browser, &silent).await.callback();
            assert_redirected(&world, &callback, "login_required");
        }
    }

    async fn what_a_person_takes_back_is_not_remembered(setup: Setup) {
        let world = World::with(setup, |b| {
            let mut web = crate::world::web();
            web = web.optional_scope("email");
            b.client(web)
        })
        .await;
        let browser = Browser::new();
        let remember = Person { remember_consent: true, ..ALICE };
        let both = request("web").set("scope", "openid email");
        authorize(&world, &browser, &remember, &both).await.callback().code();
        open(&world, &browser, &both.url(&world)).await.callback().code();

        // Asked for more, the person unticks what they had ticked before.
        let without = Person { scopes: Some(vec!["openid", "orders:read"]), ..remember };
        let more = request("web").set("scope", "openid email orders:read");
        let code = authorize(&world, &browser, &without, &more).await.callback().code();
        let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
        assert_eq!(tokens.answer["scope"], "openid orders:read");
        let page = open(&world, &browser, &both.url(&world)).await.page();
        assert!(page.hidden("consent_challenge").is_some(), "email was taken back");
    }

    async fn a_consent_is_for_the_resources_that_were_asked_for(setup: Setup) {
        const ORDERS: &str = "https://orders.example";
        let world =
            World::with(setup, |b| b.client(crate::world::web().audience(ORDERS))).await;
        let (browser, remember) = (Browser::new(), Person { remember_consent: true, ..ALICE });
        authorize(&world, &browser, &remember, &request("web")).await.callback().code();
        open(&world, &browser, &request("web").url(&world)).await.callback().code();
        let orders = request("web").set("resource", ORDERS);
        let page = open(&world, &browser, &orders.url(&world)).await;
        let page = answer(&world, &browser, &remember, page).await.callback();
        let tokens = Tokens::of(&redeem(&world, WEB, &page.code()).await);
        assert_eq!(introspect(&world, &tokens.access).await["aud"], serde_json::json!([ORDERS]));
        for known in [&orders, &request("web")] {
            open(&world, &browser, &known.url(&world)).await.callback().code();
        }
    }

    async fn what_is_past_its_retention_is_swept(setup: Setup) {
        let world = World::start(setup).await;
        let tokens = tokens(&world).await;
        world.provider.worker().run_once().await.unwrap();
        let month = std::time::Duration::from_secs(86_400 * 32);
        assert!(is_active(&world, &tokens.access).await);
        let early = world.provider.sweeper().run_once().await.unwrap();
        world.clock.advance(month);
        let late = world.provider.sweeper().run_once().await.unwrap();
        // Code, session, answers, tokens, family and counters are gone; clients and keys stay.
        assert!(late > early && late >= 6, "{early}, then {late}");
        assert_eq!(world.provider.sweeper().run_once().await.unwrap(), 0);
        Tokens::of(&redeem(&world, WEB, &code(&world).await).await);
    }

    async fn a_late_racer_gets_the_token_that_is_the_last_now(setup: Setup) {
        let world = World::start(setup).await;
        let first = tokens(&world).await.refresh;
        let second = Tokens::of(&refresh(&world, WEB, &first).await).refresh;
        let third = Tokens::of(&refresh(&world, WEB, &second).await).refresh;
        // A slow tab with the first one must not be left with the second, which was used.
        let late = Tokens::of(&refresh(&world, WEB, &first).await).refresh;
        assert_eq!(late, third);
        world.clock.advance(std::time::Duration::from_secs(60));
        Tokens::of(&refresh(&world, WEB, &late).await);
    }

    async fn a_170_a_token_for_another_api_is_refused_at_ours(setup: Setup) {
        const PAYMENTS: &str = "https://payments.example";
        const ORDERS: &str = "https://orders.example";
        let world = World::with(setup, |b| {
            let web = crate::world::web().audience(PAYMENTS).audience(ORDERS);
            b.client(web).audience(ORDERS)
        })
        .await;
        for (resource, good) in [(Some(ORDERS), true), (None, true), (Some(PAYMENTS), false)] {
            let mut asked = request("web");
            if let Some(resource) = resource {
                asked = asked.set("resource", resource);
            }
            let code = authorize(&world, &Browser::new(), &ALICE, &asked).await.callback().code();
            let access = Tokens::of(&redeem(&world, WEB, &code).await).access;
            let bearer = auth_core::Secret::new(access);
            let principal = world.provider.authority().bearer(&bearer).await;
            assert_eq!(principal.is_ok(), good, "{resource:?}: {principal:?}");
        }
    }

    async fn a_170_a_resource_learns_nothing_of_the_person_by_its_tokens(setup: Setup) {
        const PAYMENTS: &str = "https://payments.example";
        for format in [AccessTokenFormat::Opaque, AccessTokenFormat::Jwt] {
            let web = crate::world::web().audience(PAYMENTS).access_token_format(format);
            let mut mapped = web.clone();
            mapped.claim_mappers = vec![ClaimMapper::audience(PAYMENTS)];
            for (client, resource, status) in
                [(&web, None, 200), (&web, Some(PAYMENTS), 401), (&mapped, None, 200)]
            {
                let world = World::with(setup, |b| b.client(client.clone())).await;
                let asked = resource.iter().fold(request("web"), |it, r| it.set("resource", r));
                let code = authorize(&world, &Browser::new(), &ALICE, &asked).await.callback().code();
                let access = Tokens::of(&redeem(&world, WEB, &code).await).access;
                assert_eq!(introspect(&world, &access).await["active"], true);
                let said = userinfo(&world, &access).await;
                assert_eq!(said.status, status, "{format:?} for {resource:?}: {}", said.text());
            }
        }
    }
}
