//! Opening a database, and what stands in the way.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, and so may what it is made of"
)]

mod server;

use std::error::Error;

use auth_postgres::{OpenError, PostgresOptions, PostgresStore};
use server::{commit, console, has, new_name, options, start, url_of};

/// An error and everything that led to it.
fn told(error: &OpenError) -> String {
    let mut told = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    told
}

async fn refused(options: PostgresOptions) -> OpenError {
    match options.connect().await {
        Ok(store) => panic!("{store:?} was opened"),
        Err(error) => {
            println!("{error}");
            error
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_url_is_named() {
    let Some(server) = start("opening with passwords", |setup| setup.password("right-one")) else {
        return;
    };
    options(server.url()).connect().await.unwrap();

    let wrong = url_of(&server, "postgres:wrong-one", "postgres");
    let error = refused(options(&wrong)).await;
    assert!(matches!(&error, OpenError::Refused { role, .. } if role == "postgres"), "{error:?}");
    assert!(!told(&error).contains("wrong-one"), "{}", told(&error));

    let error = refused(options(&url_of(&server, "postgres:right-one", "nowhere"))).await;
    let missing =
        matches!(&error, OpenError::DatabaseMissing { database, .. } if database == "nowhere");
    assert!(missing && error.to_string().contains("createdb nowhere"), "{error}");

    let shown = format!("{:?}", options(server.url()));
    assert!(shown.contains("postgres") && !shown.contains("right-one"), "{shown}");

    // Without a password it is not the network that is in the way.
    let error = refused(options(&url_of(&server, "postgres", "postgres"))).await;
    assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");

    let bad = options(server.url()).schema("Not A Schema");
    assert!(matches!(refused(bad).await, OpenError::InvalidSchema(_)));

    let url = server.url().to_owned();
    drop(server);
    assert!(matches!(refused(options(&url)).await, OpenError::Unreachable { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_would_break_the_contract_is_refused() {
    let Some(server) = start("opening with settings", |setup| setup) else { return };
    let root = console(server.url()).await;
    options(server.url()).connect().await.unwrap();
    for (role, setting, value) in [
        ("isolated", "default_transaction_isolation", "'serializable'"),
        ("hasty", "synchronous_commit", "off"),
        ("reader", "default_transaction_read_only", "on"),
    ] {
        let script = format!(
            "CREATE ROLE {role} LOGIN SUPERUSER; ALTER ROLE {role} SET {setting} = {value}"
        );
        root.batch_execute(&script).await.unwrap();
        let error = refused(options(&url_of(&server, role, "postgres"))).await;
        match &error {
            OpenError::ReadOnly { .. } => {
                assert_eq!(role, "reader");
                let remedy = "ALTER ROLE reader SET default_transaction_read_only = off";
                assert!(error.to_string().contains(remedy), "{error}");
                root.batch_execute(remedy).await.unwrap();
                options(&url_of(&server, role, "postgres")).connect().await.unwrap();
            }
            OpenError::Setting { setting: named, .. } => assert_eq!(*named, setting),
            other => panic!("{other:?}"),
        }
    }
    let hasty = options(&url_of(&server, "hasty", "postgres"));
    hasty.insecure_volatile_store().connect().await.unwrap();

    let ascii = "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0";
    root.execute(ascii, &[]).await.unwrap();
    let error = refused(options(&url_of(&server, "postgres", "ascii"))).await;
    assert!(matches!(error, OpenError::Setting { setting: "server_encoding", .. }), "{error:?}");

    root.batch_execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0").await.unwrap();
    let error = refused(options(&url_of(&server, "crowded", "postgres"))).await;
    assert!(matches!(error, OpenError::TooManyConnections { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_make_the_tables_once() {
    let Some(server) = start("starting at once", |setup| setup) else { return };
    let schema = new_name();
    let mut replicas = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let options = options(server.url()).schema(&schema);
        replicas.spawn(async move { options.connect().await });
    }
    let stores: Vec<PostgresStore> =
        replicas.join_all().await.into_iter().map(Result::unwrap).collect();
    commit(&stores[0], &[1]).await.unwrap();
    assert!(has(&stores[15], 1).await, "they share the tables");
    let root = console(server.url()).await;
    let layouts = root.query_one(&format!("SELECT count(*) FROM {schema}.layout"), &[]).await;
    assert_eq!(layouts.unwrap().get::<_, i64>(0), 1);
    // Opening what is there needs no right to make anything.
    root.batch_execute("CREATE ROLE app LOGIN").await.unwrap();
    let app = || options(&url_of(&server, "app", "postgres")).schema(&schema);
    let error = refused(app()).await;
    assert!(matches!(&error, OpenError::MayNotUse { role, .. } if role == "app"), "{error:?}");
    let (_, remedy) =
        error.to_string().split_once(": ").map(|(a, b)| (a.len(), b.to_owned())).unwrap();
    root.batch_execute(&remedy).await.unwrap();
    commit(&app().connect().await.unwrap(), &[2]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_version_or_program_are_told_apart() {
    let Some(server) = start("versions of the tables", |setup| setup) else { return };
    let root = console(server.url()).await;
    let schema = new_name();
    let open = || options(server.url()).schema(&schema);

    let error = refused(open().migrate(false)).await;
    assert!(matches!(error, OpenError::NotMigrated { .. }), "{error:?}");
    root.batch_execute("CREATE ROLE plain LOGIN").await.unwrap();
    let plain = options(&url_of(&server, "plain", "postgres")).schema(&schema);
    let error = refused(plain).await;
    let named = matches!(&error, OpenError::MayNotMigrate { role, .. } if role == "plain");
    assert!(named, "{error:?}");

    root.batch_execute(&open().migration(0).unwrap()).await.unwrap();
    let store = open().migrate(false).connect().await.unwrap();
    commit(&store, &[1]).await.unwrap();

    // An older one by hand; a newer one that serves this one, as while replicas are upgraded one by one.
    let layout = async |version: i32, usable_from: i32| {
        let set =
            format!("UPDATE {schema}.layout SET version = {version}, usable_from = {usable_from}");
        root.batch_execute(&set).await.unwrap();
    };
    layout(1, 1).await;
    let drop_function = format!("DROP FUNCTION {schema}.commit_2");
    root.batch_execute(&drop_function).await.unwrap();
    let error = refused(open().migrate(false)).await;
    assert!(matches!(&error, OpenError::NotMigrated { found, .. } if found == "1"), "{error:?}");
    root.batch_execute(&open().migration(1).unwrap()).await.unwrap();
    assert!(has(&open().migrate(false).connect().await.unwrap(), 1).await);
    layout(1000, 1).await;
    assert!(has(&open().connect().await.unwrap(), 1).await);
    layout(1000, 1000).await;
    let error = refused(open()).await;
    assert!(matches!(error, OpenError::NewerVersion { found: 1000, .. }), "{error:?}");

    let foreign = new_name();
    root.batch_execute(&format!("CREATE SCHEMA {foreign}; CREATE TABLE {foreign}.record (a int)"))
        .await
        .unwrap();
    let error = refused(options(server.url()).schema(&foreign)).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_takes_no_settings_is_named() {
    let Some(server) = start("opening behind PgBouncer", |setup| setup) else { return };
    if testbed::component("opening behind PgBouncer", "AUTH_TEST_PGBOUNCER").is_none() {
        return;
    }
    let bouncer = testbed::PgBouncer::start(server.url()).unwrap();
    let error = refused(options(bouncer.url())).await;
    let text = error.to_string();
    assert!(matches!(error, OpenError::Pooler { .. }) && text.contains("statement_cache(false)"));
    options(bouncer.url()).statement_cache(false).connect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_can_read_the_tables() {
    let Some(server) = start("the view for people", |setup| setup) else { return };
    let schema = new_name();
    let store = options(server.url()).schema(&schema).connect().await.unwrap();
    commit(&store, &[258]).await.unwrap();
    let other = options(server.url()).connect().await.unwrap();
    assert!(!has(&other, 258).await, "two schemas know nothing of each other");
    let root = console(server.url()).await;
    let row = root
        .query_one(&format!("SELECT class, key, version, value FROM {schema}.record_text"), &[])
        .await
        .unwrap();
    let [class, key, version, value] = [0, 1, 2, 3].map(|at| row.get::<_, String>(at));
    assert_eq!((&*class, &*value), ("main", "{}"));
    assert!(key.starts_with("/row/") && version.len() == 32, "{key} {version}");
}
