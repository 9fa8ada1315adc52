//! A cluster whose masters die and whose slots move.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod support;

use std::time::Duration;

use auth_redis::{OpenError, RedisOptions, RedisStore};
use auth_store::{Class, CommitError, Queue, Store, StoreError, TenantId, Timestamp};
use support::{key, put, put_new};
use testbed::{Redis, RedisCluster};

fn cluster(test: &str) -> Option<RedisCluster> {
    testbed::component(test, "AUTH_TEST_REDIS_SERVER")?;
    Some(tokio::task::block_in_place(RedisCluster::start).unwrap())
}

fn options(cluster: &RedisCluster) -> RedisOptions {
    let urls = cluster.urls();
    let options = RedisOptions::from_urls(urls.iter().map(String::as_str)).unwrap();
    options.response_timeout(Duration::from_secs(2))
}

/// Tenants, with one at least in the slots of each master.
fn tenants() -> Vec<TenantId> {
    (0..12).map(|n| TenantId::new(&format!("t{n}")).unwrap()).collect()
}

/// The master that has the keys of a tenant.
fn owner(cluster: &RedisCluster, tenant: TenantId) -> usize {
    let name = format!("{{auth:{tenant}}}:records");
    let has = |master: &Redis| master.command(&format!("exists {name}")).is_ok_and(|n| n == ":1");
    cluster.masters().iter().position(has).unwrap()
}

async fn fill(store: &RedisStore) {
    for tenant in tenants() {
        store.commit(tenant, &put("a", "1")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_leads_to_all_of_them() {
    let Some(cluster) = cluster("a cluster by one node") else { return };
    let store = RedisStore::open(cluster.masters()[1].url()).await.unwrap();
    fill(&store).await;
    let mut owners: Vec<usize> = tenants().iter().map(|t| owner(&cluster, *t)).collect();
    owners.sort_unstable();
    owners.dedup();
    assert_eq!(owners, [0, 1, 2]);
    for tenant in tenants() {
        let found = store.get(tenant, &[key(Class::Main, "a")]).await.unwrap();
        assert!(found[0].is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_master_must_keep_what_is_promised() {
    let Some(cluster) = cluster("settings of a cluster") else { return };
    options(&cluster).connect().await.unwrap();
    cluster.masters()[2].command("config set appendfsync no").unwrap();
    let error = options(&cluster).connect().await.unwrap_err();
    let third = cluster.masters()[2].address().to_string();
    let OpenError::Setting { address, setting, .. } = &error else { panic!("{error:?}") };
    assert_eq!((address, *setting), (&third, "appendfsync"));
    let numbered = RedisOptions::from_url(&format!("{}/1", cluster.masters()[0].url())).unwrap();
    let error = numbered.connect().await.unwrap_err();
    assert!(matches!(error, OpenError::Database { database: 1, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_dies_takes_its_own_tenants_only() {
    let Some(mut cluster) = cluster("a master of a cluster dies") else { return };
    for master in cluster.masters() {
        master.command("config set cluster-require-full-coverage no").unwrap();
    }
    let store = options(&cluster).connect().await.unwrap();
    fill(&store).await;
    let victim = owner(&cluster, tenants()[0]);
    let owners: Vec<usize> = tenants().iter().map(|t| owner(&cluster, *t)).collect();
    tokio::task::block_in_place(|| cluster.master_mut(victim).unwrap().kill()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (tenant, owner) in tenants().into_iter().zip(&owners) {
        let outcome = store.commit(tenant, &put("a", "2")).await;
        if *owner == victim {
            assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
            let read = store.get(tenant, &[key(Class::Main, "a")]).await;
            assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        } else {
            outcome.unwrap();
        }
    }
    tokio::task::block_in_place(|| cluster.master_mut(victim).unwrap().start_again()).unwrap();
    for (tenant, owner) in tenants().into_iter().zip(owners) {
        let mut found = store.get(tenant, &[key(Class::Main, "a")]).await;
        // It may take a moment until the others believe that it is back.
        for _ in 0..100 {
            if found.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            found = store.get(tenant, &[key(Class::Main, "a")]).await;
        }
        let value = found.unwrap()[0].clone().unwrap().value;
        assert_eq!(&*value, if owner == victim { "1" } else { "2" });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_moves_is_followed_and_no_commit_is_lost_or_doubled() {
    let Some(cluster) = cluster("slots of a cluster move") else { return };
    let store = options(&cluster).connect().await.unwrap();
    fill(&store).await;
    let tenant = tenants()[0];
    let (from, records) = (owner(&cluster, tenant), format!("{{auth:{tenant}}}:records"));
    let into = (from + 1) % 3;
    let [source, target] = [from, into].map(|nth| &cluster.masters()[nth]);
    let slot = source.command(&format!("cluster keyslot {records}")).unwrap();
    let slot = slot.trim_start_matches(':').to_owned();
    let [source_id, target_id] = [source, target].map(|node| node.command("cluster myid").unwrap());

    target.command(&format!("cluster setslot {slot} importing {source_id}")).unwrap();
    source.command(&format!("cluster setslot {slot} migrating {target_id}")).unwrap();
    // Half way: a record that is here is read here, and a commit, which needs all keys, is refused whole
    // until they are together, or follows them.
    let keys = ["records", "order"].map(|part| format!("{{auth:{tenant}}}:{part}"));
    migrate(source, target, &keys[..1]);
    let begun = std::time::Instant::now();
    let outcome = store.commit(tenant, &put("a", "2")).await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    let moved = store.get(tenant, &[key(Class::Main, "a")]).await.unwrap();
    assert_eq!(&*moved[0].clone().unwrap().value, "1", "a record was not followed");
    migrate(source, target, &keys[1..]);
    migrate(source, target, &[format!("{{auth:{tenant}}}:registered")]);
    for node in [target, source] {
        node.command(&format!("cluster setslot {slot} node {target_id}")).unwrap();
    }
    store.commit(tenant, &put("a", "3")).await.unwrap();
    assert_eq!(owner(&cluster, tenant), into);
    let again = store.commit(tenant, &put_new("a")).await;
    assert!(matches!(again, Err(CommitError::Conflict(_))), "{again:?}");
    // Those that go over all tenants find it too.
    assert!(store.due(Queue::Jobs, Timestamp::MAX, 0..256, 10).await.unwrap().is_empty());
}

fn migrate(source: &Redis, target: &Redis, keys: &[String]) {
    let (ip, port) = (target.address().ip(), target.address().port());
    for key in keys {
        let answer = source.command(&format!("migrate {ip} {port} {key} 0 5000")).unwrap();
        assert_eq!(answer, "+OK");
    }
}
