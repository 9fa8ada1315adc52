//! What somebody can do who reads the database, or writes to it.

use std::collections::{BTreeSet, HashSet};

use auth_core::decision::Rng;
use auth_core::keys::SigningAlgorithm;
use auth_core::seal::{DeploymentSecrets, LoadDataKeys, Purpose};
use auth_core::store::limits::MAX_BATCH_BYTES;
use auth_core::store::{
    Batch, BatchBuilder, Class, CommitId, Cursor, Direction, IndexEntry, InvalidBatch, Key,
    KeyRange, Main, MemoryStore, NewRecord, Record, Scan, ScanRange, Store, TenantId, Timestamp,
    Want, When, Write,
};
use auth_core::{Clock, Entropy, MemoryDirectory, PasswordHasher, SystemEntropy};
use auth_oidc::Provider;
use auth_oidc::client::Client;
use auth_testkit::Browser;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use testbed::Backend;

use crate::caut::without_limits;
use crate::flow::*;
use crate::world::{PASSWORD, SECRET, World};

/// Every record of a tenant, of both classes.
async fn dump(store: &dyn Store, tenant: TenantId) -> Vec<Record> {
    let mut records = Vec::new();
    for class in [Class::Main, Class::Side] {
        let mut scan = Scan::records(KeyRange::class(class), 100);
        loop {
            let page = store.scan(tenant, std::slice::from_ref(&scan)).await.unwrap().remove(0);
            records.extend(page.records);
            let Some(next) = page.next else { break };
            scan = scan.after(next);
        }
    }
    records
}

async fn of_kind(store: &dyn Store, tenant: TenantId, kind: &str) -> Vec<Record> {
    dump(store, tenant).await.into_iter().filter(|record| record.key.kind() == kind).collect()
}

/// Writes a record past every rule, as somebody does who has the database.
pub async fn write(store: &dyn Store, tenant: TenantId, key: &Key, value: &str) {
    let mut id = [0; 16];
    SystemEntropy::default().fill(&mut id).unwrap();
    let record = NewRecord {
        key: key.clone(),
        value: value.into(),
        index: Vec::new(),
        keep_until: None,
        due: None,
    };
    let put = Write::Put { record, when: When::Any, old_index: Vec::new() };
    let batch = Batch::builder::<Main>(CommitId::from_bytes(id), Timestamp::EPOCH).write(put);
    store.commit(tenant, &batch.build().unwrap()).await.unwrap();
}

/// Every text that somebody may take from a record: its strings, its members' names, and its key.
fn texts(record: &Record, texts: &mut BTreeSet<String>) {
    fn walk(value: &Value, texts: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => {
                texts.insert(text.clone());
                if let Ok(inner) = serde_json::from_str::<Value>(text) {
                    walk(&inner, texts);
                }
            }
            Value::Array(many) => many.iter().for_each(|value| walk(value, texts)),
            Value::Object(map) => {
                texts.extend(map.keys().cloned());
                map.values().for_each(|value| walk(value, texts));
            }
            other => {
                texts.insert(other.to_string());
            }
        }
    }
    walk(&serde_json::from_str(&record.value).unwrap(), texts);
    let key = record.key.as_bytes();
    texts.insert(URL_SAFE_NO_PAD.encode(key));
    // The parts of a key: digests, identifiers.
    for part in record.key.parts() {
        texts.insert(URL_SAFE_NO_PAD.encode(&part));
        texts.extend(String::from_utf8(part));
    }
}

blackbox! {
    async fn a_460_nothing_in_the_database_is_worth_anything_outside(setup: Setup) {
        let world = World::with(setup, |builder| builder.rate_limiter(without_limits())).await;
        let browser = Browser::new();
        let person = Person { remember: true, remember_consent: true, ..ALICE };
        let end = authorize(&world, &browser, &person, &request("web")).await;
        let first = Tokens::of(&redeem(&world, WEB, &end.callback().code()).await);
        let tokens = Tokens::of(&refresh(&world, WEB, &first.refresh).await);
        let pending = open(&world, &browser, &request("web").url(&world)).await.callback().code();
        let page = open(&world, &browser, &request("web").set("prompt", "login").url(&world)).await;
        let challenge = page.page().hidden("login_challenge").unwrap();
        let session = browser.cookie("auth_session").unwrap();
        assert_eq!(userinfo(&world, &tokens.access).await.status, 200);

        let records = dump(&*world.store, TenantId::DEFAULT).await;
        let kinds: BTreeSet<&str> = records.iter().map(|record| record.key.kind()).collect();
        for kind in ["authorization_code", "access_token", "refresh_family", "client", "data_keys"] {
            assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
        }
        let whole: String = records.iter().map(|record| &*record.value).collect();
        let values = [
            &first.access, &first.refresh, &tokens.access, &tokens.refresh, &tokens.id, &pending,
            &challenge, &session,
        ];
        for value in values.into_iter().map(String::as_str).chain([SECRET, PASSWORD]) {
            let random = value.split_once('_').map_or(value, |(_, random)| random);
            for part in [value, random] {
                assert!(!whole.contains(part), "{part} stands in the database");
            }
        }

        let mut found = BTreeSet::new();
        records.iter().for_each(|record| texts(record, &mut found));
        // As it is, and in the clothes of each kind of value.
        let long = found.iter().filter(|text| text.len() >= 16);
        let dressed = long.flat_map(|text| ["ac_", "at_", "rt_", "se_", "cs_"].map(|p| format!("{p}{text}")));
        let all: Vec<String> = found.iter().cloned().chain(dressed).filter(|t| !t.is_empty()).collect();
        assert!(all.len() > 200, "{} texts", all.len());
        let printable = |text: &&String| text.bytes().all(|b| b.is_ascii_graphic());
        let tried: Vec<&String> = all.iter().filter(printable).collect();
        let world = &world;
        stream::iter(tried.iter().copied()).for_each_concurrent(16, async |text| {
            assert_eq!(userinfo(world, text).await.status.as_u16() / 100, 4, "{text}");
            assert!(!is_active(world, text).await, "{text}");
            assert_refused(&redeem(world, WEB, text).await, 400, "invalid_grant");
            assert_refused(&refresh(world, WEB, text).await, 400, "invalid_grant");
            let form = [("grant_type", "client_credentials"), ("scope", "orders:read")];
            assert_refused(&token(world, By::Basic("svc", text), &form).await, 401, "invalid_client");
        })
        .await;
        let silent = request("web").set("prompt", "none").url(world);
        for text in tried.iter().filter(|text| !text.contains([';', ',', '"', '\\'])) {
            let stranger = Browser::new();
            stranger.set_cookie("auth_session", text);
            stranger.set_cookie("auth_browser", text);
            let callback = open(world, &stranger, &silent).await.callback();
            assert_redirected(world, &callback, "login_required");
        }
        // What was really given out is as good as before.
        Tokens::of(&redeem(world, WEB, &pending).await);
        Tokens::of(&refresh(world, WEB, &tokens.refresh).await);
        open(world, &browser, &silent).await.callback().code();
    }

    async fn a_462_a_code_that_is_put_back_is_not_redeemed_again(setup: Setup) {
        let world = World::start(setup).await;
        let code = code(&world).await;
        let tenant = TenantId::DEFAULT;
        let before = of_kind(&*world.store, tenant, "authorization_code").await;
        assert_eq!(before.len(), 1);
        let tokens = Tokens::of(&redeem(&world, WEB, &code).await);
        // The record of the code alone is brought back from a backup: the grant that it led to is there.
        write(&*world.store, tenant, &before[0].key, &before[0].value).await;
        let again = redeem(&world, WEB, &code).await;
        assert!(again.status.is_client_error() || again.status == 503, "{}", again.text());
        assert!(!again.text().contains("access_token"));
        // And nothing is lost by it.
        assert!(is_active(&world, &tokens.access).await);
    }

    async fn a_465_no_text_is_longer_than_a_driver_can_count(setup: Setup) {
        let world = World::start(setup).await;
        let form = [("grant_type", "client_credentials"), ("scope", "orders:read")];
        Tokens::of(&token(&world, SVC, &form).await);
        let before = world.store.snapshot();
        let long = "a".repeat(512 * 1024);
        let reply = token(&world, SVC, &[form[0], ("scope", &*long)]).await;
        assert_eq!(reply.status, 413, "{}", reply.text());
        assert_eq!(world.store.since(before).round_trips(), 0);
    }
}

#[test]
fn a_465_a_batch_is_never_larger_than_a_mebibyte() {
    let put = |len: usize| {
        let record = NewRecord {
            key: Key::builder(Class::Main, "x").build().unwrap(),
            value: "a".repeat(len).into(),
            index: Vec::new(),
            keep_until: None,
            due: None,
        };
        let put = Write::Put { record, when: When::Any, old_index: Vec::new() };
        let id = CommitId::from_bytes([1; 16]);
        Batch::builder::<Main>(id, Timestamp::EPOCH).write(put).build()
    };
    assert!(put(MAX_BATCH_BYTES - 100).is_ok());
    assert!(matches!(put(MAX_BATCH_BYTES), Err(InvalidBatch::TooManyBytes(_))));
}

/// What building a provider of a tenant comes to.
async fn build(store: &std::sync::Arc<MemoryStore>, tenant: TenantId) -> Result<Provider, String> {
    let builder = Provider::builder("http://127.0.0.1:4444")
        .development()
        .tenant(tenant)
        .shared_store(store.clone())
        .pages(auth_ui::DefaultPages::new())
        .directory(MemoryDirectory::new(PasswordHasher::default()))
        .signing_keys(|keys| {
            keys.algorithms = vec![SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
        })
        .client(Client::service("svc", SECRET).scope("openid"));
    builder.build().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_461_what_is_sealed_in_one_row_opens_in_no_other() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let (a, b) = (TenantId::new("a").unwrap(), TenantId::new("b").unwrap());
    for tenant in [a, b] {
        build(&store, tenant).await.unwrap();
    }
    // The data keys of one tenant under the name of another.
    let theirs = of_kind(&*store, a, "data_keys").await.remove(0);
    let ours = of_kind(&*store, b, "data_keys").await.remove(0);
    write(&*store, b, &ours.key, &theirs.value).await;
    let told = build(&store, b).await.unwrap_err();
    assert!(told.contains("data keys cannot be loaded"), "{told}");
    build(&store, a).await.expect("the other tenant does not notice");
    write(&*store, b, &ours.key, &ours.value).await;
    build(&store, b).await.expect("as it was");

    // Two private keys of one tenant, each under the other's name.
    let set = of_kind(&*store, b, "signing_keys").await.remove(0);
    let mut value: Value = serde_json::from_str(&set.value).unwrap();
    let keys = value["value"]["keys"].as_array_mut().unwrap();
    let first = keys[0]["sealed"].clone();
    keys[0]["sealed"] = keys[1]["sealed"].clone();
    keys[1]["sealed"] = first;
    write(&*store, b, &set.key, &value.to_string()).await;
    let told = build(&store, b).await.unwrap_err();
    assert!(told.contains("signing keys cannot be loaded"), "{told}");
    write(&*store, b, &set.key, &set.value).await;
    build(&store, b).await.expect("as it was");
}

/// In every place where a store takes a text or bytes: it is found again as it was, and nothing else is.
#[tokio::test]
async fn a_464_what_reads_like_a_statement_is_a_value() {
    const STATEMENTS: [&str; 4] = [
        "'; DROP TABLE record; --",
        "\" OR 1=1; DELETE FROM auth.record WHERE ''='",
        "\\'); redis.call('FLUSHALL') --",
        "$1 ?1 :a @b %s {0} \0 \u{feff}",
    ];
    let key = |text: &str| Key::builder(Class::Main, "thing").text(text).build().unwrap();
    for backend in Backend::ALL {
        let Some(database) = backend.database().await else { continue };
        let store = database.open().await;
        let tenant = TenantId::new("a--b_1").unwrap();
        let put = |text: &str| {
            let record = NewRecord {
                key: key(text),
                value: serde_json::to_string(text).unwrap().into(),
                index: vec![IndexEntry::new("thing_by_text", text.as_bytes())],
                keep_until: None,
                due: None,
            };
            Write::Put { record, when: When::Absent, old_index: Vec::new() }
        };
        let now = auth_core::SystemClock::default().now();
        let batch = Batch::builder::<Main>(CommitId::from_bytes([7; 16]), now);
        let batch = STATEMENTS.iter().map(|text| put(text)).fold(batch, BatchBuilder::write);
        store.commit(tenant, &batch.build().unwrap()).await.unwrap();
        let all = store.get(tenant, &STATEMENTS.map(key)).await.unwrap();
        for (text, record) in STATEMENTS.iter().zip(all) {
            let value: String = serde_json::from_str(&record.unwrap().value).unwrap();
            assert_eq!(value, **text, "{}", backend.name());
            let range = ScanRange::Index {
                name: "thing_by_text",
                start: text.as_bytes().into(),
                end: [text.as_bytes(), &[0]].concat().into(),
            };
            let page = |after| Scan {
                range: range.clone(),
                direction: Direction::Ascending,
                limit: 10,
                after,
                skip: 0,
                want: Want::Records,
            };
            let found = &store.scan(tenant, &[page(None)]).await.unwrap()[0];
            assert_eq!(found.records.len(), 1, "{}: {text}", backend.name());
            // As a cursor it stands after itself.
            let cursor = Cursor { bytes: text.as_bytes().into(), key: key(text) };
            let after = &store.scan(tenant, &[page(Some(cursor))]).await.unwrap()[0];
            assert!(after.records.is_empty(), "{}: {text}", backend.name());
        }
        let whole = Scan::records(Key::builder(Class::Main, "thing").range(), 100);
        assert_eq!(store.scan(tenant, &[whole]).await.unwrap()[0].records.len(), STATEMENTS.len());
    }
}

#[tokio::test]
async fn a_463_no_nonce_is_used_twice() {
    let (store, entropy) = (MemoryStore::new(), SystemEntropy::default());
    let secrets = DeploymentSecrets::ephemeral().unwrap();
    let now = auth_core::SystemClock::default().now();
    let loader = LoadDataKeys::new(&store, &secrets, &entropy);
    let keys = loader.load(TenantId::DEFAULT, now).await.unwrap();
    let (purpose, mut nonces) = (Purpose::new("any"), HashSet::new());
    // A new source for each decision, as requests have it; and some decisions seal more than once.
    for _ in 0..250_000 {
        let mut seed = [0; 32];
        entropy.fill(&mut seed).unwrap();
        let mut rng = Rng::from_seed(&seed);
        for _ in 0..4 {
            let sealed = keys.seal(&mut rng, purpose, &[], b"x");
            let blob = URL_SAFE_NO_PAD.decode(sealed).unwrap();
            let nonce: [u8; 12] = blob[1..13].try_into().unwrap();
            assert!(nonces.insert(nonce), "a nonce was used twice");
        }
    }
    assert_eq!(nonces.len(), 1_000_000);
}
