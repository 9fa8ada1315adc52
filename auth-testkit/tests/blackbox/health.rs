//! Health: what probes are told, on both listeners, and what they cost.

use std::time::{Duration, Instant};

use auth_core::http::{Listener, Request, Response, dispatch};
use auth_oidc::ProviderBuilder;
use auth_testkit::store::Outage;
use auth_testkit::{Browser, Reply};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::flow::*;
use crate::world::World;

async fn get(world: &World, path: &str) -> Reply {
    Browser::new().get(&world.url(path)).await.unwrap()
}

/// The same on the listener for operators.
async fn admin(world: &World, method: Method, path: &str) -> Response {
    let mut request = Request::default();
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    dispatch(&*world.provider.engine(), Listener::Admin, request).await
}

/// Asks until the status is this one, which it must be within moments.
async fn becomes(world: &World, status: u16) -> Reply {
    let begun = Instant::now();
    loop {
        let reply = get(world, "/health/ready").await;
        if reply.status == status {
            return reply;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "still {}", reply.status);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

blackbox! {
    async fn health_is_told_in_the_form_of_orys_servers(setup: Setup) {
        let world = World::start(setup).await;
        for path in ["/health/alive", "/health/ready"] {
            let reply = get(&world, path).await;
            assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"status": "ok"})));
            assert_eq!(reply.header("content-type"), "application/json");
            assert_eq!(reply.header("cache-control"), "no-store");
            let posted = Browser::new().post(&world.url(path), &[]).await.unwrap();
            assert_eq!((posted.status.as_u16(), posted.header("allow")), (405, "GET"));
            assert_eq!(admin(&world, Method::GET, path).await.body(), r#"{"status":"ok"}"#);
        }
        // The version is for operators, and what is for everybody else is not on their listener.
        assert_eq!(get(&world, "/version").await.status, 404);
        let version = admin(&world, Method::GET, "/version").await;
        let version: Value = serde_json::from_slice(version.body()).unwrap();
        assert_eq!(version, json!({"version": env!("CARGO_PKG_VERSION")}));
        assert_eq!(admin(&world, Method::POST, "/oauth2/token").await.status(), 404);
    }

    async fn a_495_a_provider_without_its_store_is_alive_and_not_ready(setup: Setup) {
        let world = World::start(setup).await;
        assert_eq!(get(&world, "/health/ready").await.status, 200);
        for outage in [Outage::All, Outage::Reads, Outage::Stall] {
            world.faults.outage(outage);
            let reply = becomes(&world, 503).await;
            assert_eq!(reply.json(), json!({"errors": {"store": "the store does not answer"}}));
            assert_eq!(get(&world, "/health/alive").await.status, 200);
            // It comes back without anybody's doing.
            world.faults.outage(Outage::None);
            becomes(&world, 200).await;
            tokens(&world).await;
        }
    }

    async fn probes_are_no_load(setup: Setup) {
        let world = World::start(setup).await;
        let begun = Instant::now();
        let before = world.store.snapshot();
        for _ in 0..4 {
            let answers = join_all((0..25).map(|_| get(&world, "/health/ready"))).await;
            assert!(answers.iter().all(|reply| reply.status == 200));
        }
        // One look each half second, by each process if there are three.
        let permitted = 3 * (1 + begun.elapsed().as_millis() / 500);
        let counts = world.store.since(before);
        assert!(u128::from(counts.gets) <= permitted, "{counts:?} for 100 probes");
        assert_eq!(counts.round_trips(), counts.gets);
        // A store that hangs is asked once, not once for each probe.
        world.faults.outage(Outage::Stall);
        tokio::time::sleep(Duration::from_millis(600)).await;
        let begun = Instant::now();
        let answers = join_all((0..25).map(|_| get(&world, "/health/ready"))).await;
        assert!(answers.iter().all(|reply| reply.status == 503));
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }

    async fn an_application_may_have_health_routes_of_its_own(setup: Setup) {
        let world = World::with(setup, ProviderBuilder::without_health_routes).await;
        for path in ["/health/alive", "/health/ready"] {
            assert_eq!(get(&world, path).await.status, 404);
            assert_eq!(admin(&world, Method::GET, path).await.status(), 404);
        }
        assert!(world.provider.readiness().await.is_ready());
        world.faults.outage(Outage::All);
        tokio::time::sleep(Duration::from_millis(600)).await;
        let readiness = world.provider.readiness().await;
        assert!(!readiness.is_ready());
        assert_eq!(readiness.errors.keys().copied().collect::<Vec<_>>(), ["store"]);
    }
}
