//! Limits that all processes count together.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use auth_core::{Attempt, Limited, RateLimiter, StoreRateLimiter, SystemEntropy, TenantId};
use auth_testkit::store::CommitFault;
use auth_testkit::{Browser, Reply};

use crate::caut::CREDENTIALS_GRANT;
use crate::flow::*;
use crate::world::{PASSWORD, SECRET, World};

async fn token_at(base: &str, secret: &str) -> Reply {
    let browser = Browser::new();
    let request = browser.http().post(format!("{base}/oauth2/token"));
    let request = request.basic_auth("svc", Some(secret)).form(&CREDENTIALS_GRANT);
    browser.send(request).await.unwrap()
}

/// A limiter of ten failures a minute, as another process has it.
fn limiter(world: &World) -> StoreRateLimiter {
    let entropy = Arc::new(SystemEntropy::default());
    let limiter =
        StoreRateLimiter::new(world.faults.clone(), Arc::new(world.clock.clone()), entropy);
    limiter.limit(NonZeroU32::new(10).unwrap(), Duration::from_secs(60))
}

blackbox! {
    async fn a_091_failures_at_several_nodes_are_counted_together(setup: Setup) {
        let world = World::start(setup).await;
        let node = world.another_node().await;
        let nodes = [&world.issuer, &node.base];
        for base in nodes {
            Tokens::of(&token_at(base, SECRET).await);
        }
        for nth in 0..StoreRateLimiter::LIMIT.get() as usize {
            assert_refused(&token_at(nodes[nth % 2], "guess").await, 401, "invalid_client");
        }
        for base in nodes {
            let blocked = token_at(base, SECRET).await;
            assert_refused(&blocked, 429, "invalid_client");
            let wait = blocked.header("retry-after").parse::<u64>().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
        }
        // By the clock of the provider, not of the machine.
        world.clock.advance(StoreRateLimiter::WINDOW);
        for base in nodes {
            Tokens::of(&token_at(base, SECRET).await);
        }
    }

    async fn ten_failures_over_two_nodes_block_on_both(setup: Setup) {
        let world = World::start(setup).await;
        let nodes = [limiter(&world), limiter(&world)];
        let app = Attempt::new(TenantId::DEFAULT, "client_authentication", "app");
        let other = Attempt::new(TenantId::DEFAULT, "client_authentication", "other");
        for nth in 0..10 {
            assert!(nodes[nth % 2].admit(&app).await.is_ok(), "{nth}");
            nodes[nth % 2].failed(&app).await;
        }
        for node in &nodes {
            let before = world.store.snapshot();
            assert!(matches!(node.admit(&app).await, Err(Limited::TooMany(_))));
            assert_eq!(world.store.since(before).round_trips(), 1, "a blocked name costs one read");
            assert!(node.admit(&other).await.is_ok());
            assert_eq!(world.store.since(before).round_trips(), 1, "a good one costs nothing");
        }
        // A third one learns it by the first failure.
        let third = limiter(&world);
        assert!(third.admit(&app).await.is_ok());
        third.failed(&app).await;
        assert!(matches!(third.admit(&app).await, Err(Limited::TooMany(_))));
        world.clock.advance(Duration::from_secs(60));
        for node in nodes.iter().chain([&third]) {
            assert!(node.admit(&app).await.is_ok());
        }
    }

    async fn failures_that_cannot_be_counted_do_not_go_on(setup: Setup) {
        let world = World::start(setup).await;
        let limiter = limiter(&world);
        let app = Attempt::new(TenantId::DEFAULT, "client_authentication", "app");
        assert!(limiter.admit(&app).await.is_ok());
        world.faults.fail_commit(CommitFault::Unavailable);
        limiter.failed(&app).await;
        world.faults.fail_read();
        assert!(matches!(limiter.admit(&app).await, Err(Limited::Unavailable(_))));
        assert!(limiter.admit(&app).await.is_ok(), "the store is back");
    }

    async fn who_signs_in_often_is_let_in(setup: Setup) {
        let world = World::start(setup).await;
        let attempt = async |password| {
            let browser = Browser::new();
            let page = open(&world, &browser, &request("web").url(&world)).await.page();
            let challenge = page.hidden("login_challenge").unwrap();
            let form = [
                ("login_challenge", challenge.as_str()),
                ("identifier", "alice"),
                ("password", password),
                ("action", "login"),
            ];
            browser.post(&world.url("/oauth2/login"), &form).await.unwrap().status.as_u16()
        };
        for _ in 0..25 {
            assert_eq!(attempt(PASSWORD).await, 303);
        }
        // That has not bought a guess: it is ten failures all the same.
        for _ in 0..10 {
            assert_eq!(attempt("wrong").await, 400);
        }
        assert_eq!(attempt("wrong").await, 429);
        assert_eq!(attempt(PASSWORD).await, 429);
    }
}
