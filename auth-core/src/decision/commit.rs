//! [`commit`]: brings a batch to an outcome that is known.

use std::time::Duration;

use auth_store::{Batch, CommitError, CommitId, Key, Store, TenantId};
use tracing::warn;

use crate::clock::{Entropy, NoEntropy};
use crate::decision::Unavailable;

/// How often a commit of unknown outcome is sent again.
const MAX_REPLAYS: u32 = 3;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    Yes,
    Conflict,
}

/// A new identity for one attempt to commit.
pub(crate) fn commit_id(entropy: &dyn Entropy) -> Result<CommitId, NoEntropy> {
    let mut id = [0; 16];
    entropy.fill(&mut id)?;
    Ok(CommitId::from_bytes(id))
}

/// Commits. If the answer is lost it reads the keys of the batch, and sends the batch again under the same
/// identity, which is without effect if the first one arrives after all; with pauses that grow, so that a
/// store that comes back is not met by everybody at once.
pub(crate) async fn commit(
    store: &dyn Store,
    entropy: &dyn Entropy,
    tenant: TenantId,
    batch: &Batch,
) -> Result<Applied, Unavailable> {
    let mut replays = 0;
    loop {
        let source = match store.commit(tenant, batch).await {
            Ok(_) => return Ok(Applied::Yes),
            Err(CommitError::Conflict(_)) => return Ok(Applied::Conflict),
            Err(CommitError::Full(_)) => return Err(Unavailable::Full),
            Err(CommitError::Unavailable(source)) => return Err(Unavailable::Store(source)),
            Err(CommitError::Unknown(source)) => source,
            Err(other) => return Err(Unavailable::Defect(other.into())),
        };
        warn!(commit = %batch.id(), "the outcome of a commit is unknown: reading its keys");
        if was_applied(store, tenant, batch).await {
            return Ok(Applied::Yes);
        }
        replays += 1;
        if replays > MAX_REPLAYS {
            return Err(Unavailable::Store(source));
        }
        // At most 8, 32 and 128 ms.
        pause(entropy, 2_u64 << (2 * replays)).await?;
    }
}

async fn was_applied(store: &dyn Store, tenant: TenantId, batch: &Batch) -> bool {
    let keys: Vec<Key> = batch.writes().iter().map(|write| write.key().clone()).collect();
    let read = store.get(tenant, &keys).await;
    read.is_ok_and(|records| records.iter().flatten().any(|r| r.version == batch.id()))
}

/// Waits for a random time below `limit` milliseconds.
pub(crate) async fn pause(entropy: &dyn Entropy, limit: u64) -> Result<(), NoEntropy> {
    let mut byte = [0];
    entropy.fill(&mut byte)?;
    let millis = u64::from(byte[0]) * limit / 256;
    futures_timer::Delay::new(Duration::from_millis(millis)).await;
    Ok(())
}
