//! What databases hold after a crash: a process of this program is killed, or the server of the database.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::process::Command;
use std::sync::{Arc, Mutex};

use auth_store::{
    Batch, Class, CommitId, Key, Main, MemoryStore, Store, TenantId, Timestamp, When, Write,
};
use auth_testkit::store::crash::{Checked, CrashTest, Record, commit, commit_and_tell};
use auth_testkit::store::{CommitFault, FaultyStore};
use testbed::{Folder, Postgres, Redis};

#[path = "../examples/nodes/flawed.rs"]
mod flawed;

use flawed::Flaw;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const SPEC: &str = "AUTH_TEST_CRASH_SPEC";
/// Set for a store that acknowledges before it writes.
const BEHIND: &str = "AUTH_TEST_CRASH_BEHIND";

/// Not a test by itself: `cargo test -p auth-testkit --test store_crash` starts it, many times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests start it"]
async fn a_process_that_commits() {
    let spec = std::env::var(SPEC).unwrap();
    let store = match std::env::var_os(BEHIND) {
        None => testbed::open(&spec).await.unwrap(),
        Some(_) => flawed::open(Flaw::WritesBehind, &spec).await.unwrap(),
    };
    panic!("{}", commit(store).await);
}

/// A test whose process has the database of `spec`.
async fn test(spec: &str) -> CrashTest {
    let (store, spec) = (testbed::open(spec).await.unwrap(), spec.to_owned());
    CrashTest::new(store, move || process(&spec))
}

fn process(spec: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["a_process_that_commits", "--exact", "--ignored", "--nocapture"]);
    command.env(SPEC, spec);
    command
}

fn holds(checked: Result<Checked, auth_testkit::store::Finding>) {
    let checked = checked.unwrap_or_else(|finding| panic!("{finding}"));
    println!("{checked:?}");
    assert!(checked.acknowledged > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_on_sqlite() {
    let folder = Folder::new().unwrap();
    let spec = format!("sqlite:{}", folder.file("auth.db").display());
    holds(test(&spec).await.kill_the_process(6).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_acknowledges_before_it_writes_is_found() {
    let folder = Folder::new().unwrap();
    let spec = format!("sqlite:{}", folder.file("auth.db").display());
    let store = testbed::open(&spec).await.unwrap();
    let mut test = CrashTest::new(store, move || {
        let mut command = process(&spec);
        command.env(BEHIND, "1");
        command
    });
    let found = test.kill_the_process(5).await.unwrap_err();
    assert!(found.saw.contains("was acknowledged, and"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_or_server_loses_nothing_on_postgres() {
    if testbed::component("crashes of PostgreSQL", "AUTH_TEST_POSTGRES").is_none() {
        return;
    }
    let mut server = Postgres::start().unwrap();
    let mut test = test(&format!("{}?schema=crash", server.url())).await;
    holds(test.kill_the_process(4).await);
    let kill = || {
        server.kill().unwrap();
        server.start_again().unwrap();
    };
    holds(test.kill_the_database(2, kill).await);
    holds(test.kill_the_database(2, || server.restart().unwrap()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_or_server_loses_nothing_on_redis() {
    if testbed::component("crashes of Redis", "AUTH_TEST_REDIS_SERVER").is_none() {
        return;
    }
    let mut server = Redis::start().unwrap();
    let mut test = test(&format!("{}#crash", server.url())).await;
    holds(test.kill_the_process(4).await);
    let kill = || {
        server.kill().unwrap();
        server.start_again().unwrap();
    };
    holds(test.kill_the_database(2, kill).await);
}

/// Commits in this process until so much was told, with the lines that were.
async fn commit_here(store: Arc<dyn Store>, lines: usize) -> Vec<String> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (sender, mut enough) = tokio::sync::mpsc::channel(1);
    let kept = told.clone();
    let tell = move |line: &str| {
        let mut kept = kept.lock().unwrap();
        kept.push(line.to_owned());
        if kept.len() >= lines {
            let _ = sender.try_send(());
        }
    };
    tokio::select! {
        finding = commit_and_tell(store, tell) => panic!("{finding}"),
        _ = enough.recv() => {}
    }
    let told = told.lock().unwrap();
    told.clone()
}

/// A record of these lines.
fn record(lines: &[String]) -> Record {
    let mut record = Record::default();
    for line in lines {
        record.take(line).unwrap();
    }
    record
}

#[tokio::test]
async fn an_unknown_outcome_is_resolved_by_reading_and_by_a_replay() {
    let memory = Arc::new(MemoryStore::new());
    let faulty = Arc::new(FaultyStore::new(memory.clone()));
    for _ in 0..40 {
        faulty.fail_commit(CommitFault::UnknownApplied);
        faulty.fail_commit(CommitFault::UnknownNotApplied);
        faulty.fail_commit(CommitFault::Unavailable);
    }
    let mut record = record(&commit_here(faulty.clone(), 600).await);
    assert_eq!(faulty.waiting(), 0);
    let memory: Arc<dyn Store> = memory;
    record.check(&memory).await.unwrap();
    assert_eq!(record.checked().unknown, 80);
}

#[tokio::test]
async fn what_is_lost_doubled_or_there_in_part_is_found() {
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let lines = commit_here(memory.clone(), 200).await;
    record(&lines).check(&memory).await.unwrap();

    let finding = async |lines: &[String]| record(lines).check(&memory).await.unwrap_err().saw;
    let more = |line: &str| [lines.clone(), vec![line.to_owned()]].concat();
    let lost = more("crash: acknowledged 0 1000");
    assert!(finding(&lost).await.contains("batch 1000 of Chain(0) was acknowledged"));
    let never_begun = more("crash: began 0 1");
    assert!(finding(&never_begun).await.contains("1 was the last begun"));

    let key = |name: &str| Key::builder(Class::Main, "kit").text(name).build().unwrap();
    let change = async |n: u8, write: Write| {
        // A batch must write something.
        let other = key("crash-elsewhere");
        let until = Timestamp::MAX;
        let batch = Batch::builder::<Main>(CommitId::from_bytes([n; 16]), Timestamp::EPOCH)
            .write(write)
            .write(Write::Add { key: other, n: 1, below: None, keep_until: until })
            .build()
            .unwrap();
        memory.commit(TenantId::DEFAULT, &batch).await.unwrap();
    };
    let counter = key("crash-1-counter");
    let add = Write::Add { key: counter, n: 1, below: None, keep_until: Timestamp::MAX };
    change(1, add).await;
    assert!(finding(&lines).await.contains("were counted as"));
    let right = key("crash-0-right-2");
    change(2, Write::Delete { key: right, when: When::Present, old_index: Vec::new() }).await;
    assert!(finding(&lines).await.contains("batch 2 of"));
}
