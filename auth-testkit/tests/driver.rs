//! The driver: what it fetches, what it keeps, and what it makes of a store that fails.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::decision::{
    Asks, Cx, Decision, Done, Driver, Facts, Need, Outcome, Ports, RecordCache, Reservation, Sign,
    Signature, Unavailable, Work,
};
use auth_core::keys::TokenSigner;
use auth_core::record::{Kind, TypedKey, Unknown};
use auth_core::seal::{DeploymentSecrets, LoadDataKeys};
use auth_core::store::{Batch, Class, CommitId, Key, Main, MemoryStore, NewRecord, When, Write};
use auth_core::{
    Authentication, Clock, Hook, HookCall, Identity, IdentityDirectory, Issuer, KeyId,
    PasswordCost, PasswordHasher, Secret, Store, Subject, Tenant, TenantId, Timestamp,
};
use auth_testkit::store::{CommitFault, CountingStore, Counts, FaultyStore};
use auth_testkit::{SeededEntropy, TestClock};
use serde_json::{Value, json};
use tokio::sync::Barrier;

/// A record that counts how often it was changed.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
struct Tally {
    count: u64,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Kind for Tally {
    type Class = Main;
    const NAME: &'static str = "tally";

    fn keep_until(&self) -> Option<Timestamp> {
        None
    }
}

fn tally(name: &str) -> TypedKey<Tally> {
    Tally::key(&[name.as_bytes()])
}

/// Directory, hook and signer in one, which counts how often each is asked.
#[derive(Debug, Default)]
struct Others {
    directory: AtomicU32,
    hook: AtomicU32,
    signer: AtomicU32,
    /// Where those that are asked wait for each other.
    meeting: Option<Barrier>,
    hook_is_broken: AtomicBool,
}

impl Others {
    async fn asked(&self, count: &AtomicU32) {
        count.fetch_add(1, Ordering::SeqCst);
        if let Some(meeting) = &self.meeting {
            meeting.wait().await;
        }
    }

    fn counts(&self) -> [u32; 3] {
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
        Ok(Arc::from([0; 64]))
    }
}

fn work_of_each() -> [Work; 3] {
    [
        Work::Authenticate { identifier: "ada".into(), password: "secret".into() },
        Work::Hook(HookCall::new("claims", &json!({}))),
        Work::Sign(Sign::new("key".into(), "a.b".into())),
    ]
}

/// A decision by a closure.
struct Ask<F> {
    prefetch: Asks,
    decide: F,
}

type Decided = Result<Outcome<u64, &'static str>, Need>;

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
fn add_one(facts: &Facts, cx: &mut Cx<'_>) -> Decided {
    let found = facts.read(&tally("a"))?.ok_or(Unavailable::Defect("no tally".into()))?;
    let count = found.value.count + 1;
    let next = Tally { count, ..found.value.clone() };
    Outcome::commit(cx.batch().write(found.replace(&next)?), Ok(count))
}

/// Permits while the count of `a` is what it was at first.
fn unless_changed(facts: &Facts, _: &mut Cx<'_>) -> Decided {
    let count = facts.read(&tally("a"))?.map_or(0, |found| found.value.count);
    Ok(if count == 0 { Outcome::answer(0) } else { Outcome::refuse("changed") })
}

fn stored() -> Asks {
    Asks::none().read(&tally("a"))
}

fn cached() -> Asks {
    Asks::none().read_cached(&tally("a"))
}

struct Bench {
    memory: Arc<MemoryStore>,
    faulty: Arc<FaultyStore>,
    counting: Arc<CountingStore>,
    clock: TestClock,
    others: Arc<Others>,
    driver: Driver,
    tenant: Tenant,
}

impl Bench {
    /// With the tally `a` at 0.
    async fn new() -> Self {
        Self::with(Others::default()).await
    }

    async fn with(others: Others) -> Self {
        let memory = Arc::new(MemoryStore::new());
        let faulty = Arc::new(FaultyStore::new(memory.clone()));
        let counting = Arc::new(CountingStore::new(faulty.clone()));
        let (clock, entropy) = (TestClock::at_present(), Arc::new(SeededEntropy::new(1)));
        let secrets = DeploymentSecrets::ephemeral().unwrap();
        let load = LoadDataKeys::new(&*memory, &secrets, &*entropy);
        let keys = load.load(TenantId::DEFAULT, clock.now()).await.unwrap();
        let issuer = Issuer::parse("https://id.example").unwrap();
        let others = Arc::new(others);
        let ports = Ports::new(
            counting.clone(),
            Arc::new(clock.clone()),
            entropy,
            others.clone(),
            others.clone(),
            PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 1),
            others.clone(),
        );
        let driver = Driver::new(ports, RecordCache::default());
        let tenant = Tenant::new(TenantId::DEFAULT, issuer, Arc::new(keys));
        let bench = Self { memory, faulty, counting, clock, others, driver, tenant };
        bench.put("a", r#"{"schema":1,"value":{"count":0}}"#).await;
        bench
    }

    /// Writes a record as another process would.
    async fn put(&self, name: &str, text: &str) {
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

    async fn set(&self, count: u64) {
        self.put("a", &json!({"schema": 1, "value": {"count": count}}).to_string()).await;
    }

    async fn text(&self, name: &str) -> Option<String> {
        let key = tally(name).raw().clone();
        let records = self.memory.get(TenantId::DEFAULT, &[key]).await.unwrap();
        records.into_iter().next().flatten().map(|record| record.value.to_string())
    }

    async fn count(&self) -> u64 {
        let value: Value = serde_json::from_str(&self.text("a").await.unwrap()).unwrap();
        value["value"]["count"].as_u64().unwrap()
    }

    /// Runs a decision; also tells the round trips of the store.
    async fn run(
        &self,
        prefetch: Asks,
        decide: impl Fn(&Facts, &mut Cx<'_>) -> Decided + Send + Sync,
    ) -> (Result<Result<u64, &'static str>, Unavailable>, Counts) {
        let before = self.counting.snapshot();
        let outcome = self.driver.run(&self.tenant, &Ask { prefetch, decide }).await;
        (outcome, self.counting.since(before))
    }
}

#[tokio::test]
async fn what_is_prefetched_comes_in_one_round_trip() {
    let bench = Bench::new().await;
    let asks = stored().read(&tally("b")).read(&tally("c"));
    let (answer, counts) = bench
        .run(asks, |facts, _| {
            let found =
                [facts.read(&tally("a"))?, facts.read(&tally("b"))?, facts.read(&tally("c"))?];
            Ok(Outcome::answer(found.iter().flatten().count() as u64))
        })
        .await;
    assert_eq!(answer.unwrap(), Ok(1));
    assert_eq!((counts.gets, counts.round_trips()), (1, 1));
}

#[tokio::test]
async fn what_is_missing_makes_one_more() {
    let bench = Bench::new().await;
    let (answer, counts) = bench
        .run(stored(), |facts, _| {
            facts.read(&tally("a"))?;
            facts.require(Asks::none().read(&tally("b")).read(&tally("c")))?;
            Ok(Outcome::answer(1))
        })
        .await;
    assert_eq!(answer.unwrap(), Ok(1));
    assert_eq!((counts.gets, counts.round_trips()), (2, 2));
}

#[tokio::test]
async fn work_is_done_at_the_same_time_and_once() {
    // Each of the three waits until all of them are asked.
    let meeting = Some(Barrier::new(3));
    let bench = Bench::with(Others { meeting, ..Others::default() }).await;
    let asks = work_of_each().into_iter().chain(work_of_each()).fold(stored(), Asks::work);
    let run = bench.run(asks, |facts, _| {
        for work in work_of_each() {
            facts.done(&work)?;
        }
        facts.read(&tally("b"))?;
        Ok(Outcome::answer(1))
    });
    let (answer, _) = tokio::time::timeout(Duration::from_secs(10), run).await.unwrap();
    assert_eq!(answer.unwrap(), Ok(1));
    assert_eq!(bench.others.counts(), [1, 1, 1]);
}

#[tokio::test]
async fn work_is_kept_over_a_conflict_and_reads_are_not() {
    let bench = Bench::new().await;
    let counter = Key::builder(Class::Side, "attempts").build().unwrap();
    let reserved = Mutex::new(Vec::new());
    let (answer, counts) = bench
        .run(work_of_each().into_iter().fold(stored(), Asks::work), |facts, cx| {
            for work in work_of_each() {
                facts.done(&work)?;
            }
            let keep_until = cx.now.saturating_add(Duration::from_secs(60));
            let work = Work::Reserve { key: counter.clone(), below: 9, keep_until };
            let first = reserved.lock().unwrap().is_empty();
            if let Done::Reserved(reservation) = facts.done(&work)? {
                reserved.lock().unwrap().push(*reservation);
            }
            if first {
                bench.faulty.fail_commits(CommitFault::Conflict, 2);
            }
            // The next run is at a later time, and so asks for a later end of the window.
            bench.clock.advance(Duration::from_secs(1));
            add_one(facts, cx)
        })
        .await;
    assert_eq!(answer.unwrap(), Ok(1));
    assert_eq!(bench.others.counts(), [1, 1, 1]);
    // One reading for each run; one commit for each run and one for the reservation.
    assert_eq!((counts.gets, counts.commits), (3, 4));
    assert_eq!(*reserved.lock().unwrap(), [Reservation::Granted(1); 3]);
}

#[tokio::test]
async fn a_real_conflict_is_decided_by_the_new_state() {
    let bench = Bench::new().await;
    let others = AtomicU32::new(0);
    let run = |facts: &Facts, cx: &mut Cx<'_>| {
        let outcome = add_one(facts, cx);
        // Somebody else is faster, once.
        if others.fetch_add(1, Ordering::SeqCst) == 0 {
            futures_util::FutureExt::now_or_never(bench.set(40)).unwrap();
        }
        outcome
    };
    assert_eq!(bench.run(stored(), run).await.0.unwrap(), Ok(41));
    assert_eq!(bench.count().await, 41);
}

#[tokio::test]
async fn each_run_has_the_same_bytes_and_a_commit_id_of_its_own() {
    let bench = Bench::new().await;
    bench.faulty.fail_commits(CommitFault::Conflict, 2);
    let (bytes, ids) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let decide = |facts: &Facts, cx: &mut Cx<'_>| {
        bytes.lock().unwrap().push(cx.rng.bytes::<48>());
        facts.read(&tally("b"))?;
        let outcome = add_one(facts, cx)?;
        ids.lock().unwrap().extend(outcome.batch.as_ref().map(Batch::id));
        Ok(outcome)
    };
    bench.run(stored(), decide).await.0.unwrap().unwrap();
    let first = std::mem::take(&mut *bytes.lock().unwrap());
    // Three attempts, each of which misses a fact once.
    assert_eq!(first.len(), 6);
    assert!(first.iter().all(|bytes| *bytes == first[0]));
    let mut ids = std::mem::take(&mut *ids.lock().unwrap());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    // Another request has other bytes.
    bench
        .run(stored(), |_, cx| {
            assert_ne!(cx.rng.bytes::<48>(), first[0]);
            Ok(Outcome::answer(0))
        })
        .await
        .0
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn four_conflicts_are_borne_and_the_fifth_is_not() {
    let bench = Bench::new().await;
    bench.faulty.fail_commits(CommitFault::Conflict, 4);
    assert_eq!(bench.run(stored(), add_one).await.0.unwrap(), Ok(1));
    bench.faulty.fail_commits(CommitFault::Conflict, 5);
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert!(matches!(answer, Err(Unavailable::Contention { attempts: 5 })));
    assert_eq!((counts.commits, bench.count().await), (5, 1));
}

#[tokio::test]
async fn a_long_decision_bears_as_many_conflicts_as_a_short_one() {
    let bench = Bench::new().await;
    bench.faulty.fail_commits(CommitFault::Conflict, 4);
    let decide = |facts: &Facts, cx: &mut Cx<'_>| {
        for name in ["b", "c", "d", "e", "f", "g"] {
            facts.read(&tally(name))?;
        }
        add_one(facts, cx)
    };
    assert_eq!(bench.run(stored(), decide).await.0.unwrap(), Ok(1));
}

#[tokio::test]
async fn an_unknown_outcome_is_found_out() {
    let bench = Bench::new().await;
    // It was applied: the record says so.
    bench.faulty.fail_commit(CommitFault::UnknownApplied);
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert_eq!((answer.unwrap(), counts.gets, counts.commits), (Ok(1), 2, 1));
    assert_eq!(bench.count().await, 1);
    // It was not: it is sent again, once.
    bench.faulty.fail_commit(CommitFault::UnknownNotApplied);
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert_eq!((answer.unwrap(), counts.gets, counts.commits), (Ok(2), 2, 2));
    assert_eq!(bench.count().await, 2);
    assert_eq!(bench.faulty.waiting(), 0);
}

#[tokio::test]
async fn what_was_applied_is_not_applied_again_if_it_cannot_be_read() {
    let bench = Bench::new().await;
    bench.faulty.fail_commit(CommitFault::UnknownApplied);
    let asked = AtomicBool::new(false);
    let decide = |facts: &Facts, cx: &mut Cx<'_>| {
        let outcome = add_one(facts, cx)?;
        if !asked.swap(true, Ordering::SeqCst) {
            bench.faulty.fail_read();
        }
        Ok(outcome)
    };
    let (answer, counts) = bench.run(stored(), decide).await;
    assert_eq!((answer.unwrap(), counts.commits), (Ok(1), 2));
    assert_eq!((bench.count().await, bench.faulty.waiting()), (1, 0));
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_is_no_success() {
    let bench = Bench::new().await;
    bench.faulty.fail_commits(CommitFault::UnknownNotApplied, 4);
    assert!(matches!(bench.run(stored(), add_one).await.0, Err(Unavailable::Store(_))));
    assert_eq!((bench.count().await, bench.faulty.waiting()), (0, 0));
}

#[tokio::test]
async fn a_component_that_fails_closes() {
    let bench = Bench::new().await;
    bench.faulty.fail_commit(CommitFault::Unavailable);
    assert!(matches!(bench.run(stored(), add_one).await.0, Err(Unavailable::Store(_))));
    bench.faulty.fail_read();
    assert!(matches!(bench.run(stored(), add_one).await.0, Err(Unavailable::Store(_))));
    bench.others.hook_is_broken.store(true, Ordering::SeqCst);
    let asks = work_of_each().into_iter().fold(stored(), Asks::work);
    let (answer, counts) = bench.run(asks, add_one).await;
    assert!(matches!(answer, Err(Unavailable::Port { port: "hook", .. })));
    assert_eq!((counts.commits, bench.count().await), (0, 0));
}

#[tokio::test]
async fn a_refusal_commits_its_batch() {
    let bench = Bench::new().await;
    let refuse = |facts: &Facts, cx: &mut Cx<'_>| {
        let Some(found) = facts.read(&tally("a"))? else { return Ok(Outcome::refuse("none")) };
        let write = found.replace(&Tally { count: 7, ..found.value.clone() })?;
        Outcome::commit(cx.batch().write(write), Err("reused"))
    };
    assert_eq!(bench.run(stored(), refuse).await.0.unwrap(), Err("reused"));
    assert_eq!(bench.count().await, 7);
}

#[tokio::test]
async fn a_cached_yes_ends_after_five_seconds() {
    let bench = Bench::new().await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Ok(0));
    bench.set(1).await;
    bench.clock.advance(Duration::from_millis(4_999));
    let (answer, counts) = bench.run(cached(), unless_changed).await;
    assert_eq!((answer.unwrap(), counts.round_trips()), (Ok(0), 0));
    bench.clock.advance(Duration::from_millis(1));
    let (answer, counts) = bench.run(cached(), unless_changed).await;
    assert_eq!((answer.unwrap(), counts.round_trips()), (Err("changed"), 1));
}

#[tokio::test]
async fn a_cached_record_justifies_no_refusal() {
    let bench = Bench::new().await;
    bench.set(1).await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Err("changed"));
    bench.set(0).await;
    let (answer, counts) = bench.run(cached(), unless_changed).await;
    assert_eq!((answer.unwrap(), counts.gets), (Ok(0), 1));
    // A record that cannot be read is no yes either.
    bench.put("a", "damaged").await;
    bench.clock.advance(Duration::from_secs(5));
    assert!(bench.run(cached(), unless_changed).await.0.is_err());
    bench.set(0).await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Ok(0));
}

#[tokio::test]
async fn absence_is_not_cached() {
    let bench = Bench::new().await;
    let asks = || Asks::none().read_cached(&tally("b"));
    let decide = |facts: &Facts, _: &mut Cx<'_>| {
        Ok(Outcome::answer(u64::from(facts.read(&tally("b"))?.is_some())))
    };
    assert_eq!(bench.run(asks(), decide).await.0.unwrap(), Ok(0));
    bench.put("b", r#"{"schema":1,"value":{"count":0}}"#).await;
    assert_eq!(bench.run(asks(), decide).await.0.unwrap(), Ok(1));
}

#[tokio::test]
async fn a_cached_record_does_not_conflict_for_ever() {
    let bench = Bench::new().await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Ok(0));
    bench.set(5).await;
    assert_eq!(bench.run(cached(), add_one).await.0.unwrap(), Ok(6));
    // What this process wrote itself is not answered from the cache.
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Err("changed"));
}

#[tokio::test]
async fn who_asks_for_the_stored_record_gets_it() {
    let bench = Bench::new().await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Ok(0));
    bench.set(1).await;
    for asks in [stored().and(cached()), cached().and(stored())] {
        let (answer, counts) = bench
            .run(asks, |facts, _| {
                Ok(Outcome::answer(facts.read(&tally("a"))?.map_or(0, |found| found.value.count)))
            })
            .await;
        assert_eq!((answer.unwrap(), counts.gets), (Ok(1), 1));
    }
    // Also if the cached one was enough at first.
    let (answer, _) = bench
        .run(cached(), |facts, _| {
            facts.require(stored())?;
            Ok(Outcome::answer(facts.read(&tally("a"))?.map_or(0, |found| found.value.count)))
        })
        .await;
    assert_eq!(answer.unwrap(), Ok(1));
}

#[tokio::test]
async fn a_full_counter_is_an_answer() {
    let bench = Bench::new().await;
    let key = Key::builder(Class::Side, "attempts").build().unwrap();
    let end = bench.clock.now().saturating_add(Duration::from_secs(60));
    let reserve = |facts: &Facts, _: &mut Cx<'_>| {
        let work = Work::Reserve { key: key.clone(), below: 2, keep_until: end };
        Ok(match facts.done(&work)? {
            Done::Reserved(Reservation::Granted(sum)) => Outcome::answer(*sum),
            _ => Outcome::refuse("full"),
        })
    };
    for expected in [Ok(1), Ok(2), Err("full"), Err("full")] {
        assert_eq!(bench.run(Asks::none(), reserve).await.0.unwrap(), expected);
    }
    // The window ends.
    bench.clock.advance(Duration::from_secs(60));
    let end = bench.clock.now().saturating_add(Duration::from_secs(60));
    let again = |facts: &Facts, _: &mut Cx<'_>| {
        let work = Work::Reserve { key: key.clone(), below: 2, keep_until: end };
        Ok(match facts.done(&work)? {
            Done::Reserved(Reservation::Granted(sum)) => Outcome::answer(*sum),
            _ => Outcome::refuse("full"),
        })
    };
    assert_eq!(bench.run(Asks::none(), again).await.0.unwrap(), Ok(1));
    // If it cannot be told whether there is a place, there is none.
    bench.faulty.fail_commit(CommitFault::UnknownApplied);
    assert!(bench.run(Asks::none(), again).await.0.is_err());
}

#[tokio::test]
async fn a_decision_that_asks_without_end_is_a_defect() {
    let bench = Bench::new().await;
    let nth = AtomicU32::new(0);
    let (answer, counts) = bench
        .run(Asks::none(), |facts, _| {
            let name = nth.fetch_add(1, Ordering::SeqCst).to_string();
            facts.read(&tally(&name))?;
            Ok(Outcome::answer(0))
        })
        .await;
    assert!(matches!(answer, Err(Unavailable::Defect(_))));
    assert!(counts.gets < 100);
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_read_and_not_rewritten() {
    let bench = Bench::new().await;
    let newer = r#"{"schema":2,"value":{"count":3,"colour":"red"}}"#;
    bench.put("a", newer).await;
    let read = |facts: &Facts, _: &mut Cx<'_>| {
        Ok(Outcome::answer(facts.read(&tally("a"))?.map_or(0, |found| found.value.count)))
    };
    assert_eq!(bench.run(stored(), read).await.0.unwrap(), Ok(3));
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert!(matches!(answer, Err(Unavailable::Newer(error)) if error.kind == "tally"));
    assert_eq!(counts.commits, 0);
    assert_eq!(bench.text("a").await.unwrap(), newer);
}

#[tokio::test]
async fn members_of_a_later_version_are_kept() {
    let bench = Bench::new().await;
    bench.put("a", r#"{"schema":1,"value":{"count":3,"colour":"red"}}"#).await;
    assert_eq!(bench.run(stored(), add_one).await.0.unwrap(), Ok(4));
    let text = bench.text("a").await.unwrap();
    assert_eq!(text, r#"{"schema":1,"value":{"count":4,"colour":"red"}}"#);
}

#[tokio::test]
async fn a_damaged_record_names_its_kind() {
    let bench = Bench::new().await;
    for text in [
        "",
        "null",
        "{}",
        "[]",
        "nonsense",
        "{\"schema\":1",
        r#"{"schema":1,"value":null}"#,
        r#"{"schema":-1,"value":{"count":0}}"#,
        r#"{"schema":1,"value":{"count":"0"}}"#,
        r#"{"schema":1,"value":{"count":-1}}"#,
        r#"{"schema":0,"value":{}}"#,
        "\u{0}",
    ] {
        bench.put("a", text).await;
        let (answer, _) = bench.run(stored(), add_one).await;
        assert!(
            matches!(&answer, Err(Unavailable::Damaged(error)) if error.kind == "tally"),
            "{text}: {answer:?}"
        );
        assert_eq!(bench.text("a").await.unwrap(), text);
    }
}
