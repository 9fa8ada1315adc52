//! Three replicas behind a real nginx on one PostgreSQL: two on axum, one on actix-web, each with its own
//! caches. The whole suite runs there as well, by the name `replicas_postgres`; here stands what one node
//! cannot show.

use std::collections::HashSet;
use std::time::Duration;

use auth_testkit::Browser;
use futures_util::future::join_all;

use crate::flow::*;
use crate::world::{ONE_NODE_ONLY, Setup, World};

/// How long a node may go by its copy of a client.
const COPY: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k_15_three_replicas_behind_nginx_pass_the_suite_and_share_every_step_of_a_flow() {
    let Some(setup) = Setup::replicas(module_path!()) else { return };
    let world = World::start(setup).await;
    let browser = Browser::new();
    let end = authorize(&world, &browser, &ALICE, &request("web")).await;
    let tokens = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
    let next = Tokens::of(&refresh(&world, WEB, &tokens.refresh).await);
    // As often as there are nodes: whoever is asked, the answer is the same.
    for _ in 0..3 {
        assert!(is_active(&world, &next.access).await);
        assert_eq!(userinfo(&world, &next.access).await.json()["sub"], "u-alice");
    }
    let revoked = post_as(&world, "/oauth2/revoke", WEB, &[("token", &next.refresh)]).await;
    assert_eq!(revoked.status, 200);
    for _ in 0..3 {
        assert!(!is_active(&world, &next.access).await);
        assert_eq!(userinfo(&world, &next.access).await.status, 401);
    }
    // No step was answered where the step before it was.
    let turns = world.nginx.as_ref().unwrap().turns().unwrap();
    assert!(turns.len() > 15, "{turns:?}");
    assert!(turns.windows(2).all(|pair| pair[0] != pair[1]), "{turns:?}");
    assert_eq!(turns.iter().collect::<HashSet<_>>().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k_15_one_of_many_replicas_redeems_a_code() {
    let Some(setup) = Setup::replicas(module_path!()) else { return };
    let world = World::start(setup).await;
    let code = code(&world).await;
    let answers = join_all((0..12).map(|_| redeem(&world, WEB, &code))).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_refused(refused, 400, "invalid_grant");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k_15_a_client_disabled_at_one_replica_is_soon_refused_at_all() {
    let Some(setup) = Setup::replicas(module_path!()) else { return };
    let world = World::start(setup).await;
    let ask = async || token(&world, SVC, &[("grant_type", "client_credentials")]).await;
    for _ in 0..3 {
        assert_eq!(ask().await.status, 200);
    }
    world.provider.clients().disable(&"svc".into()).await.unwrap();
    world.clock.advance(COPY + Duration::from_secs(1));
    for _ in 0..3 {
        assert_refused(&ask().await, 401, "invalid_client");
    }
}

#[test]
fn every_test_of_one_node_exists() {
    for (listed, _) in ONE_NODE_ONLY {
        let (module, test) = listed.split_once("::").unwrap_or((listed, "mod"));
        let file = format!("{}/tests/blackbox/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(&file).unwrap();
        let is_there = test == "mod" || source.contains(&format!("async fn {test}("));
        assert!(is_there, "{listed} is not a test any more: take it off the list");
    }
}
