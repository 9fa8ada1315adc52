//! Sealing: what was made for one thing opens as nothing else.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

use std::sync::Arc;

use auth_core::decision::{Rng, Work};
use auth_core::keys::{SigningAlgorithm, SigningKey};
use auth_core::record::Tag;
use auth_core::seal::{
    Artefact, DataKeys, DataKeysUnusable, DeploymentSecrets, Handle, Lineage, LoadDataKeys,
    Purpose, SealError, WeakSecret,
};
use auth_core::store::{
    Batch, Class, CommitId, KeyRange, Main, MemoryStore, NewRecord, Record, Scan, When, Write,
};
use auth_core::{
    Entropy, GrantId, Issuer, Secret, SessionId, Store, SystemEntropy, Tenant, TenantId, Timestamp,
};
use auth_testkit::store::{CommitFault, FaultyStore};
use auth_testkit::{SeededEntropy, TestClock};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const OLD: &str = "an old secret of the operator, 32+ bytes";
const NEW: &str = "a new secret of the operator, 32+ bytes";
const ANY: Purpose = Purpose::new("any");
const ALL: [Artefact; 4] =
    [Artefact::AuthorizationCode, Artefact::AccessToken, Artefact::RefreshToken, Artefact::Session];

fn secrets(list: &[&str]) -> DeploymentSecrets {
    DeploymentSecrets::new(list.iter().copied().map(Secret::from)).unwrap()
}

async fn load_as(
    store: &dyn Store,
    tenant: TenantId,
    list: &[&str],
) -> Result<DataKeys, DataKeysUnusable> {
    let (secrets, entropy) = (secrets(list), SystemEntropy::default());
    LoadDataKeys::new(store, &secrets, &entropy).load(tenant, now()).await
}

async fn load(store: &dyn Store, list: &[&str]) -> Result<DataKeys, DataKeysUnusable> {
    load_as(store, TenantId::DEFAULT, list).await
}

async fn some_keys() -> DataKeys {
    load(&MemoryStore::new(), &[OLD]).await.unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_secs(1_800_000_000).unwrap()
}

fn rng() -> Rng {
    Rng::from_seed(&[3; 32])
}

/// Two sets of keys are the same if they name the same thing alike.
fn name(keys: &DataKeys) -> [u8; 16] {
    keys.lookup(ANY, &[b"x"])
}

async fn record(store: &dyn Store) -> Record {
    let range = KeyRange::class(Class::Main);
    let pages = store.scan(TenantId::DEFAULT, &[Scan::records(range, 9)]).await.unwrap();
    assert_eq!(pages[0].records.len(), 1);
    pages[0].records[0].clone()
}

async fn put(store: &dyn Store, tenant: TenantId, record: &Record, value: &str) {
    let record = NewRecord {
        key: record.key.clone(),
        value: value.into(),
        index: Vec::new(),
        keep_until: None,
        due: None,
    };
    let put = Write::Put { record, when: When::Any, old_index: Vec::new() };
    // Each time by another commit.
    let mut id = [0; 16];
    SystemEntropy::default().fill(&mut id).unwrap();
    let batch = Batch::builder::<Main>(CommitId::from_bytes(id), now()).write(put);
    store.commit(tenant, &batch.build().unwrap()).await.unwrap();
}

#[test]
fn secrets_that_are_none_are_refused() {
    assert_eq!(DeploymentSecrets::new([]).unwrap_err(), WeakSecret::None);
    let list = [Secret::from(OLD), Secret::new("x".repeat(31))];
    let error = DeploymentSecrets::new(list).unwrap_err();
    assert_eq!(error, WeakSecret::TooShort { at: 2, len: 31 });
}

#[tokio::test]
async fn two_processes_make_the_keys_once() {
    for _ in 0..20 {
        let store = MemoryStore::new();
        let (a, b) = tokio::join!(load(&store, &[OLD]), load(&store, &[OLD]));
        let again = load(&store, &[OLD]).await.unwrap();
        assert_eq!([name(&a.unwrap()), name(&b.unwrap())], [name(&again); 2]);
    }
}

#[tokio::test]
async fn a_lost_race_and_a_lost_answer_give_the_keys_in_the_store() {
    let memory = Arc::new(MemoryStore::new());
    let store = FaultyStore::new(memory.clone());
    for fault in [CommitFault::UnknownApplied, CommitFault::Conflict] {
        store.fail_commit(fault);
        let keys = load(&store, &[OLD]).await.unwrap();
        assert_eq!(name(&keys), name(&load(&*memory, &[OLD]).await.unwrap()));
    }
    store.fail_read();
    let error = load(&store, &[OLD]).await.unwrap_err();
    assert!(matches!(error, DataKeysUnusable::Unavailable(_)));
}

#[tokio::test]
async fn every_secret_of_the_list_opens_and_the_first_one_seals() {
    let store = MemoryStore::new();
    let keys = load(&store, &[OLD]).await.unwrap();
    let under_old = record(&store).await;
    // Appended everywhere: nothing changes yet.
    assert_eq!(name(&load(&store, &[OLD, NEW]).await.unwrap()), name(&keys));
    assert_eq!(record(&store).await.value, under_old.value);
    // Moved to the front: sealed anew, once.
    assert_eq!(name(&load(&store, &[NEW, OLD]).await.unwrap()), name(&keys));
    let under_new = record(&store).await;
    assert_ne!(under_new.value, under_old.value);
    assert_eq!(name(&load(&store, &[NEW, OLD]).await.unwrap()), name(&keys));
    assert_eq!(record(&store).await.version, under_new.version);
    // The old one can go, and alone is not enough any more.
    assert_eq!(name(&load(&store, &[NEW]).await.unwrap()), name(&keys));
    let error = load(&store, &[OLD]).await.unwrap_err();
    assert!(matches!(error, DataKeysUnusable::Sealed(SealError::UnknownKey)));
    assert!(error.to_string().contains("give that secret, too"));
}

#[tokio::test]
async fn two_processes_seal_anew_at_once() {
    let store = MemoryStore::new();
    let keys = load(&store, &[OLD]).await.unwrap();
    let (a, b) = tokio::join!(load(&store, &[NEW, OLD]), load(&store, &[NEW, OLD]));
    assert_eq!([name(&a.unwrap()), name(&b.unwrap())], [name(&keys); 2]);
}

#[tokio::test]
async fn sealing_anew_keeps_members_of_a_later_version() {
    let store = MemoryStore::new();
    load(&store, &[OLD]).await.unwrap();
    let old = record(&store).await;
    let later = old.value.replacen(r#""sealed":"#, r#""later":1,"sealed":"#, 1);
    put(&store, TenantId::DEFAULT, &old, &later).await;
    load(&store, &[NEW, OLD]).await.unwrap();
    assert!(record(&store).await.value.contains(r#""later":1"#));
}

#[tokio::test]
async fn the_keys_of_one_tenant_are_not_those_of_another() {
    let (store, other) = (MemoryStore::new(), TenantId::new("other").unwrap());
    let keys = load(&store, &[OLD]).await.unwrap();
    assert_ne!(name(&load_as(&store, other, &[OLD]).await.unwrap()), name(&keys));
    // Nor can their record be carried over.
    let stolen = record(&store).await;
    put(&store, other, &stolen, &stolen.value).await;
    let error = load_as(&store, other, &[OLD]).await.unwrap_err();
    assert!(matches!(error, DataKeysUnusable::Sealed(SealError::Invalid)));
}

#[tokio::test]
async fn the_form_of_handles_is_what_the_keys_were_made_for() {
    let store = MemoryStore::new();
    load(&store, &[OLD]).await.unwrap();
    let made = record(&store).await;
    assert!(made.value.contains(r#""form":2"#), "{}", made.value);
    // As the first versions wrote it, which would have us look for tokens elsewhere.
    for other in ["", r#","form":1"#] {
        let changed = made.value.replace(r#","form":2"#, other);
        assert_ne!(*changed, *made.value);
        put(&store, TenantId::DEFAULT, &made, &changed).await;
        let error = load(&store, &[OLD]).await.unwrap_err();
        assert!(matches!(error, DataKeysUnusable::Sealed(_)), "{error}");
    }
    put(&store, TenantId::DEFAULT, &made, &made.value.replace(r#""form":2"#, r#""form":3"#)).await;
    let error = load(&store, &[OLD]).await.unwrap_err();
    assert!(error.to_string().contains("of form 3, which this version does not know"), "{error}");
    put(&store, TenantId::DEFAULT, &made, &made.value).await;
    load(&store, &[OLD]).await.unwrap();
}

#[tokio::test]
async fn damaged_data_keys_are_an_error() {
    let store = MemoryStore::new();
    load(&store, &[OLD]).await.unwrap();
    let good = record(&store).await;
    for value in [
        "",
        "{}",
        r#"{"schema":1,"value":{"sealed":"#,
        r#"{"schema":1,"value":{"sealed":"!"}}"#,
        r#"{"schema":1,"value":{"sealed":""}}"#,
        r#"{"schema":1,"value":{"sealed":"AAAA"}}"#,
    ] {
        put(&store, TenantId::DEFAULT, &good, value).await;
        assert!(load(&store, &[OLD]).await.is_err(), "{value}");
    }
}

#[tokio::test]
async fn a_sealed_value_opens_for_its_purpose_and_context_only() {
    let keys = some_keys().await;
    let context = ["tenant", "https://id.example"];
    let text = keys.seal(&mut rng(), ANY, &context, b"plain");
    assert_eq!(keys.open(ANY, &context, &text).unwrap(), b"plain");
    let refused = |keys: &DataKeys, purpose, context: &[&str]| {
        assert_eq!(keys.open(purpose, context, &text), Err(SealError::Invalid), "{context:?}");
    };
    refused(&keys, Purpose::new("other"), &context);
    refused(&keys, Purpose::new("anytenant"), &context[1..]);
    let others: [&[&str]; 9] = [
        &[],
        &["tenant"],
        &["https://id.example"],
        &["https://id.example", "tenant"],
        &["other", "https://id.example"],
        &["tenant", "https://other.example"],
        &["tenanthttps://id.example"],
        &["tenanth", "ttps://id.example"],
        &["tenant", "https://id.example", ""],
    ];
    for other in others {
        refused(&keys, ANY, other);
    }
    refused(&some_keys().await, ANY, &context);
}

#[tokio::test]
async fn a_changed_sealed_value_is_refused() {
    let keys = some_keys().await;
    for length in [0, 1, 2, 3, 40] {
        let text = keys.seal(&mut rng(), ANY, &["t"], &vec![7; length]);
        assert_eq!(keys.open(ANY, &["t"], &text).unwrap(), vec![7; length]);
        for changed in changes(&text) {
            assert!(keys.open(ANY, &["t"], &changed).is_err(), "{changed}");
        }
    }
    // A key that this process does not have is told from a forgery.
    let mut blob = URL_SAFE_NO_PAD.decode(keys.seal(&mut rng(), ANY, &[], b"x")).unwrap();
    blob[0] ^= 1;
    let error = keys.open(ANY, &[], &URL_SAFE_NO_PAD.encode(blob));
    assert_eq!(error, Err(SealError::UnknownKey));
}

/// Every flip of one bit, truncation and short extension of a text, and other spellings of its base64.
fn changes(text: &str) -> Vec<String> {
    let flips = (0..text.len() * 8).filter_map(|bit| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        String::from_utf8(bytes).ok()
    });
    let cuts = (0..text.len()).map(|end| text[..end].to_owned());
    let tails = ["A", "AA", "AAAA", "=", "==", " ", "\n", "\0", "."];
    let tails = tails.iter().map(|tail| format!("{text}{tail}"));
    let heads = ["A", " ", "\n"].iter().map(|head| format!("{head}{text}"));
    let mut all: Vec<String> = flips.chain(cuts).chain(tails).chain(heads).collect();
    all.push(text.repeat(2));
    all.push("A".repeat(100_000));
    all
}

fn lineage() -> Lineage {
    let mut lineage = Lineage::default();
    lineage.grant = Some(GrantId::from_bytes([1; 16]));
    lineage.session = Some(SessionId::from_bytes([2; 16]));
    lineage.subject = Some(Tag::subject(TenantId::DEFAULT, "ada"));
    lineage.client = Some(Tag::client(TenantId::DEFAULT, "app"));
    lineage.generation = u32::MAX;
    lineage
}

#[tokio::test]
async fn a_handle_comes_back_as_it_was_made() {
    let (keys, mut rng) = (some_keys().await, rng());
    let mut partial = lineage();
    (partial.grant, partial.client) = (None, None);
    for (artefact, lineage) in
        ALL.into_iter().zip([lineage(), Lineage::default(), partial, lineage()])
    {
        let (text, made) =
            Handle::mint(&keys, &mut rng, artefact, TenantId::DEFAULT, now(), lineage);
        let parsed = Handle::parse(&keys, artefact, TenantId::DEFAULT, text.expose()).unwrap();
        assert_eq!((&parsed, parsed.lineage), (&made, lineage));
        let (next, other) =
            Handle::mint(&keys, &mut rng, artefact, TenantId::DEFAULT, now(), lineage);
        assert_ne!((next.expose(), other.digest), (text.expose(), made.digest));
    }
}

#[tokio::test]
async fn a_handle_is_nothing_else_and_nobody_elses() {
    let (keys, others) = (some_keys().await, some_keys().await);
    let other = TenantId::new("other").unwrap();
    for artefact in ALL {
        let (text, made) =
            Handle::mint(&keys, &mut rng(), artefact, TenantId::DEFAULT, now(), lineage());
        let text = text.expose();
        let (_, body) = text.split_at(3);
        for wrong in ALL.into_iter().filter(|wrong| *wrong != artefact) {
            assert_eq!(Handle::parse(&keys, wrong, TenantId::DEFAULT, text), None);
            // Nor with the prefix of the other.
            let (prefixed, stranger) =
                Handle::mint(&keys, &mut rng(), wrong, TenantId::DEFAULT, now(), lineage());
            let renamed = format!("{}{body}", &prefixed.expose()[..3]);
            assert_eq!(Handle::parse(&keys, wrong, TenantId::DEFAULT, &renamed), None);
            assert_ne!(stranger.digest, made.digest);
        }
        assert_eq!(Handle::parse(&keys, artefact, other, text), None);
        assert_eq!(Handle::parse(&others, artefact, TenantId::DEFAULT, text), None);
        assert_eq!(Handle::parse(&keys, artefact, TenantId::DEFAULT, body), None);
    }
}

#[tokio::test]
async fn a_changed_handle_is_refused() {
    let keys = some_keys().await;
    for artefact in ALL {
        let (text, _) =
            Handle::mint(&keys, &mut rng(), artefact, TenantId::DEFAULT, now(), lineage());
        for changed in changes(text.expose()) {
            let parsed = Handle::parse(&keys, artefact, TenantId::DEFAULT, &changed);
            assert_eq!(parsed, None, "{changed}");
        }
    }
}

#[tokio::test]
async fn parts_of_a_mac_do_not_run_together() {
    let keys = some_keys().await;
    let lists: [&[&[u8]]; 5] = [&[], &[b""], &[b"ab"], &[b"a", b"b"], &[b"a", b"b", b""]];
    for mac in [DataKeys::mac, DataKeys::lookup] {
        let mut all: Vec<_> = lists.iter().map(|list| mac(&keys, ANY, list)).collect();
        all.push(mac(&keys, Purpose::new("other"), &[]));
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
    assert_ne!(keys.mac(ANY, &[b"a"]), keys.lookup(ANY, &[b"a"]));
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    const PASSWORD: &str = "correct horse battery staple";
    let (keys, clock) = (some_keys().await, TestClock::at_present());
    let (token, handle) =
        Handle::mint(&keys, &mut rng(), Artefact::AccessToken, TenantId::DEFAULT, now(), lineage());
    let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let work = Work::Authenticate { identifier: "ada".into(), password: PASSWORD.into() };
    let verify = Work::VerifyPassword { hash: "$argon2id$".into(), password: PASSWORD.into() };
    let issuer = Issuer::parse("https://id.example").unwrap();
    let list = secrets(&[OLD, NEW]);
    let shown = format!(
        "{:#?} {work:#?} {verify:#?} {work} {handle:#?} {token:?} {clock:?}",
        Secret::from(PASSWORD)
    );
    let secret = &token.expose()[3..];
    for hidden in [PASSWORD, secret, &secret[8..24]] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    assert_eq!(format!("{list:?} {:?}", rng()), "DeploymentSecrets(2) Rng(…)");
    assert_eq!(format!("{key:?}"), format!("SigningKey(ES256 {})", key.kid()));
    assert!(format!("{:?}", SeededEntropy::new(1)).contains("Rng(…)"));
    let tenant = Tenant::new(TenantId::DEFAULT, issuer, Arc::new(keys));
    let tenant = format!("{tenant:?}");
    assert!(
        tenant.ends_with("issuer: Issuer(https://id.example), keys: DataKeys(1) }"),
        "{tenant}"
    );
}
