//! [`Schema`]: a schema of the database at `DATABASE_URL`, for one test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::NoTls;

/// A name that no other process uses; what stands under it is dropped with the value.
#[derive(Debug)]
pub(super) struct Schema {
    url: String,
    name: String,
    _turn: Option<SemaphorePermit<'static>>,
}

/// A database has some handles of four connections each; a server takes 200 connections.
static TURNS: Semaphore = Semaphore::const_new(12);
/// Whoever holds several databases could wait for itself: after a while it goes on.
const PATIENCE: Duration = Duration::from_secs(20);

impl Schema {
    /// A name; the store makes the schema.
    pub(super) async fn new(url: String) -> Self {
        let turn = tokio::time::timeout(PATIENCE, TURNS.acquire()).await;
        Self { url, name: unused("test"), _turn: turn.ok().and_then(Result::ok) }
    }

    /// The URL with the schema in it, as [`open`](super::open) reads it.
    pub(super) fn spec(&self) -> String {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{separator}schema={}", self.url, self.name)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // A runtime cannot be entered where one runs already. What cannot be dropped is left: the server
        // of a run goes with the run.
        let _ = std::thread::spawn(move || drop_schema(&url, &name)).join();
    }
}

fn drop_schema(url: &str, name: &str) -> Option<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.ok()?;
        tokio::spawn(connection);
        let script = format!(
            "SET lock_timeout = '5s'; SET synchronous_commit = off; DROP SCHEMA IF EXISTS {name} CASCADE"
        );
        client.batch_execute(&script).await.ok()
    })
}

/// A name that other values, processes and runs do not have.
pub(super) fn unused(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}_{}_{}_{nth}", std::process::id(), since.as_millis())
}
