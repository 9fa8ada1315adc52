//! What the tests of the driver run on: a store that fails and counts, and ports that count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use auth_core::decision::{
    Asks, Cx, Decision, Driver, Facts, Need, Outcome, Ports, RecordCache, Sign, Signature,
    Unavailable, Work,
};
use auth_core::keys::TokenSigner;
use auth_core::record::{Kind, TypedKey, Unknown};
use auth_core::seal::{DeploymentSecrets, LoadDataKeys};
use auth_core::store::{Batch, CommitId, Main, MemoryStore, NewRecord, When, Write};
use auth_core::{
    Authentication, Clock, Entropy, Hook, HookCall, Identity, IdentityDirectory, Issuer, KeyId,
    NoEntropy, PasswordCost, PasswordHasher, Secret, Store, Subject, Tenant, TenantId, Timestamp,
};
use auth_testkit::store::{CountingStore, Counts, FaultyStore};
use auth_testkit::{SeededEntropy, TestClock};
use serde_json::{Value, json};
use tokio::sync::Barrier;

/// A record that counts how often it was changed.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Tally {
    pub(super) count: u64,
    #[serde(flatten)]
    pub(super) unknown: Unknown,
}

impl Kind for Tally {
    type Class = Main;
    const NAME: &'static str = "tally";

    fn keep_until(&self) -> Option<Timestamp> {
        None
    }
}

pub(super) fn tally(name: &str) -> TypedKey<Tally> {
    Tally::key(&[name.as_bytes()])
}

/// Directory, hook and signer in one, which counts how often each is asked.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) directory: AtomicU32,
    pub(super) hook: AtomicU32,
    pub(super) signer: AtomicU32,
    /// Where those that are asked wait for each other.
    pub(super) meeting: Option<Barrier>,
    pub(super) hook_is_broken: AtomicBool,
    pub(super) signer_is_broken: AtomicBool,
}

impl Others {
    pub(super) async fn asked(&self, count: &AtomicU32) {
        count.fetch_add(1, Ordering::SeqCst);
        if let Some(meeting) = &self.meeting {
            meeting.wait().await;
        }
    }

    pub(super) fn counts(&self) -> [u32; 3] {
        [&self.directory, &self.hook, &self.signer].map(|count| count.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl IdentityDirectory for Others {
    async fn authenticate(
        &self,
        _: TenantId,
        identifier: &str,
        _: &Secret,
    ) -> Result<Authentication, Unavailable> {
        self.asked(&self.directory).await;
        Ok(Authentication::Accepted(identifier.into()))
    }

    async fn find(&self, _: TenantId, _: &Subject) -> Result<Option<Identity>, Unavailable> {
        Ok(None)
    }
}

#[async_trait]
impl Hook for Others {
    async fn call(&self, _: TenantId, _: &HookCall) -> Result<Value, Unavailable> {
        self.asked(&self.hook).await;
        match self.hook_is_broken.load(Ordering::SeqCst) {
            true => Err(Unavailable::port("hook", "broken")),
            false => Ok(Value::Null),
        }
    }
}

#[async_trait]
impl TokenSigner for Others {
    async fn sign(&self, _: TenantId, _: &KeyId, _: &[u8]) -> Result<Signature, Unavailable> {
        self.asked(&self.signer).await;
        match self.signer_is_broken.load(Ordering::SeqCst) {
            true => Err(Unavailable::port("signer", "broken")),
            false => Ok(Arc::from([0; 64])),
        }
    }
}

/// A source that counts how often it is asked, and fails if it is told to.
#[derive(Debug)]
pub(super) struct Randomness {
    seeded: SeededEntropy,
    pub(super) asked: AtomicU32,
    pub(super) is_broken: AtomicBool,
}

impl Entropy for Randomness {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.is_broken.load(Ordering::SeqCst) {
            true => Err(NoEntropy),
            false => self.seeded.fill(buffer),
        }
    }
}

pub(super) fn work_of_each() -> [Work; 3] {
    [
        Work::Authenticate { identifier: "ada".into(), password: "secret".into() },
        Work::Hook(HookCall::new("claims", &json!({}))),
        Work::Sign(Sign::new("key".into(), "a.b".into())),
    ]
}

/// A decision by a closure.
pub(super) struct Ask<F> {
    pub(super) prefetch: Asks,
    pub(super) decide: F,
}

pub(super) type Decided = Result<Outcome<u64, &'static str>, Need>;

impl<F: Fn(&Facts, &mut Cx<'_>) -> Decided + Send + Sync> Decision for Ask<F> {
    type Answer = u64;
    type Refusal = &'static str;

    fn prefetch(&self) -> Asks {
        self.prefetch.clone()
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Decided {
        (self.decide)(facts, cx)
    }
}

/// Adds one to the tally `a`, and answers the sum.
pub(super) fn add_one(facts: &Facts, cx: &mut Cx<'_>) -> Decided {
    let found = facts.read(&tally("a"))?.ok_or(Unavailable::Defect("no tally".into()))?;
    let count = found.value.count + 1;
    let next = Tally { count, ..found.value.clone() };
    Outcome::commit(cx.batch().write(found.replace(&next)?), Ok(count))
}

/// Permits while the count of `a` is what it was at first.
pub(super) fn unless_changed(facts: &Facts, _: &mut Cx<'_>) -> Decided {
    let count = facts.read(&tally("a"))?.map_or(0, |found| found.value.count);
    Ok(if count == 0 { Outcome::answer(0) } else { Outcome::refuse("changed") })
}

pub(super) fn stored() -> Asks {
    Asks::none().read(&tally("a"))
}

pub(super) fn cached() -> Asks {
    Asks::none().read_cached(&tally("a"))
}

pub(super) struct Bench {
    pub(super) memory: Arc<MemoryStore>,
    pub(super) faulty: Arc<FaultyStore>,
    pub(super) counting: Arc<CountingStore>,
    pub(super) clock: TestClock,
    pub(super) randomness: Arc<Randomness>,
    pub(super) others: Arc<Others>,
    pub(super) driver: Driver,
    pub(super) tenant: Tenant,
}

impl Bench {
    /// With the tally `a` at 0.
    pub(super) async fn new() -> Self {
        Self::with(Others::default()).await
    }

    pub(super) async fn with(others: Others) -> Self {
        let memory = Arc::new(MemoryStore::new());
        let faulty = Arc::new(FaultyStore::new(memory.clone()));
        let counting = Arc::new(CountingStore::new(faulty.clone()));
        let clock = TestClock::at_present();
        let randomness = Arc::new(Randomness {
            seeded: SeededEntropy::new(1),
            asked: AtomicU32::new(0),
            is_broken: AtomicBool::new(false),
        });
        let secrets = DeploymentSecrets::ephemeral().unwrap();
        let load = LoadDataKeys::new(&*memory, &secrets, &*randomness);
        let keys = load.load(TenantId::DEFAULT, clock.now()).await.unwrap();
        let issuer = Issuer::parse("https://id.example").unwrap();
        let others = Arc::new(others);
        let ports = Ports::new(
            counting.clone(),
            Arc::new(clock.clone()),
            randomness.clone(),
            others.clone(),
            others.clone(),
            PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 1),
            others.clone(),
        );
        let driver = Driver::new(ports, RecordCache::default());
        let tenant = Tenant::new(TenantId::DEFAULT, issuer, Arc::new(keys));
        let bench = Self { memory, faulty, counting, clock, randomness, others, driver, tenant };
        bench.put("a", r#"{"schema":1,"value":{"count":0}}"#).await;
        bench
    }

    /// Writes a record as another process would.
    pub(super) async fn put(&self, name: &str, text: &str) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut id = [0xff; 16];
        id[..4].copy_from_slice(&NEXT.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        let record = NewRecord {
            key: tally(name).raw().clone(),
            value: text.into(),
            index: Vec::new(),
            keep_until: None,
            due: None,
        };
        let write = Write::Put { record, when: When::Any, old_index: Vec::new() };
        let batch = Batch::builder::<Main>(CommitId::from_bytes(id), self.clock.now()).write(write);
        self.memory.commit(TenantId::DEFAULT, &batch.build().unwrap()).await.unwrap();
    }

    pub(super) async fn set(&self, count: u64) {
        self.put("a", &json!({"schema": 1, "value": {"count": count}}).to_string()).await;
    }

    pub(super) async fn text(&self, name: &str) -> Option<String> {
        let key = tally(name).raw().clone();
        let records = self.memory.get(TenantId::DEFAULT, &[key]).await.unwrap();
        records.into_iter().next().flatten().map(|record| record.value.to_string())
    }

    pub(super) async fn count(&self) -> u64 {
        let value: Value = serde_json::from_str(&self.text("a").await.unwrap()).unwrap();
        value["value"]["count"].as_u64().unwrap()
    }

    /// Runs a decision; also tells the round trips of the store.
    pub(super) async fn run(
        &self,
        prefetch: Asks,
        decide: impl Fn(&Facts, &mut Cx<'_>) -> Decided + Send + Sync,
    ) -> (Result<Result<u64, &'static str>, Unavailable>, Counts) {
        let before = self.counting.snapshot();
        let outcome = self.driver.run(&self.tenant, &Ask { prefetch, decide }).await;
        (outcome, self.counting.since(before))
    }
}
