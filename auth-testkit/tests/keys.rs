//! Signing keys: what they sign verifies elsewhere, nothing else verifies here, and they rotate.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

use std::sync::Arc;
use std::time::Duration;

use auth_core::keys::{
    CompactJws, InvalidSigningKey, JwsError, KeyPolicy, KeySource, KeysUnusable, LocalKeys,
    PublishedKey, PublishedKeys, SigningAlgorithm, SigningKey, TokenSigner, signing_input,
};
use auth_core::seal::{DataKeys, DeploymentSecrets, LoadDataKeys};
use auth_core::store::{Class, KeyRange, MemoryStore, Scan};
use auth_core::{Clock, Issuer, KeyId, Secret, Store, SystemEntropy, Tenant, TenantId, Timestamp};
use auth_testkit::TestClock;
use auth_testkit::store::{CommitFault, FaultyStore};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use openidconnect::JsonWebKey;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};
use ring::hmac;
use serde_json::{Map, Value, json};

const RSA: &str = include_str!("../fixtures/rsa-2048.pem");
/// The key of RFC 7517 §A.2, whose public half is the example of RFC 7638 §3.1.
const RSA_OF_RFC: &str = include_str!("../fixtures/rfc7517-a2.pem");
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;
const RS256: SigningAlgorithm = SigningAlgorithm::Rs256;

/// A key for the algorithm; RSA keys cannot be made without the feature for it.
fn key(algorithm: SigningAlgorithm) -> SigningKey {
    match algorithm.is_rsa() {
        true => SigningKey::from_pem(algorithm, &RSA.into()).unwrap(),
        false => SigningKey::generate(algorithm).unwrap(),
    }
}

fn published(key: &SigningKey) -> PublishedKey {
    PublishedKey::new(key.kid().clone(), key.algorithm(), key.jwk().clone(), Timestamp::EPOCH)
}

fn claims() -> Map<String, Value> {
    json!({"sub": "ada", "exp": 1_800_000_000}).as_object().unwrap().clone()
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// A token with any header and payload that `key` really signs.
fn signed(key: &SigningKey, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", encode(signature))
}

fn token(key: &SigningKey) -> String {
    let input = signing_input(&published(key), "JWT", &claims());
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", encode(signature))
}

fn verify(token: &str, jwk: &Jwk) -> Result<Map<String, Value>, JwsError> {
    CompactJws::parse(token)?.verify(jwk)
}

/// Verifies by an implementation that shares no code with ours.
fn verified_elsewhere(token: &str, jwk: &Jwk, algorithm: SigningAlgorithm) -> bool {
    let jwk: CoreJsonWebKey = serde_json::from_value(serde_json::to_value(jwk).unwrap()).unwrap();
    let algorithm = match algorithm {
        SigningAlgorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        SigningAlgorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
        SigningAlgorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        _ => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    };
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    jwk.verify_signature(&algorithm, input.as_bytes(), &signature).is_ok()
}

#[test]
fn a_token_verifies_here_and_elsewhere() {
    for algorithm in SigningAlgorithm::ALL {
        let (key, other) = (key(algorithm), SigningKey::generate(ES256).unwrap());
        let token = token(&key);
        assert_eq!(verify(&token, key.jwk()).unwrap(), claims());
        assert!(verified_elsewhere(&token, key.jwk(), algorithm), "{algorithm}");
        assert!(verify(&token, other.jwk()).is_err());
        let header = CompactJws::parse(&token).unwrap().header().clone();
        assert_eq!((header.alg, header.kid.as_deref()), (algorithm, Some(key.kid().as_str())));
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        // Nothing private is published.
        let jwk = serde_json::to_value(key.jwk()).unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(jwk.get(private), None);
        }
    }
}

#[test]
fn a_changed_token_does_not_verify() {
    for algorithm in SigningAlgorithm::ALL {
        let key = key(algorithm);
        let token = token(&key);
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut changed = token.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let changed = String::from_utf8(changed).unwrap();
                assert!(verify(&changed, key.jwk()).is_err(), "{changed}");
            }
        }
        for end in 0..token.len() {
            assert!(verify(&token[..end], key.jwk()).is_err());
        }
        for tail in ["A", "AAAA", "=", ".", " ", "\n", ".AAAA"] {
            assert!(verify(&format!("{token}{tail}"), key.jwk()).is_err());
        }
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    for algorithm in SigningAlgorithm::ALL {
        let key = key(algorithm);
        let jwk = serde_json::to_vec(key.jwk()).unwrap();
        for name in ["HS256", "HS384", "HS512", "none", "None", "NONE", "", "RS1", "ES256K"] {
            let header = json!({"alg": name, "typ": "JWT", "kid": key.kid().as_str()});
            let input = format!("{}.{}", encode(header.to_string()), encode("{}"));
            for secret in [jwk.as_slice(), RSA.as_bytes(), b""] {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
                let mac = encode(hmac::sign(&secret, input.as_bytes()));
                let error = verify(&format!("{input}.{mac}"), key.jwk()).unwrap_err();
                assert_eq!(error, JwsError::Algorithm);
            }
            assert_eq!(verify(&format!("{input}."), key.jwk()), Err(JwsError::Algorithm));
        }
    }
}

#[test]
fn an_algorithm_is_not_taken_for_another() {
    for ours in SigningAlgorithm::ALL {
        let (key, token) = (key(ours), token(&key(ours)));
        let payload = token.split('.').nth(1).unwrap();
        for named in SigningAlgorithm::ALL.into_iter().filter(|named| *named != ours) {
            let header = encode(json!({"alg": named.name()}).to_string());
            let input = format!("{header}.{payload}");
            let forged = format!("{input}.{}", encode(key.sign(input.as_bytes()).unwrap()));
            assert_eq!(verify(&forged, key.jwk()), Err(JwsError::Key));
            // Nor if the key does not say what it is for.
            let mut silent = key.jwk().clone();
            silent.common.key_algorithm = None;
            assert!(verify(&forged, &silent).is_err());
        }
    }
}

#[test]
fn a_key_for_something_else_verifies_nothing() {
    let key = key(ES256);
    let token = token(&key);
    let with = |change: fn(&mut Jwk)| {
        let mut jwk = key.jwk().clone();
        change(&mut jwk);
        verify(&token, &jwk).map(drop)
    };
    assert_eq!(with(|jwk| jwk.common.public_key_use = None), Ok(()));
    assert_eq!(with(|jwk| jwk.common.key_algorithm = None), Ok(()));
    for wrong in [
        |jwk: &mut Jwk| jwk.common.public_key_use = Some(PublicKeyUse::Encryption),
        |jwk: &mut Jwk| jwk.common.public_key_use = Some(PublicKeyUse::Other("tls".into())),
        |jwk: &mut Jwk| jwk.common.key_algorithm = Some(KeyAlgorithm::ES384),
        |jwk: &mut Jwk| jwk.common.key_algorithm = Some(KeyAlgorithm::HS256),
        |jwk: &mut Jwk| jwk.common.key_algorithm = Some(KeyAlgorithm::RSA_OAEP),
    ] {
        assert_eq!(with(wrong), Err(JwsError::Key));
    }
}

#[test]
fn what_must_be_understood_and_is_not_is_refused() {
    let key = key(ES256);
    let header = |extra: &str| format!(r#"{{"alg":"ES256"{extra}}}"#);
    assert!(verify(&signed(&key, &header(""), "{}"), key.jwk()).is_ok());
    for critical in [r#","crit":["exp"]"#, r#","crit":[]"#, r#","b64":false"#, r#","zip":"DEF""#] {
        let token = signed(&key, &header(critical), "{}");
        assert_eq!(verify(&token, key.jwk()), Err(JwsError::Critical));
    }
    // A key that the token brings along is not looked at.
    let stranger = SigningKey::generate(ES256).unwrap();
    let jwk = serde_json::to_string(stranger.jwk()).unwrap();
    let token = signed(&stranger, &header(&format!(r#","jwk":{jwk}"#)), "{}");
    assert_eq!(verify(&token, key.jwk()), Err(JwsError::Signature));
}

#[test]
fn two_readers_cannot_see_two_tokens() {
    let key = key(ES256);
    let good = r#"{"alg":"ES256"}"#;
    for header in [
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":"ES256","\u0061lg":"none"}"#,
        r#"{"alg":"ES256","kid":"a","kid":"b"}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{"alg":"ES256","kid":1}"#,
        r#"{"kid":"a"}"#,
        r#"["ES256"]"#,
        r#"{"alg":"ES256"}{}"#,
        "",
    ] {
        let error = verify(&signed(&key, header, "{}"), key.jwk()).unwrap_err();
        assert_eq!(error, JwsError::Malformed, "{header}");
    }
    for payload in [r#"{"sub":"a","sub":"b"}"#, r#"{"x":{"a":1,"a":2}}"#, "[]", "1", "", "{}}"] {
        let token = signed(&key, good, payload);
        assert_eq!(verify(&token, key.jwk()), Err(JwsError::Malformed), "{payload}");
        assert_eq!(CompactJws::parse(&token).unwrap().unverified_text("sub"), None);
    }
}

#[test]
fn a_token_has_three_segments_and_an_end() {
    let key = key(ES256);
    for malformed in ["", ".", "..", "a.b", "a.b.c.d", "....", "{}.{}.{}"] {
        assert_eq!(verify(malformed, key.jwk()), Err(JwsError::Malformed), "{malformed}");
    }
    let long = json!({"x": "x".repeat(CompactJws::MAX_LEN)}).to_string();
    let token = signed(&key, r#"{"alg":"ES256"}"#, &long);
    assert_eq!(verify(&token, key.jwk()), Err(JwsError::TooLong));
    let nested = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let token = signed(&key, r#"{"alg":"ES256"}"#, &format!(r#"{{"a":{nested}}}"#));
    assert_eq!(verify(&token, key.jwk()), Err(JwsError::Malformed));
}

#[test]
fn a_key_is_named_by_its_thumbprint() {
    let key = SigningKey::from_pem(RS256, &RSA_OF_RFC.into()).unwrap();
    assert_eq!(key.kid().as_str(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 8037 §A.1 and §A.3, in the PKCS#8 of RFC 8410.
    let d = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let key = SigningKey::from_pkcs8(SigningAlgorithm::EdDsa, &[&head[..], &d].concat()).unwrap();
    assert_eq!(key.kid().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let rsa = Secret::from(RSA);
    for algorithm in [ES256, SigningAlgorithm::EdDsa] {
        let error = SigningKey::from_pem(algorithm, &rsa).unwrap_err();
        assert_eq!(error, InvalidSigningKey::Unreadable);
    }
    let pkcs1 = Secret::new(RSA.replace("PRIVATE KEY", "RSA PRIVATE KEY"));
    for pem in
        [pkcs1, Secret::from(""), Secret::new(RSA.replacen('M', "!", 1)), Secret::new(&RSA[..90])]
    {
        let error = SigningKey::from_pem(RS256, &pem).unwrap_err();
        assert_eq!(error, InvalidSigningKey::NotPkcs8Pem);
    }
}

/// Two replicas of a deployment on one store.
struct Deployment {
    memory: Arc<MemoryStore>,
    store: Arc<FaultyStore>,
    clock: TestClock,
    tenant: Tenant,
    policy: KeyPolicy,
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

impl Deployment {
    async fn new() -> Self {
        let memory = Arc::new(MemoryStore::new());
        let clock = TestClock::at_present();
        let issuer = Issuer::parse("https://id.example").unwrap();
        let tenant = Tenant::new(TenantId::DEFAULT, issuer, Arc::new(data_keys(&clock).await));
        let mut policy = KeyPolicy::default();
        policy.keep_after = DAY;
        policy.algorithms = vec![ES256];
        let store = Arc::new(FaultyStore::new(memory.clone()));
        Self { memory, store, clock, tenant, policy }
    }

    fn replica(&self) -> LocalKeys {
        self.replica_with(&[])
    }

    fn replica_with(&self, supplied: &[&SigningKey]) -> LocalKeys {
        let supplied = supplied.iter().copied().cloned().collect();
        let entropy = Arc::new(SystemEntropy::default());
        LocalKeys::new(self.store.clone(), entropy, self.policy.clone(), supplied)
    }

    async fn keys(&self, replica: &LocalKeys) -> Arc<PublishedKeys> {
        replica.keys(&self.tenant, self.clock.now()).await.unwrap()
    }

    async fn kids(&self, replica: &LocalKeys) -> Vec<KeyId> {
        self.keys(replica).await.keys.iter().map(|key| key.kid.clone()).collect()
    }

    async fn active(&self, replica: &LocalKeys, algorithm: SigningAlgorithm) -> KeyId {
        let keys = self.keys(replica).await;
        keys.active(algorithm, self.clock.now()).unwrap().kid.clone()
    }

    async fn load(&self, replica: &LocalKeys) -> Result<(), KeysUnusable> {
        replica.load(&self.tenant, self.clock.now()).await
    }

    async fn rotate(&self, replica: &LocalKeys, algorithm: SigningAlgorithm) {
        replica.rotate(&self.tenant, algorithm, self.clock.now()).await.unwrap();
    }

    /// Whether the replica signs with the key, and the signature is good.
    async fn signs(&self, replica: &LocalKeys, kid: &KeyId) -> bool {
        let keys = self.keys(replica).await;
        let Some(key) = keys.find(kid.as_str()) else { return false };
        let input = signing_input(key, "JWT", &claims());
        let signature = replica.sign(self.tenant.id, kid, input.as_bytes()).await.unwrap();
        let token = format!("{input}.{}", encode(signature));
        assert!(verified_elsewhere(&token, &key.jwk, key.algorithm));
        verify(&token, &key.jwk).is_ok()
    }

    /// All that is stored, as text.
    async fn stored(&self) -> String {
        let range = KeyRange::class(Class::Main);
        let pages = self.memory.scan(TenantId::DEFAULT, &[Scan::records(range, 9)]).await.unwrap();
        pages[0].records.iter().map(|record| record.value.to_string()).collect()
    }
}

async fn data_keys(clock: &TestClock) -> DataKeys {
    let (store, secrets) = (MemoryStore::new(), DeploymentSecrets::ephemeral().unwrap());
    let entropy = SystemEntropy::default();
    LoadDataKeys::new(&store, &secrets, &entropy)
        .load(TenantId::DEFAULT, clock.now())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_replicas_make_the_keys_once() {
    for _ in 0..10 {
        let mut all = Deployment::new().await;
        all.policy.algorithms = vec![ES256, SigningAlgorithm::EdDsa];
        let (a, b) = (all.replica(), all.replica());
        let (kids, others) = tokio::join!(all.kids(&a), all.kids(&b));
        assert_eq!((kids.len(), &kids), (2, &others));
        for kid in &kids {
            assert!(all.signs(&a, kid).await && all.signs(&b, kid).await);
        }
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_key() {
    for fault in [CommitFault::UnknownApplied, CommitFault::UnknownNotApplied] {
        let all = Deployment::new().await;
        all.store.fail_commit(fault);
        let replica = all.replica();
        let kids = all.kids(&replica).await;
        assert_eq!((kids.len(), &kids), (1, &all.kids(&all.replica()).await));
        assert!(all.signs(&replica, &kids[0]).await);
    }
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_after_it_did() {
    let all = Deployment::new().await;
    let replica = all.replica();
    let first = all.active(&replica, ES256).await;
    all.rotate(&replica, ES256).await;
    all.rotate(&replica, ES256).await;
    // Published, and not used yet.
    let kids = all.kids(&replica).await;
    assert_eq!((kids.len(), &kids[0]), (2, &first));
    all.clock.advance(HOUR - Duration::from_millis(1));
    assert_eq!(all.active(&replica, ES256).await, first);
    all.clock.advance(Duration::from_millis(1));
    assert_eq!(all.active(&replica, ES256).await, kids[1]);
    // The old one stays for as long as its tokens live.
    all.clock.advance(DAY - Duration::from_millis(1));
    assert_eq!(all.kids(&replica).await, kids);
    assert!(all.signs(&replica, &first).await);
    all.clock.advance(all.policy.reload_every);
    assert_eq!(all.kids(&replica).await, kids[1..]);
    assert!(replica.sign(all.tenant.id, &first, b"x").await.is_err());
    // By age, too.
    all.clock.advance(DAY * 90 - HOUR - DAY);
    assert_eq!(all.kids(&replica).await.len(), 2);
    assert_eq!(all.active(&replica, ES256).await, kids[1]);
}

#[tokio::test]
async fn another_replica_sees_a_rotation_before_it_signs() {
    let all = Deployment::new().await;
    let (a, b) = (all.replica(), all.replica());
    assert_eq!(all.kids(&a).await, all.kids(&b).await);
    all.rotate(&a, ES256).await;
    assert_eq!(all.kids(&b).await.len(), 1);
    all.clock.advance(all.policy.reload_every);
    assert_eq!(all.kids(&b).await, all.kids(&a).await);
    assert_eq!(all.kids(&b).await.len(), 2);
    assert!(all.policy.reload_every < all.policy.publish_before / 2);
    all.clock.advance(HOUR);
    let active = all.active(&b, ES256).await;
    assert!(all.active(&a, ES256).await == active && all.signs(&b, &active).await);
}

#[tokio::test]
async fn two_replicas_rotate_at_once_and_one_key_comes_of_it() {
    let all = Deployment::new().await;
    let (a, b) = (all.replica(), all.replica());
    assert_eq!(all.kids(&a).await, all.kids(&b).await);
    tokio::join!(all.rotate(&a, ES256), all.rotate(&b, ES256));
    assert_eq!(all.kids(&a).await.len(), 2);
    assert_eq!(all.kids(&a).await, all.kids(&b).await);
}

#[tokio::test]
async fn private_halves_are_stored_sealed() {
    let mut all = Deployment::new().await;
    all.policy.algorithms = vec![ES256, SigningAlgorithm::EdDsa, RS256];
    let rsa = key(RS256);
    let replica = all.replica_with(&[&rsa]);
    assert_eq!(all.kids(&replica).await.len(), 3);
    let stored = all.stored().await;
    let body: String = RSA.lines().filter(|line| !line.starts_with('-')).collect();
    let url_safe = body.replace('+', "-").replace('/', "_");
    for at in (0..body.len() - 40).step_by(40) {
        assert!(!stored.contains(&body[at..at + 40]) && !stored.contains(&url_safe[at..at + 40]));
    }
    // A PKCS#8 document is a DER sequence, and of these lengths it begins so.
    let stored: Value = serde_json::from_str(&stored).unwrap();
    for key in stored["value"]["keys"].as_array().unwrap() {
        let sealed = URL_SAFE_NO_PAD.decode(key["sealed"].as_str().unwrap()).unwrap();
        assert!(!sealed.windows(4).any(|part| part == [2, 1, 0, 0x30] || part == [2, 1, 1, 0x30]));
        let members: Vec<_> = key.as_object().unwrap().keys().collect();
        assert_eq!(members.len(), 4, "{members:?}");
    }
    // Under other data keys they cannot be opened, and no others are made in their place.
    all.tenant.keys = Arc::new(data_keys(&all.clock).await);
    let error = all.load(&all.replica()).await.unwrap_err();
    assert!(matches!(error, KeysUnusable::Sealed(_)));
}

#[tokio::test]
async fn a_supplied_key_is_taken() {
    let mut all = Deployment::new().await;
    all.policy.algorithms = vec![ES256, RS256];
    let rsa = key(RS256);
    let (a, b) = (all.replica_with(&[&rsa]), all.replica_with(&[&rsa]));
    assert_eq!(all.active(&a, RS256).await, *rsa.kid());
    assert!(all.signs(&a, rsa.kid()).await && all.signs(&b, rsa.kid()).await);
    assert_eq!(all.kids(&a).await.len(), 2);
    // Another one replaces it like any rotation: published first.
    let next = SigningKey::from_pem(RS256, &RSA_OF_RFC.into()).unwrap();
    let replica = all.replica_with(&[&next]);
    assert_eq!(all.active(&replica, RS256).await, *rsa.kid());
    all.clock.advance(HOUR);
    assert_eq!(all.active(&replica, RS256).await, *next.kid());
    all.clock.advance(DAY);
    assert!(!all.kids(&replica).await.contains(rsa.kid()));
}

#[tokio::test]
async fn a_supplied_key_is_not_replaced_by_age() {
    let mut all = Deployment::new().await;
    all.policy.algorithms = vec![RS256];
    let rsa = key(RS256);
    let replica = all.replica_with(&[&rsa]);
    for _ in 0..5 {
        // An RSA key could not be made here in its place.
        all.load(&replica).await.unwrap();
        all.rotate(&replica, RS256).await;
        assert_eq!(all.kids(&replica).await, [rsa.kid().clone()]);
        all.clock.advance(DAY * 60);
    }
    // A key of which others can be made does not come back either.
    all.policy.algorithms = vec![ES256];
    let ec = SigningKey::generate(ES256).unwrap();
    let replica = all.replica_with(&[&ec]);
    for _ in 0..5 {
        assert_eq!(all.active(&replica, ES256).await, *ec.kid());
        all.clock.advance(DAY * 60);
    }
}

#[tokio::test]
async fn of_two_supplied_keys_the_last_counts() {
    let mut all = Deployment::new().await;
    all.policy.algorithms = vec![RS256];
    let (old, new) = (key(RS256), SigningKey::from_pem(RS256, &RSA_OF_RFC.into()).unwrap());
    let replica = all.replica_with(&[&old, &new]);
    for _ in 0..5 {
        assert_eq!(all.active(&replica, RS256).await, *new.kid());
        all.clock.advance(DAY * 2);
    }
}

#[tokio::test]
async fn known_keys_work_while_the_store_is_away() {
    let all = Deployment::new().await;
    let replica = all.replica();
    let kids = all.kids(&replica).await;
    all.clock.advance(DAY);
    all.store.fail_read();
    assert_eq!(all.kids(&replica).await, kids);
    assert_eq!(all.store.waiting(), 0);
    all.clock.advance(DAY);
    all.store.fail_read();
    assert!(all.signs(&replica, &kids[0]).await);
    // Who knows none cannot make some without the store.
    all.store.fail_read();
    assert!(all.replica().keys(&all.tenant, all.clock.now()).await.is_err());
    let fresh = Deployment::new().await;
    fresh.store.fail_commit(CommitFault::Unavailable);
    assert!(fresh.load(&fresh.replica()).await.is_err());
    assert_eq!(fresh.stored().await, "");
}
