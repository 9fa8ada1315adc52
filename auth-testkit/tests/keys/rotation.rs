//! Keys are made once, published before they sign and after they did, and stored sealed.

use std::sync::Arc;
use std::time::Duration;

use auth_core::keys::{
    KeyPolicy, KeySource, KeysUnusable, LocalKeys, PublishedKeys, SigningAlgorithm, SigningKey,
    TokenSigner, signing_input,
};
use auth_core::seal::{DataKeys, DeploymentSecrets, LoadDataKeys};
use auth_core::store::{Class, KeyRange, MemoryStore, Scan};
use auth_core::{Clock, Issuer, KeyId, Store, SystemEntropy, Tenant, TenantId};
use auth_testkit::TestClock;
use auth_testkit::store::{CommitFault, FaultyStore};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::{ES256, RS256, RSA, RSA_OF_RFC, claims, encode, key, verified_elsewhere, verify};

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
        self.keys(replica).await.keys().iter().map(|key| key.kid.clone()).collect()
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
        let input = signing_input(key, "JWT", &claims()).unwrap();
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
