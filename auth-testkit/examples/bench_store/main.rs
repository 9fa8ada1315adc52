//! What an operation costs this process beyond its floor, on each durable backend.
//!
//! Ours is a provider, mounted on axum. The floor is a bare axum handler, called the same way, that makes the
//! store statements which ours was seen to make, by the bare driver of the database; the same signatures, hashes and
//! seals; and gives the same answer. On SQLite it commits on a thread for blocking work, since a commit
//! waits for the disk and a server must not. Each of its commits is a transaction, while ours puts those that
//! wait at the same time into one. Both run in turn, in one run, on one database, served over HTTP
//! by one worker thread: to as many callers at once as keep it busy, and to one. CPU time is that of this
//! process without the thread of the callers: the database's own is not in it (SQLite's is, in both). Of
//! many pairs of batches the median counts.
//!
//! ```text
//! bench_store [--json] [BACKEND…] [OPERATION…]
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cpu;
mod driver;
mod floor_postgres;
mod floor_sqlite;
mod operation;
#[path = "../scene/mod.rs"]
#[allow(dead_code, reason = "proofs use more of it")]
mod scene;
#[path = "../served/mod.rs"]
mod served;

use std::sync::Arc;

use auth_core::SystemClock;
use mimalloc::MiMalloc;
use serde_json::{Value, json};
use testbed::{Backend, Database};

use cpu::{Bench, Cost, MANY, Measured};
use operation::Operation;
use scene::{Failure, Scene, Session};
use served::floor::{Driver, Floor};
use served::recorded::Recorder;

/// Of both, ours and the floor; the one that docs/operations/replicas.md recommends.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The bound that a table of this program is judged by.
const BOUND: f64 = 1.3;

const BACKENDS: [Backend; 3] = [Backend::Sqlite, Backend::Postgres, Backend::Tiered];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    // Names of backends and operations choose; without any, all of them are measured.
    let chosen = |names: &[&str], name: &str| {
        let some = |of: &&String| names.contains(&of.as_str());
        arguments.iter().filter(some).count() == 0 || arguments.iter().any(|one| one == name)
    };
    let backends = BACKENDS.map(Backend::name);
    let operations = Operation::ALL.map(Operation::word);
    let bench = Bench::new()?;
    let mut rows = Vec::new();
    for backend in BACKENDS.into_iter().filter(|backend| chosen(&backends, backend.name())) {
        let Some(stage) = bench.server.block_on(Stage::open(backend))? else { continue };
        for operation in Operation::ALL {
            if !chosen(&operations, operation.word()) {
                continue;
            }
            let floor = bench.server.block_on(stage.floor(operation))?;
            let statements = floor.statements();
            let measured = bench.measure(operation, &stage.ours, &stage.session, &floor)?;
            rows.push(Row { backend, operation, statements, measured });
        }
        // A database is removed in a runtime.
        bench.server.block_on(async { drop(stage) });
    }
    if as_json {
        println!("{}", Value::from_iter(rows.iter().map(Row::json)));
        return Ok(());
    }
    println!(
        "CPU time of the server for one operation, on axum with one worker thread, over HTTP/1.1: with \
         {MANY} callers at once, which keep the thread busy, and with one, after each of whose requests \
         it goes to sleep. Statements are round trips to the store. Both are measured by turns in pairs of \
         batches; a ratio is the median of those of the pairs, a time the median of its own, so that neither is the \
         quotient of the others. On SQLite each commit of the floor is a transaction, while ours puts into one \
         those that wait at the same time. The bound of the ratio with {MANY} callers is {BOUND}: {}.\n",
        above(&rows)
    );
    println!(
        "| backend | operation | statements | ours, µs | floor, µs | ratio | ours, one caller, µs | \
         floor, one caller, µs | ratio |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    rows.iter().for_each(Row::print);
    Ok(())
}

/// What costs more than the bound permits.
fn above(rows: &[Row]) -> String {
    let is_above = |row: &&Row| row.measured.busy.ratio > BOUND;
    let name = |row: &Row| format!("{} on {}", row.operation.name(), row.backend.name());
    let above: Vec<String> = rows.iter().filter(is_above).map(name).collect();
    if above.is_empty() {
        "nothing is above it".to_owned()
    } else {
        format!("missed by {}", above.join(", "))
    }
}

/// What is measured, on one backend.
struct Stage {
    ours: Scene,
    session: Session,
    /// The same provider, watched.
    seen: Scene,
    recorder: Arc<Recorder>,
    driver: Arc<dyn Driver>,
    _database: Database,
}

impl Stage {
    /// `None` without the backend's server: it stands in the list of the command that started this.
    async fn open(backend: Backend) -> Result<Option<Self>, Failure> {
        let Some(database) = backend.database().await else { return Ok(None) };
        let store = database.open().await;
        let recorder = Recorder::new(store.clone());
        let seen = Scene::open(recorder.clone(), SystemClock::default()).await?;
        let ours = Scene::open(store, SystemClock::default()).await?;
        let driver = driver::open(&database).await?;
        let session = ours.sign_in("alice").await?;
        Ok(Some(Self { ours, session, seen, recorder, driver, _database: database }))
    }

    async fn floor(&self, operation: Operation) -> Result<Floor, Failure> {
        let plan = operation.record(&self.seen, &self.session, &self.recorder).await?;
        Ok(Floor::new(plan, &self.driver))
    }
}

struct Row {
    backend: Backend,
    operation: Operation,
    statements: usize,
    measured: Measured,
}

impl Row {
    fn print(&self) {
        let columns = |cost: Cost| {
            let Cost { ours, floor, ratio } = cost;
            format!("{ours:.1} | {floor:.1} | {ratio:.2}")
        };
        let Measured { busy, one_caller } = self.measured;
        println!(
            "| {} | {} | {} | {} | {} |",
            self.backend.name(),
            self.operation.name(),
            self.statements,
            columns(busy),
            columns(one_caller),
        );
    }

    fn json(&self) -> Value {
        let Measured { busy, one_caller } = self.measured;
        json!({
            "backend": self.backend.name(),
            "operation": self.operation.name(),
            "statements": self.statements,
            "micros": busy.ours,
            "floor_micros": busy.floor,
            "ratio": busy.ratio,
            "one_caller_micros": one_caller.ours,
            "one_caller_floor_micros": one_caller.floor,
            "one_caller_ratio": one_caller.ratio,
        })
    }
}
