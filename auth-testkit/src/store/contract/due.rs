//! Queues of due records.

use std::ops::Range;
use std::sync::Arc;

use auth_store::When::{Absent, Any, At, Present};
use auth_store::{CommitError, Key, Queue, Store};

use super::races::all_at_once;
use crate::store::caller::{Caller, after, new_id};
use crate::store::draft::{key, numbered, record};
use crate::store::violation::{Finding, ensure};

async fn due(
    caller: &Caller,
    queue: Queue,
    shards: Range<u16>,
    limit: u32,
) -> Result<Vec<Key>, Finding> {
    let found = caller.store.due(queue, caller.now, shards, limit).await?;
    ensure!(found.len() <= limit as usize, "{} records are due of {limit}", found.len());
    Ok(found.into_iter().map(|(_, record)| record.key).collect())
}

/// Records are due at or after their time, and come oldest first, whatever their shard.
pub async fn the_oldest_are_due_first(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("job", 5)?;
    for (key, (at, shard)) in keys.iter().zip([(30, 0), (10, 255), (50, 9), (20, 128), (40, 1)]) {
        caller.apply([record(key).due(Queue::Jobs, after(at), shard).put(Absent)]).await?;
    }
    let order = [1, 3, 0, 4, 2].map(|i: usize| keys[i].clone());
    for (now, count) in [(9, 0), (10, 1), (39, 3), (40, 4), (1000, 5)] {
        let found = due(&caller.at(after(now)), Queue::Jobs, 0..256, 100).await?;
        ensure!(found == order[..count], "at {now} there are due {found:?}");
    }
    for limit in [0, 1, 3] {
        let found = due(&caller.at(after(1000)), Queue::Jobs, 0..256, limit).await?;
        ensure!(found == order[..limit as usize], "the {limit} oldest are {found:?}");
    }
    Ok(())
}

/// A worker sees its queue and its shards only; the end of the shards is excluded.
pub async fn a_worker_sees_its_queue_and_shards(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let shards = [0, 1, 127, 128, 255];
    let keys = numbered("job", 10)?;
    for (n, key) in keys.iter().enumerate() {
        let queue = if n < 5 { Queue::Jobs } else { Queue::Outbox };
        let at = after(n as u64);
        caller.apply([record(key).due(queue, at, shards[n % 5]).put(Absent)]).await?;
    }
    let caller = caller.at(after(100));
    for (range, inside) in
        [(0..256, 0..5), (0..1, 0..1), (1..128, 1..3), (128..256, 3..5), (2..2, 0..0)]
    {
        let jobs = due(&caller, Queue::Jobs, range.clone(), 100).await?;
        ensure!(jobs == keys[inside.clone()], "the jobs of {range:?} are {jobs:?}");
        let outbox = due(&caller, Queue::Outbox, range.clone(), 100).await?;
        let inside = inside.start + 5..inside.end + 5;
        ensure!(outbox == keys[inside], "the outbox of {range:?} is {outbox:?}");
    }
    Ok(())
}

/// The records of every tenant are due together, each with its tenant and in the state that `get`
/// returns.
pub async fn every_tenant_s_records_are_due(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("job")?;
    let mut expected = Vec::new();
    for (n, tenant) in ["b", "a", "c"].iter().enumerate() {
        let owner = caller.of(tenant)?;
        let draft = record(&subject).value(tenant).due(Queue::Outbox, after(n as u64), 7);
        owner.apply([draft.until(after(1000)).put(Absent)]).await?;
        expected.push((owner.tenant, owner.present(&subject).await?));
    }
    let found = store.due(Queue::Outbox, after(10), 0..256, 10).await?;
    ensure!(found == expected, "the due records are {found:?}");
    Ok(())
}

/// Reading does not claim: what is due stays due until a commit moves it, empties its due time or
/// removes it.
pub async fn reading_does_not_claim(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("job", 3)?;
    let draft = |i: usize| record(&keys[i]).due(Queue::Jobs, after(i as u64), 0);
    caller.apply([draft(0).put(Absent), draft(1).put(Absent), draft(2).put(Absent)]).await?;
    let caller = caller.at(after(10));
    for _ in 0..2 {
        let found = due(&caller, Queue::Jobs, 0..256, 10).await?;
        ensure!(found == keys, "reading changed what is due to {found:?}");
    }
    let claim = record(&keys[0]).due(Queue::Jobs, after(20), 0);
    caller.apply([claim.put(Present), record(&keys[1]).put(Present)]).await?;
    let found = due(&caller, Queue::Jobs, 0..256, 10).await?;
    ensure!(found == keys[2..], "after a claim there are due {found:?}");
    caller.apply([draft(2).delete(Present), record(&key("beside")?).put(Any)]).await?;
    let found = due(&caller, Queue::Jobs, 0..256, 10).await?;
    ensure!(found.is_empty(), "after a delete there are due {found:?}");
    let found = due(&caller.at(after(20)), Queue::Jobs, 0..256, 10).await?;
    ensure!(found == keys[..1], "after a lease there are due {found:?}");
    Ok(())
}

/// Of the workers that read one due record and commit their claim of it, one succeeds.
pub async fn one_worker_claims_a_due_record(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("job")?;
    caller.apply([record(&subject).due(Queue::Jobs, after(0), 0).put(Absent)]).await?;
    let claims = all_at_once(8, |_| {
        let (caller, subject) = (caller.clone(), subject.clone());
        async move {
            let found = caller.store.due(Queue::Jobs, after(0), 0..256, 1).await?;
            let Some((_, job)) = found.into_iter().next() else { return Ok(false) };
            let claim = record(&subject).due(Queue::Jobs, after(100), 0).put(At(job.version));
            match caller.outcome(new_id(), [claim]).await? {
                Ok(_) => Ok(true),
                Err(CommitError::Conflict(_)) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }
    })
    .await?;
    let winners = claims.into_iter().filter(|won| *won).count();
    ensure!(winners == 1, "{winners} workers claimed one record");
    Ok(())
}
