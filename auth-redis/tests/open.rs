//! What is looked at before a server is used, and what is said when it will not do.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod support;

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use auth_redis::{OpenError, RedisOptions, RedisStore};
use auth_store::{Class, CommitError, KeyRange, Scan, Store, StoreError, Sweep, TenantId};
use support::{commit, key, options, put, put_side, server};
use testbed::Redis;

/// All that an error says.
fn told(error: &OpenError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause:?} {cause}"));
        source = cause.source();
    }
    text
}

async fn refusal(options: RedisOptions) -> OpenError {
    options.connect().await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_would_lose_records_is_refused() {
    let Some(server) = server("settings of Redis", Redis::setup()) else { return };
    commit(&options(&server).connect().await.unwrap(), &put("a", "{}")).await.unwrap();
    for (setting, bad, good) in [
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("appendfsync", "everysec", "always"),
        ("no-appendfsync-on-rewrite", "yes", "no"),
        ("appendonly", "no", "yes"),
    ] {
        server.command(&format!("config set {setting} {bad}")).unwrap();
        let error = refusal(options(&server)).await;
        let (OpenError::Setting { setting: named, found, needed, remedy, .. }, text) =
            (&error, told(&error))
        else {
            panic!("{error:?}");
        };
        assert_eq!((*named, found.as_str(), *needed), (setting, bad, good));
        assert!(remedy.ends_with(&format!("config set {setting} {good}")), "{remedy}");
        assert!(text.contains("side_only()") && text.contains("insecure_volatile_store()"));

        let volatile = options(&server).insecure_volatile_store().connect().await.unwrap();
        commit(&volatile, &put("a", "{}")).await.unwrap();
        let side = options(&server).side_only().connect().await;
        assert_eq!(side.is_ok(), setting != "maxmemory-policy", "{setting}: {side:?}");
        // The command is the remedy.
        let command = &remedy[remedy.find("config").unwrap()..];
        server.command(command).unwrap();
        options(&server).connect().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_side_refuses_what_must_last() {
    let Some(server) = server("a store of the side", Redis::setup()) else { return };
    let side = options(&server).side_only().connect().await.unwrap();
    let tenant = TenantId::DEFAULT;
    commit(&side, &put_side("a")).await.unwrap();
    let keys = [key(Class::Side, "a"), key(Class::Main, "a")];
    assert!(side.get(tenant, &keys[..1]).await.unwrap()[0].is_some());
    assert_eq!(side.scan(tenant, &scans(Class::Side)).await.unwrap()[0].records.len(), 1);

    let refused = commit(&side, &put("a", "{}")).await;
    let Err(CommitError::Unavailable(cause)) = refused else { panic!("{refused:?}") };
    assert!(cause.to_string().contains("side_only()"), "{cause}");
    assert!(matches!(side.get(tenant, &keys).await, Err(StoreError::Unavailable(_))));
    let page = side.scan(tenant, &scans(Class::Main)).await;
    assert!(matches!(page, Err(StoreError::Unavailable(_))));
    let range = Sweep::Range { tenant, range: KeyRange::class(Class::Side) };
    assert_eq!(side.sweep(range, 10).await.unwrap().removed, 1);
}

fn scans(class: Class) -> [Scan; 1] {
    [Scan::records(KeyRange::class(class), 10)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_not_shown() {
    let setup = Redis::setup().setting("requirepass", "correct-horse");
    let Some(server) = server("passwords of Redis", setup) else { return };
    let url = |user: &str| server.url().replace("redis://", &format!("redis://{user}"));
    let store = RedisStore::open(&url(":correct-horse@")).await.unwrap();
    assert!(!format!("{store:?}").contains("correct-horse"));
    for user in ["", ":hunter2@", "alice:hunter2@", "alice:correct-horse@"] {
        let options = RedisOptions::from_url(&url(user)).unwrap();
        let shown = format!("{options:?}");
        let error = refusal(options).await;
        assert!(matches!(error, OpenError::Denied { .. }), "{user}: {error:?}");
        let text = shown + &told(&error);
        assert!(!text.contains("hunter2") && !text.contains("correct-horse"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_config_is_used_as_far_as_it_tells() {
    let Some(server) = server("Redis without CONFIG", Redis::setup()) else { return };
    let user = |rules: &str| server.command(&format!("acl setuser app on >pw ~* &* {rules}"));
    let url = server.url().replace("redis://", "redis://app:pw@");
    let app = || RedisOptions::from_url(&url).unwrap();
    user("+@all").unwrap();
    app().connect().await.unwrap();
    user("+@all -config").unwrap();
    let error = refusal(app()).await;
    assert!(
        matches!(error, OpenError::SettingUnreadable { setting: "appendfsync", .. }),
        "{error:?}"
    );
    app().side_only().connect().await.unwrap();
    user("+@all -info").unwrap();
    let error = refusal(app()).await;
    assert!(matches!(error, OpenError::NotPermitted { command: "INFO", .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_refused() {
    let Some(master) = server("a replica of Redis", Redis::setup()) else { return };
    let (ip, port) = (master.address().ip(), master.address().port());
    let replica = Redis::setup().setting("replicaof", &format!("{ip} {port}")).start().unwrap();
    options(&master).connect().await.unwrap();
    let error = refusal(options(&replica)).await;
    assert!(matches!(error, OpenError::Replica { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_of_another_layout_is_refused() {
    let Some(server) = server("layouts of Redis", Redis::setup()) else { return };
    options(&server).namespace("mine").connect().await.unwrap();
    server.command("set {mine}:layout 99").unwrap();
    let error = refusal(options(&server).namespace("mine")).await;
    assert!(matches!(&error, OpenError::OtherLayout { found, .. } if found == "99"), "{error:?}");
    options(&server).namespace("other").connect().await.unwrap();
    let error = refusal(options(&server).namespace("mi}ne")).await;
    assert!(matches!(error, OpenError::InvalidNamespace { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_namespaces_know_nothing_of_each_other() {
    let Some(server) = server("namespaces of Redis", Redis::setup()) else { return };
    let one = options(&server).namespace("one").connect().await.unwrap();
    let two = options(&server).namespace("two").connect().await.unwrap();
    commit(&one, &put("a", "{}")).await.unwrap();
    assert!(support::find(&one, "a").await.is_some());
    assert!(support::find(&two, "a").await.is_none());
    let other = options(&server).namespace("one").connect().await.unwrap();
    assert!(support::find(&other, "a").await.is_some());

    let numbered = |n| RedisOptions::from_url(&format!("{}/{n}", server.url())).unwrap();
    let elsewhere = numbered(3).namespace("one").connect().await.unwrap();
    assert!(support::find(&elsewhere, "a").await.is_none());
    let error = refusal(numbered(99)).await;
    assert!(matches!(error, OpenError::Database { database: 99, .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_single_servers_are_no_cluster() {
    let Some(server) = server("single servers as a cluster", Redis::setup()) else { return };
    let error = refusal(RedisOptions::from_urls([server.url(), server.url()]).unwrap()).await;
    assert!(matches!(error, OpenError::NotACluster { .. }), "{error:?}");
    let no_url: [&str; 0] = [];
    assert!(matches!(RedisOptions::from_urls(no_url), Err(OpenError::NoUrl)));
}

#[tokio::test]
async fn a_469_another_machine_is_not_spoken_to_in_clear() {
    // TEST-NET-1 of RFC 5737: nobody is there, so a refusal at once is one without a packet.
    let url = "redis://:hunter2@192.0.2.1";
    let begun = Instant::now();
    let error = refusal(RedisOptions::from_url(url).unwrap()).await;
    assert!(matches!(error, OpenError::Plaintext { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_millis(500));
    let limit = Duration::from_millis(50);
    let permitted = RedisOptions::from_url(url).unwrap().connect_timeout(limit);
    let error = refusal(permitted.insecure_plaintext()).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refusal(RedisOptions::from_url(&format!("redis://{unused}")).unwrap()).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&unused.to_string()), "{error}");
    let error = refusal(RedisOptions::from_url("unix:///nowhere/redis.sock").unwrap()).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
}

/// A server that answers whatever it is asked: INFO by `info`, anything else by an error.
fn pretender(info: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            // A command is an array: `*3`, then a length and a text for each of its words.
            while lines.read_line(&mut line).unwrap_or(0) > 0 {
                let words: usize = line.trim()[1..].parse().unwrap();
                line.clear();
                for _ in 0..2 * words {
                    lines.read_line(&mut line).unwrap();
                }
                let answer = if line.contains("INFO\r\n") && !line.contains("SETINFO") {
                    format!("${}\r\n{info}\r\n", info.len())
                } else {
                    "-LOADING Redis is loading the dataset in memory\r\n".to_owned()
                };
                line.clear();
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_is_too_old_or_loading_is_refused() {
    let old = pretender("redis_version:6.2.14\r\nrole:master\r\n");
    let error = refusal(RedisOptions::from_url(&old).unwrap()).await;
    assert!(matches!(&error, OpenError::TooOld { found, .. } if found == "6.2.14"), "{error:?}");
    let loading = pretender("redis_version:7.0.15\r\nrole:master\r\nloading:1\r\n");
    let error = refusal(RedisOptions::from_url(&loading).unwrap()).await;
    assert!(matches!(error, OpenError::Loading { .. }), "{error:?}");
}
