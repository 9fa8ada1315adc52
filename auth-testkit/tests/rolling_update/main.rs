//! A rolling update: an earlier version, built from this repository's history, and this one run side by side
//! on one database, and whatever one began the other goes on with.
//!
//! The programs are in the folder that `AUTH_TEST_PREVIOUS` names; `cargo xtask test` builds them from the
//! table `testbed::PREVIOUS`. Both versions make RSA keys, for which this one needs the feature `aws-lc`, as
//! it has in a build of the workspace with all features; alone:
//! `cargo test -p auth-testkit -p auth-oidc --all-features --test rolling_update`.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod node;
mod walk;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use quickstart::demo_client;
use serde_json::Value;
use testbed::{PREVIOUS, Previous, component};

use crate::node::{Nodes, Order};
use crate::walk::{Tokens, Walk};

/// Every version on every backend that it knows, in every order of start.
async fn each(test: &str, body: impl AsyncFn(Nodes)) {
    let Some(folder) = component(test, "AUTH_TEST_PREVIOUS") else { return };
    for previous in PREVIOUS {
        for backend in previous.backends {
            for order in [Order::EarlierFirst, Order::ThisFirst] {
                println!("{} on {backend}, {order:?}", previous.commit);
                let Some(nodes) = start(test, previous, backend, &folder, order).await else {
                    break;
                };
                body(nodes).await;
            }
        }
    }
}

/// `None` without the servers of the backend.
async fn start(
    test: &str,
    previous: &Previous,
    backend: &str,
    folder: &Path,
    order: Order,
) -> Option<Nodes> {
    let program = previous.program(folder);
    let with_redis = match backend {
        "sqlite" => return Some(Nodes::on_sqlite(&program, previous, order).await),
        "postgres" => false,
        "tiered" => true,
        other => panic!("say here how version {} is told to use {other}", previous.commit),
    };
    component(test, "AUTH_TEST_POSTGRES")?;
    if with_redis {
        component(test, "AUTH_TEST_REDIS_SERVER")?;
    }
    Some(Nodes::on_servers(&program, previous, order, with_redis).await)
}

/// The data keys of a new database are of a form that the first versions do not know (decision 24).
#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_version_stays_away_from_a_database_that_this_one_made() {
    let Some(folder) = component("rolling update: new database", "AUTH_TEST_PREVIOUS") else {
        return;
    };
    let strangers = PREVIOUS.iter().filter(|previous| previous.data_keys < Previous::DATA_KEYS);
    for previous in strangers.filter(|previous| previous.backends.contains(&"sqlite")) {
        let said = Nodes::refusal(&previous.program(&folder)).await;
        assert!(said.contains("data keys"), "{}: {said}", previous.commit);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_flow_may_be_another_version_s() {
    each("rolling update: flow", async |nodes| {
        // Each request goes to the version that did not get the one before.
        for first in [0, 1] {
            let walk = Walk::new(&nodes, first);
            let code = walk.sign_in("openid profile email offline_access").await;
            let tokens = walk.redeem(&code).await;
            assert_eq!(walk.userinfo(&tokens).await.json()["sub"], "u-1");
            let next = walk.refresh(&tokens.refresh).await;
            assert_eq!(walk.userinfo(&next).await.json()["email"], "alice@example.com");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_version_issued_is_good_at_the_other() {
    each("rolling update: tokens", async |nodes| {
        for (here, there) in [(0, 1), (1, 0)] {
            let (here, there) = (Walk::only(&nodes, here), Walk::only(&nodes, there));
            let code = here.sign_in("openid offline_access").await;
            let tokens = there.redeem(&code).await;
            for walk in [&here, &there] {
                assert_eq!(walk.userinfo(&tokens).await.status, 200);
                assert_eq!(walk.introspect(&tokens.access).await["active"], true);
                assert_eq!(walk.introspect(&tokens.refresh).await["active"], true);
            }
            // A racer gets the same successor, even when the first one asked the other version.
            let successor = here.refresh(&tokens.refresh).await;
            assert_eq!(there.refresh(&tokens.refresh).await.refresh, successor.refresh);
            let last = there.refresh(&successor.refresh).await;
            assert_revoked_everywhere(&here, &there, &last).await;
        }
    })
    .await;
}

/// Revokes at one version; the other knows at once.
async fn assert_revoked_everywhere(here: &Walk<'_>, there: &Walk<'_>, tokens: &Tokens) {
    assert_eq!(there.introspect(&tokens.access).await["active"], true);
    here.revoke(&tokens.refresh).await;
    for walk in [here, there] {
        assert_eq!(walk.introspect(&tokens.access).await["active"], false);
        assert_eq!(walk.introspect(&tokens.refresh).await["active"], false);
        assert_eq!(walk.userinfo(tokens).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_known_to_both_versions() {
    each("rolling update: sessions", async |nodes| {
        for (here, there) in [(0, 1), (1, 0)] {
            let here = Walk::only(&nodes, here);
            here.sign_in("openid").await;
            let there = here.going_on_at(there);
            let code = there.code_without_a_page().await.expect("the session is known there");
            there.redeem(&code).await;
            // Ended at one, it is ended at the other.
            there.sign_out().await;
            let refused = here.code_without_a_page().await.expect_err("the session has ended");
            assert!(refused.as_str().contains("error=login_required"), "{refused}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_told_by_the_version_that_knows_how() {
    each("rolling update: logout", async |nodes| {
        let told = Arc::<Mutex<Vec<String>>>::default();
        let receive = async |State(told): State<Arc<Mutex<Vec<String>>>>, form: String| {
            told.lock().unwrap().push(form);
        };
        let app = Router::new().route("/logout", post(receive)).with_state(told.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/logout", listener.local_addr().unwrap());
        let client = tokio::spawn(async { axum::serve(listener, app).await });
        let demo = demo_client(&nodes.issuer).backchannel_logout_uri(uri);
        nodes.provider.clients().put(demo).await.unwrap();

        // The earlier version's worker hands on what that version wrote …
        let there = Walk::only(&nodes, 0);
        let code = there.sign_in("openid offline_access").await;
        there.redeem(&code).await;
        there.code_is_refused(&code).await;
        for _ in 0..200 {
            if nodes.log_of_the_earlier().contains("code_reused") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(nodes.log_of_the_earlier().contains("code_reused"));
        let here = Walk::only(&nodes, 1);
        here.sign_in("openid").await;
        here.sign_out().await;
        if nodes.previous.tells_logouts {
            // It tries, and may not talk to this machine: whoever comes next finds the message.
            for _ in 0..300 {
                nodes.provider.worker().run_once().await.unwrap();
                if !told.lock().unwrap().is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        } else {
            // … and leaves what it knows nothing of: to hand it on to the log would be to lose it.
            tokio::time::sleep(Duration::from_secs(3)).await;
            let log = nodes.log_of_the_earlier();
            assert!(!log.contains("logout") && told.lock().unwrap().is_empty(), "{log}");
            let worked = nodes.provider.worker().run_once().await.unwrap();
            assert_eq!(worked.delivered, 1);
        }
        let forms = std::mem::take(&mut *told.lock().unwrap());
        assert!(matches!(&*forms, [form] if form.starts_with("logout_token=")), "{forms:?}");
        client.abort();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_publish_the_same_keys() {
    each("rolling update: keys", async |nodes| {
        let (one, two) = (Walk::only(&nodes, 0), Walk::only(&nodes, 1));
        let kids = async |walk: &Walk<'_>| {
            let set = walk.get("/.well-known/jwks.json").await.json();
            let mut kids: Vec<Value> =
                set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
            kids.sort_by_key(Value::to_string);
            kids
        };
        let published = kids(&one).await;
        assert!(!published.is_empty());
        assert_eq!(published, kids(&two).await);
    })
    .await;
}
