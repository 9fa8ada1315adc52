//! What an operation costs this process beyond its floor, on each durable backend.
//!
//! Ours is a provider, mounted on axum and called in process. The floor is a bare axum handler, called the
//! same way, that makes the store statements which ours was seen to make, by the bare driver of the
//! database; as many signatures and hashes; and an answer of the same size. On SQLite it commits on a
//! thread for blocking work, since a commit waits for the disk and a server must not. Both run in turn,
//! in one run, on one database. CPU time is that of this process: the database's own is not in it (SQLite's is, in
//! both). The least of several batches.
//!
//! ```text
//! bench_store [--json] [BACKEND…] [OPERATION…]
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cpu;
mod floor;
mod floor_postgres;
mod floor_sqlite;
mod operation;
mod recorded;
#[path = "../scene/mod.rs"]
#[allow(dead_code, reason = "proofs use more of it")]
mod scene;

use auth_core::SystemClock;
use serde_json::{Value, json};
use testbed::Backend;

use floor::Floor;
use operation::Operation;
use recorded::Recorder;
use scene::{Failure, Scene};

/// The bound that a table of this program is judged by.
const BOUND: f64 = 1.3;

const BACKENDS: [Backend; 3] = [Backend::Sqlite, Backend::Postgres, Backend::Tiered];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = arguments.iter().any(|argument| argument == "--json");
    // Names of backends and operations choose; without any, all of them are measured.
    let chosen = |names: &[&str], name: &str| {
        let some = |of: &&String| names.contains(&of.as_str());
        arguments.iter().filter(some).count() == 0 || arguments.iter().any(|one| one == name)
    };
    let backends = BACKENDS.map(Backend::name);
    let operations = Operation::ALL.map(Operation::word);
    let mut rows = Vec::new();
    for backend in BACKENDS.into_iter().filter(|backend| chosen(&backends, backend.name())) {
        // What was left out stands in the list of the command that started this.
        let Some(database) = backend.database().await else { continue };
        let store = database.open().await;
        let recorder = Recorder::new(store.clone());
        let seen = Scene::open(recorder.clone(), SystemClock::default()).await?;
        let ours = Scene::open(store, SystemClock::default()).await?;
        let driver = floor::Driver::open(&database).await?;
        let session = ours.sign_in("alice").await?;
        for operation in Operation::ALL {
            if !chosen(&operations, operation.word()) {
                continue;
            }
            let plan = operation.record(&seen, &session, &recorder).await?;
            let floor = Floor::new(plan, driver.clone());
            let measured = cpu::in_turn(operation, &ours, &session, &floor).await?;
            rows.push(Row { backend, operation, statements: floor.statements(), measured });
        }
    }
    if as_json {
        println!("{}", Value::from_iter(rows.iter().map(Row::json)));
        return Ok(());
    }
    println!(
        "CPU time of this process for one operation, on axum, in process, one caller. Statements are \
         round trips to the store. The bound is {BOUND}.\n"
    );
    println!("| backend | operation | statements | ours, µs | floor, µs | ratio |");
    println!("|---|---|---:|---:|---:|---:|");
    rows.iter().for_each(Row::print);
    Ok(())
}

struct Row {
    backend: Backend,
    operation: Operation,
    statements: usize,
    measured: cpu::Measured,
}

impl Row {
    fn print(&self) {
        let (ours, floor) = (self.measured.ours, self.measured.floor);
        println!(
            "| {} | {} | {} | {ours:.1} | {floor:.1} | {:.2} |",
            self.backend.name(),
            self.operation.name(),
            self.statements,
            ours / floor
        );
    }

    fn json(&self) -> Value {
        json!({
            "backend": self.backend.name(),
            "operation": self.operation.name(),
            "statements": self.statements,
            "micros": self.measured.ours,
            "floor_micros": self.measured.floor,
        })
    }
}
