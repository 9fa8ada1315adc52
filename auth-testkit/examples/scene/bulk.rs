//! Many grants in a database, each issued by the engine: their tokens work.
//!
//! The engine issues them on a store in memory, and from there they are restored by the thousand; that
//! is many times faster than a commit for each.

use std::sync::Arc;

use auth_core::Clock;
use auth_core::store::limits::MAX_ARCHIVED;
use auth_core::store::{Archive, Archived, Class, KeyRange, MemoryStore, Store, Sweep, TenantId};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::{Failure, Scene, Tokens};

/// How many grants are held in memory at once.
const CHUNK: u64 = 25_000;
/// How many pages are restored at once: a store may put them into one transaction.
const AT_ONCE: usize = 64;
/// How many grants each person has.
const EACH: u64 = 10;

/// What a provider wrote when it was opened, and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Fresh(Vec<Archived>);

impl Fresh {
    /// Of a database whose provider was opened just now.
    pub(crate) async fn of(database: &dyn Archive) -> Result<Self, Failure> {
        Ok(Self(archived(database).await?))
    }

    /// Puts `grants` into the database, and gives the tokens of about `sample` of them, spread evenly.
    pub(crate) async fn issue(
        &self,
        into: &dyn Archive,
        clock: impl Clock + Clone,
        grants: u64,
        sample: u64,
    ) -> Result<Vec<Tokens>, Failure> {
        let (pages, mut full) = mpsc::channel(1);
        let nth = grants.div_ceil(sample.max(1)).max(1);
        let engine = tokio::spawn(engine(self.0.clone(), clock, grants, nth, pages));
        while let Some(records) = full.recv().await {
            stream::iter(records.chunks(MAX_ARCHIVED.into()))
                .map(|page| into.restore(page))
                .buffered(AT_ONCE)
                .try_for_each(async |_| Ok(()))
                .await?;
        }
        engine.await?
    }
}

/// Issues chunk by chunk, and sends what was written.
async fn engine(
    base: Vec<Archived>,
    clock: impl Clock + Clone,
    grants: u64,
    nth: u64,
    pages: mpsc::Sender<Vec<Archived>>,
) -> Result<Vec<Tokens>, Failure> {
    let memory = Arc::new(MemoryStore::new());
    restore(&*memory, &base).await?;
    let scene = Scene::open(memory.clone(), clock).await?;
    let (mut issued, mut sample) = (0, Vec::new());
    while issued < grants {
        let chunk = CHUNK.min(grants - issued);
        let mut session = scene.sign_in(&format!("person-{issued:09}")).await?;
        for number in issued..issued + chunk {
            if number % EACH == 0 {
                session = scene.sign_in(&format!("person-{number:09}")).await?;
            }
            let tokens = scene.grant(&session).await?;
            if number % nth == 0 {
                sample.push(tokens);
            }
        }
        issued += chunk;
        let mut records = archived(&*memory).await?;
        // What one commit wrote lies together, as where it was committed; the commits are in no order.
        records.sort_by_key(|archived| archived.record.version);
        for class in [Class::Main, Class::Side] {
            let range = KeyRange::class(class);
            memory.sweep(Sweep::Range { tenant: TenantId::DEFAULT, range }, u32::MAX).await?;
        }
        restore(&*memory, &base).await?;
        if pages.send(records).await.is_err() {
            break;
        }
    }
    Ok(sample)
}

async fn archived(from: &dyn Archive) -> Result<Vec<Archived>, Failure> {
    let mut all: Vec<Archived> = Vec::new();
    loop {
        let after = all.last().map(Archived::place);
        let page = from.archived(after.as_ref(), MAX_ARCHIVED).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn restore(into: &dyn Archive, records: &[Archived]) -> Result<(), Failure> {
    for page in records.chunks(MAX_ARCHIVED.into()) {
        into.restore(page).await?;
    }
    Ok(())
}
