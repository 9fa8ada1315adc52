//! The store or a port is away: nobody is logged out, nothing is lost, everybody is told to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use auth_core::decision::Unavailable;
use auth_core::store::TenantId;
use auth_core::{Denied, Hook, HookCall, Secret};
use auth_testkit::store::CommitFault;
use auth_testkit::{Browser, Reply};
use serde_json::{Value, json};

use crate::flow::*;
use crate::world::World;

const SERVICE_FORM: [(&str, &str); 2] =
    [("grant_type", "client_credentials"), ("scope", "orders:read")];

/// 503 as JSON: nothing is said about the token, so no client throws it away.
fn assert_unavailable(reply: &Reply) {
    assert_refused(reply, 503, "temporarily_unavailable");
    assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1));
    assert_eq!(reply.header("www-authenticate"), "");
    assert!(!reply.text().contains("asked for this fault"), "the cause is for the log");
}

/// Fails as long as it is told to.
#[derive(Debug, Clone, Default)]
struct Moody(Arc<AtomicBool>);

#[async_trait]
impl Hook for Moody {
    async fn call(&self, _: TenantId, call: &HookCall) -> Result<Value, Unavailable> {
        if self.0.load(Ordering::SeqCst) {
            return Err(Unavailable::port("hook", "told to fail"));
        }
        Ok(json!({"asked": call.name}))
    }
}

blackbox! {
    async fn a_store_that_cannot_be_read(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let end = authorize(&world, &browser, &ALICE, &request("web")).await;
        let tokens = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
        let code = code(&world).await;

        let away = || world.faults.fail_read();
        away();
        assert_unavailable(&redeem(&world, WEB, &code).await);
        away();
        assert_unavailable(&refresh(&world, WEB, &tokens.refresh).await);
        away();
        let form = [("token", &*tokens.access)];
        assert_unavailable(&post_as(&world, "/oauth2/introspect", RS, &form).await);
        away();
        assert_unavailable(&post_as(&world, "/oauth2/revoke", WEB, &form).await);
        away();
        assert_unavailable(&userinfo(&world, &tokens.access).await);
        away();
        let bearer = Secret::new(tokens.access.clone());
        let denied = world.provider.authority().bearer(&bearer).await;
        assert!(matches!(denied, Err(Denied::Unavailable(_))));
        // Pages say it to people, and leave their cookies alone.
        let silent = request("web").set("prompt", "none").url(&world);
        for url in [&silent, &world.url("/oauth2/sessions/logout")] {
            away();
            let page = browser.get(url).await.unwrap();
            assert_page(&page, 503);
            assert_eq!(page.header("retry-after"), "1");
            assert!(page.headers.get("set-cookie").is_none());
        }
        assert_eq!(world.faults.waiting(), 0, "every fault was met");

        // Keys are known, so what is public stays public.
        let jwks = Browser::new().get(&world.url("/.well-known/jwks.json")).await.unwrap();
        assert_eq!(jwks.status, 200);
        // And all of it is as it was.
        assert!(is_active(&world, &tokens.access).await);
        Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        Tokens::of(&redeem(&world, WEB, &code).await);
        open(&world, &browser, &request("web").url(&world)).await;
        let session = browser.cookie("auth_session").unwrap();
        let line = http::HeaderValue::from_str(&format!("auth_session={session}")).unwrap();
        let headers = http::HeaderMap::from_iter([(http::header::COOKIE, line)]);
        assert!(world.provider.authority().session(&headers).await.unwrap().is_some());
    }

    async fn a_store_that_cannot_be_written(setup: Setup) {
        let world = World::start(setup).await;
        let tokens = tokens(&world).await;
        let code = code(&world).await;
        let away = || world.faults.fail_commit(CommitFault::Unavailable);
        away();
        assert_unavailable(&token(&world, SVC, &SERVICE_FORM).await);
        away();
        assert_unavailable(&redeem(&world, WEB, &code).await);
        away();
        assert_unavailable(&refresh(&world, WEB, &tokens.refresh).await);
        away();
        let form = [("token", &*tokens.access)];
        assert_unavailable(&post_as(&world, "/oauth2/revoke", WEB, &form).await);
        assert_eq!(world.faults.waiting(), 0);
        // Nothing happened, so it can be done now: the code was not used, nor the refresh token.
        assert!(is_active(&world, &tokens.access).await);
        Tokens::of(&token(&world, SVC, &SERVICE_FORM).await);
        Tokens::of(&redeem(&world, WEB, &code).await);
        Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
        assert_eq!(post_as(&world, "/oauth2/revoke", WEB, &form).await.status, 200);
        assert!(!is_active(&world, &tokens.access).await);
    }

    async fn a_sign_in_that_cannot_be_counted_is_refused(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        let page = open(&world, &browser, &request("web").url(&world)).await.page();
        let challenge = page.hidden("login_challenge").unwrap();
        let form = [
            ("login_challenge", &*challenge),
            ("identifier", ALICE.identifier),
            ("password", ALICE.password),
            ("action", "login"),
        ];
        world.faults.fail_commit(CommitFault::Unavailable);
        let refused = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        assert_page(&refused, 503);
        assert!(browser.cookie("auth_session").is_none());
        // The same page works a moment later.
        let again = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
        let end = follow(&world, &browser, again).await;
        answer(&world, &browser, &ALICE, end).await.callback().code();
    }

    async fn an_answer_of_the_store_that_is_lost(setup: Setup) {
        let world = World::start(setup).await;
        let faults =
            [CommitFault::UnknownApplied, CommitFault::UnknownNotApplied, CommitFault::Conflict];
        for fault in faults {
            let code = code(&world).await;
            world.faults.fail_commit(fault);
            let first = Tokens::of(&redeem(&world, WEB, &code).await);
            world.faults.fail_commit(fault);
            let second = Tokens::of(&refresh(&world, WEB, &first.refresh).await);
            world.faults.fail_commit(fault);
            let own = Tokens::of(&token(&world, SVC, &SERVICE_FORM).await);
            assert_eq!(world.faults.waiting(), 0);
            // What was given is what was stored.
            for token in [&first.access, &second.access, &second.refresh, &own.access] {
                assert!(is_active(&world, token).await, "{fault:?}");
            }
            assert_refused(&redeem(&world, WEB, &code).await, 400, "invalid_grant");
        }
    }

    async fn a_hook_that_fails(setup: Setup) {
        let hook = Moody::default();
        let world = World::with(setup, |builder| builder.claims_hook(hook.clone())).await;
        let tokens = tokens(&world).await;
        assert_eq!(claims(&tokens.id)["asked"], "claims");
        let code = code(&world).await;
        hook.0.store(true, Ordering::SeqCst);
        let before = world.store.snapshot();
        assert_unavailable(&redeem(&world, WEB, &code).await);
        assert_unavailable(&refresh(&world, WEB, &tokens.refresh).await);
        assert_unavailable(&token(&world, SVC, &SERVICE_FORM).await);
        assert_unavailable(&userinfo(&world, &tokens.access).await);
        assert_eq!(world.store.since(before).commits, 0, "nothing was issued");
        hook.0.store(false, Ordering::SeqCst);
        Tokens::of(&redeem(&world, WEB, &code).await);
        Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
    }
}
