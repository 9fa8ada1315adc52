//! The outbox: every message is delivered, once if nothing goes wrong, and known again if it comes twice.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

#[path = "../../auth-sqlite/tests/scratch/mod.rs"]
mod scratch;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::decision::Rng;
use auth_core::outbox::{
    CauseOfDeath, DeadLetterError, DeadLetters, Deliver, DeliveryError, Event, Message, MessageId,
    OutboxWorker,
};
use auth_core::record::{Found, Kind};
use auth_core::store::limits::DUE_SHARDS;
use auth_core::store::{
    Batch, BatchBuilder, Class, CommitId, Due, KeyRange, Main, MemoryStore, NewRecord, Queue, Scan,
    Sweep, When, Write, Writes,
};
use auth_core::{Clock, Store, SystemEntropy, TenantId};
use auth_sqlite::SqliteStore;
use auth_testkit::TestClock;
use auth_testkit::store::{CommitFault, FaultyStore};
use scratch::Scratch;
use serde_json::json;

/// Remembers what was delivered to it, and fails as told.
#[derive(Debug, Default)]
struct Receiver {
    calls: Mutex<Vec<(String, u32)>>,
    failures: AtomicU32,
    /// Is away once a message was delivered, as for a worker that dies.
    loses: Option<Arc<FaultyStore>>,
    /// Never answers to the first message that it is brought.
    hangs: AtomicBool,
}

impl Receiver {
    fn failing(times: u32) -> Arc<Self> {
        Arc::new(Self { failures: AtomicU32::new(times), ..Self::default() })
    }

    /// The idempotency key and number of each attempt.
    fn calls(&self) -> Vec<(String, u32)> {
        self.calls.lock().unwrap().clone()
    }

    fn keys(&self) -> BTreeSet<String> {
        self.calls().into_iter().map(|(key, _)| key).collect()
    }
}

#[async_trait]
impl Deliver for Receiver {
    async fn deliver(
        &self,
        _: TenantId,
        idempotency_key: &str,
        message: &Message,
    ) -> Result<(), DeliveryError> {
        self.calls.lock().unwrap().push((idempotency_key.to_owned(), message.attempts));
        tokio::task::yield_now().await;
        if self.hangs.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(store) = &self.loses {
            store.fail_commit(CommitFault::Unavailable);
        }
        let fails = |left: u32| left.checked_sub(1);
        match self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails) {
            Ok(_) => Err(DeliveryError::new("away")),
            Err(_) => Ok(()),
        }
    }
}

fn worker(store: &Arc<dyn Store>, clock: &TestClock, receiver: &Arc<Receiver>) -> OutboxWorker {
    let entropy = Arc::new(SystemEntropy::default());
    OutboxWorker::new(store.clone(), Arc::new(clock.clone()), entropy, receiver.clone())
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

async fn commit(store: &Arc<dyn Store>, clock: &TestClock, id: u8, writes: Vec<impl Writes<Main>>) {
    let batch = Batch::builder::<Main>(CommitId::from_bytes([id; 16]), clock.now());
    let batch = writes.into_iter().fold(batch, BatchBuilder::write);
    store.commit(TenantId::DEFAULT, &batch.build().unwrap()).await.unwrap();
}

/// Puts messages into the outbox.
async fn post(store: &Arc<dyn Store>, clock: &TestClock, count: u8) {
    for nth in 0..count {
        let event = Event::new("reused", json!({"nth": nth}));
        let write = event.write(&mut Rng::from_seed(&[nth; 32]), clock.now());
        commit(store, clock, 100 + nth, vec![write]).await;
    }
}

/// All messages that the store still has.
async fn messages(store: &Arc<dyn Store>) -> Vec<Message> {
    let range = KeyRange::class(Class::Main);
    let pages = store.scan(TenantId::DEFAULT, &[Scan::records(range, 100)]).await.unwrap();
    let read = |record| Found::<Message>::read(record).unwrap().value;
    pages[0].records.iter().map(read).collect()
}

/// Several workers at once, each with a handle of its own on the same records.
async fn race(stores: Vec<Arc<dyn Store>>) {
    let (clock, receiver) = (TestClock::at_present(), Arc::new(Receiver::default()));
    post(&stores[0], &clock, 40).await;
    let mut workers = tokio::task::JoinSet::new();
    for store in &stores {
        let worker = worker(store, &clock, &receiver);
        workers.spawn(async move { worker.run_once().await.unwrap() });
    }
    let worked = workers.join_all().await;
    assert_eq!(worked.iter().map(|worked| worked.delivered).sum::<u32>(), 40);
    assert_eq!(receiver.calls().len(), 40);
    assert_eq!(receiver.keys().len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_several_workers_delivers_a_message() {
    race(vec![memory()]).await;
    let store = memory();
    race(vec![store.clone(), store.clone(), store.clone(), store]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_several_processes_delivers_a_message() {
    let scratch = Scratch::new();
    let open = |_| Arc::new(SqliteStore::open(scratch.file()).unwrap()) as Arc<dyn Store>;
    race((0..3).map(open).collect()).await;
}

#[tokio::test]
async fn a_message_whose_worker_died_comes_again_under_the_same_key() {
    let faulty = Arc::new(FaultyStore::new(memory()));
    let (store, clock) = (faulty.clone() as Arc<dyn Store>, TestClock::at_present());
    let dying = Arc::new(Receiver { loses: Some(faulty), ..Receiver::default() });
    post(&store, &clock, 1).await;
    let dies = worker(&store, &clock, &dying);
    let receiver = Arc::new(Receiver::default());
    let lives = worker(&store, &clock, &receiver);
    for _ in 0..3 {
        assert!(dies.run_once().await.is_err());
        // Nobody else has it before the lease ends.
        clock.advance(Message::LEASE - Duration::from_millis(1));
        assert_eq!(lives.run_once().await.unwrap().delivered, 0);
        clock.advance(Duration::from_millis(1));
    }
    assert_eq!(lives.run_once().await.unwrap().delivered, 1);
    assert_eq!(dying.calls().len(), 3);
    assert_eq!(receiver.calls(), [(dying.calls()[0].0.clone(), 4)]);
    assert_eq!(dying.keys(), receiver.keys());
    clock.advance(Message::LEASE * 2);
    assert_eq!(lives.run_once().await.unwrap().delivered, 0);
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_after_a_growing_time() {
    let (store, clock, receiver) = (memory(), TestClock::at_present(), Receiver::failing(3));
    let worker = worker(&store, &clock, &receiver);
    post(&store, &clock, 1).await;
    for wait in [2, 4, 8] {
        assert_eq!(worker.run_once().await.unwrap().failed, 1);
        clock.advance(Duration::from_secs(wait) - Duration::from_millis(1));
        assert_eq!(worker.run_once().await.unwrap().failed, 0);
        clock.advance(Duration::from_millis(1));
    }
    assert_eq!(worker.run_once().await.unwrap().delivered, 1);
    assert_eq!(receiver.keys().len(), 1);
}

#[tokio::test]
async fn a_dead_letter_waits_for_an_operator_and_then_goes() {
    let (store, clock) = (memory(), TestClock::at_present());
    let receiver = Receiver::failing(u32::MAX);
    let worker = worker(&store, &clock, &receiver);
    post(&store, &clock, 1).await;
    for _ in 0..Message::MAX_ATTEMPTS {
        assert_eq!(worker.run_once().await.unwrap().failed, 1);
        clock.advance(Duration::from_secs(3600));
    }
    assert!(messages(&store).await[0].is_dead());
    clock.advance(Duration::from_secs(29 * 24 * 3600));
    assert_eq!(worker.run_once().await.unwrap(), Default::default());
    assert_eq!(receiver.calls().len(), Message::MAX_ATTEMPTS as usize);
    store.sweep(Sweep::Expired { now: clock.now() }, 100).await.unwrap();
    assert_eq!(messages(&store).await.len(), 1);
    clock.advance(Duration::from_secs(24 * 3600));
    store.sweep(Sweep::Expired { now: clock.now() }, 100).await.unwrap();
    assert_eq!(messages(&store).await.len(), 0);
}

#[tokio::test]
async fn a_delivered_message_is_swept() {
    let (store, clock) = (memory(), TestClock::at_present());
    let receiver = Arc::new(Receiver::default());
    post(&store, &clock, 5).await;
    let worked = worker(&store, &clock, &receiver).run_once().await.unwrap();
    assert_eq!((worked.delivered, receiver.calls().len()), (5, 5));
    let swept = store.sweep(Sweep::Expired { now: clock.now() }, 100).await.unwrap();
    assert_eq!((swept.removed, messages(&store).await.len()), (5, 0));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_does_not_stop_the_others() {
    let (store, clock) = (memory(), TestClock::at_present());
    let receiver = Arc::new(Receiver::default());
    post(&store, &clock, 3).await;
    let due = store.due(Queue::Outbox, clock.now(), 0..DUE_SHARDS, 9).await.unwrap();
    let of_schema = |nth: usize, schema: &str| {
        let changed = due[nth].1.value.replacen(r#""schema":2"#, schema, 1);
        assert_ne!(changed, *due[nth].1.value);
        changed
    };
    // The third is as the version before this one wrote it, and is delivered.
    let (newer, older) = (of_schema(1, r#""schema":3"#), of_schema(2, r#""schema":1"#));
    for (nth, text) in [(0, "damaged"), (1, newer.as_str()), (2, older.as_str())] {
        let record = &due[nth].1;
        let record = NewRecord {
            key: record.key.clone(),
            value: text.into(),
            index: Vec::new(),
            keep_until: None,
            due: record.due,
        };
        let put = Write::Put { record, when: When::Present, old_index: Vec::new() };
        commit(&store, &clock, nth as u8, vec![put]).await;
    }
    let worker = worker(&store, &clock, &receiver);
    let worked = worker.run_once().await.unwrap();
    assert_eq!((worked.delivered, worked.unusable), (1, 2));
    // They stay as they are, for a process that can read them.
    assert_eq!(worker.run_once().await.unwrap().unusable, 2);
    assert_eq!(receiver.calls().len(), 1);
}

#[tokio::test]
async fn a_head_of_messages_that_cannot_be_read_hides_nothing() {
    let (store, clock) = (memory(), TestClock::at_present());
    let receiver = Arc::new(Receiver::default());
    // A hundred are older than the one that can be read, and in the same shard.
    let seed = |nth: u8| Rng::from_seed(&[nth; 32]);
    post(&store, &clock, 1).await;
    let (_, good) =
        store.due(Queue::Outbox, clock.now(), 0..DUE_SHARDS, 1).await.unwrap().remove(0);
    let due = good.due.unwrap();
    let earlier = clock.now().saturating_sub(Duration::from_secs(9));
    for nth in 0..100 {
        let record = NewRecord {
            key: Message::key(&[&seed(nth).bytes::<16>()]).raw().clone(),
            value: "damaged".into(),
            index: Vec::new(),
            keep_until: None,
            due: Some(Due { at: earlier, ..due }),
        };
        let put = Write::Put { record, when: When::Any, old_index: Vec::new() };
        commit(&store, &clock, nth, vec![put]).await;
    }
    let worked = worker(&store, &clock, &receiver).run_once().await.unwrap();
    assert_eq!((worked.delivered, receiver.calls().len()), (1, 1), "{worked:?}");
}

#[tokio::test]
async fn a_message_that_takes_its_workers_along_becomes_a_dead_letter() {
    let faulty = Arc::new(FaultyStore::new(memory()));
    let (store, clock) = (faulty.clone() as Arc<dyn Store>, TestClock::at_present());
    let deadly = Arc::new(Receiver { loses: Some(faulty), ..Receiver::default() });
    post(&store, &clock, 1).await;
    let dies = worker(&store, &clock, &deadly);
    for _ in 0..Message::MAX_ATTEMPTS {
        assert!(dies.run_once().await.is_err());
        clock.advance(Message::LEASE);
    }
    assert!(!messages(&store).await[0].is_dead());
    let worked = dies.run_once().await.unwrap();
    assert_eq!((worked.dead, worked.delivered, worked.failed), (1, 0, 0));
    assert_eq!(deadly.calls().len(), Message::MAX_ATTEMPTS as usize, "it is not tried again");
    let letters = dead_letters(&store, &clock).await.list(None, 10).await.unwrap().letters;
    assert_eq!(letters[0].cause, CauseOfDeath::Lost);
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_hold_up_the_others() {
    let (store, clock) = (memory(), TestClock::at_present());
    let receiver = Arc::new(Receiver { hangs: true.into(), ..Receiver::default() });
    post(&store, &clock, 40).await;
    let limit = Duration::from_millis(300);
    let worked = worker(&store, &clock, &receiver).time_limit(limit).run_once().await.unwrap();
    assert_eq!((worked.delivered, worked.failed), (39, 1));
    // The one that was dropped comes again.
    clock.advance(Duration::from_secs(2));
    assert_eq!(worker(&store, &clock, &receiver).run_once().await.unwrap().delivered, 1);
    assert_eq!(receiver.keys().len(), 40);
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_what_it_began() {
    let (store, clock) = (memory(), TestClock::at_present());
    let receiver = Arc::new(Receiver { hangs: true.into(), ..Receiver::default() });
    post(&store, &clock, 90).await;
    let worker = worker(&store, &clock, &receiver).time_limit(Duration::from_millis(500));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let run = tokio::spawn(worker.run_until(Duration::from_millis(5), stopped));
    while receiver.calls().len() < 90 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!run.is_finished());
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), run).await.unwrap().unwrap();
    // Nothing is left under a lease: 89 are delivered, and the one that hung waits for its next attempt.
    let left = messages(&store).await;
    assert_eq!(left.len(), 90);
    clock.advance(Duration::from_secs(2));
    let due = store.due(Queue::Outbox, clock.now(), 0..DUE_SHARDS, 99).await.unwrap();
    assert_eq!(due.len(), 1);
}

#[tokio::test]
async fn an_outcome_that_is_unknown_is_found_out() {
    for fault in [CommitFault::UnknownApplied, CommitFault::UnknownNotApplied] {
        let faulty = Arc::new(FaultyStore::new(memory()));
        let (store, clock) = (faulty.clone() as Arc<dyn Store>, TestClock::at_present());
        let receiver = Arc::new(Receiver::default());
        post(&store, &clock, 1).await;
        // Of the lease, and of what became of it.
        faulty.fail_commits(fault, 2);
        let worked = worker(&store, &clock, &receiver).run_once().await.unwrap();
        assert_eq!((worked.delivered, faulty.waiting()), (1, 0), "{fault:?}");
        clock.advance(Message::LEASE);
        assert_eq!(worker(&store, &clock, &receiver).run_once().await.unwrap(), Default::default());
        assert_eq!(receiver.calls().len(), 1);
    }
}

/// The dead letters of the store's tenant.
async fn dead_letters(store: &Arc<dyn Store>, clock: &TestClock) -> DeadLetters {
    let provider = auth_oidc::Provider::builder("http://127.0.0.1:1")
        .development()
        .shared_store(store.clone())
        .pages(auth_ui::DefaultPages::new())
        .directory(auth_core::MemoryDirectory::new(auth_core::PasswordHasher::default()))
        .signing_keys(|keys| keys.algorithms = vec![auth_core::keys::SigningAlgorithm::Es256])
        .clock(clock.clone());
    provider.build().await.unwrap().dead_letters()
}

#[tokio::test]
async fn dead_letters_are_listed_replayed_and_discarded() {
    let (store, clock) = (memory(), TestClock::at_present());
    let receiver = Receiver::failing(7 * Message::MAX_ATTEMPTS);
    let worker = worker(&store, &clock, &receiver);
    post(&store, &clock, 7).await;
    let letters = dead_letters(&store, &clock).await;
    assert!(letters.list(None, 10).await.unwrap().letters.is_empty());
    for _ in 0..Message::MAX_ATTEMPTS {
        assert_eq!(worker.run_once().await.unwrap().failed, 7);
        clock.advance(Duration::from_secs(3600));
    }
    // Page by page.
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = letters.list(after.as_ref(), 3).await.unwrap();
        assert!(page.letters.len() <= 3);
        listed.extend(page.letters);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let ids: BTreeSet<MessageId> = listed.iter().map(|letter| letter.id).collect();
    assert_eq!((listed.len(), ids.len()), (7, 7));
    let one = &listed[0];
    assert_eq!((one.name.as_str(), one.attempts), ("reused", Message::MAX_ATTEMPTS));
    assert_eq!(one.cause, CauseOfDeath::Refused);
    assert_eq!(MessageId::parse(&one.id.to_string()), Some(one.id));

    // Replayed once, however many operators do so at once.
    let both = tokio::join!(letters.replay(&one.id), letters.replay(&one.id));
    let failed = [both.0, both.1].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(failed.as_slice(), [DeadLetterError::NotDead(_)]), "{failed:?}");
    let again = letters.discard(&one.id).await;
    assert!(matches!(again, Err(DeadLetterError::NotDead(_))));
    letters.discard(&listed[1].id).await.unwrap();
    let gone = letters.replay(&listed[1].id).await;
    assert!(matches!(gone, Err(DeadLetterError::NotFound(_))));
    assert_eq!(letters.list(None, 10).await.unwrap().letters.len(), 5);
    // The letter and what is told of both.
    assert_eq!(worker.run_once().await.unwrap().delivered, 3);
    assert_eq!(letters.replay_all().await.unwrap(), 5);
    assert_eq!(letters.replay_all().await.unwrap(), 0);
    assert!(letters.list(None, 10).await.unwrap().letters.is_empty());
    assert_eq!(worker.run_once().await.unwrap().delivered, 5 + 5);
    // Known by the keys of their first attempts: six of the seven, and eight events of the operator.
    let before: Vec<_> = receiver.calls().into_iter().take(84).map(|(key, _)| key).collect();
    let after: BTreeSet<_> = receiver.calls().into_iter().skip(84).map(|(key, _)| key).collect();
    assert_eq!(after.iter().filter(|key| before.contains(key)).count(), 6);
}

#[tokio::test]
async fn an_event_and_its_cause_are_one_commit() {
    let (store, clock) = (memory(), TestClock::at_present());
    let receiver = Arc::new(Receiver::default());
    post(&store, &clock, 1).await;
    // The second event stands in a batch whose other write is refused.
    let now = clock.now();
    let taken = Event::new("cause", json!({})).write(&mut Rng::from_seed(&[0; 32]), now);
    let event = Event::new("effect", json!({})).write(&mut Rng::from_seed(&[9; 32]), now);
    let batch =
        Batch::builder::<Main>(CommitId::from_bytes([7; 16]), now).write(taken).write(event);
    assert!(store.commit(TenantId::DEFAULT, &batch.build().unwrap()).await.is_err());
    assert_eq!(worker(&store, &clock, &receiver).run_once().await.unwrap().delivered, 1);
}
