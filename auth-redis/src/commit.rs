//! Commits.

use auth_store::{Batch, CommitError, Committed, Key, TenantId, When, Write};
use redis::Value;

use crate::failure::Failure;
use crate::packed::{self, Damage};
use crate::reply;
use crate::script::COMMIT;
use crate::store::RedisStore;

/// A commit could not be made into a call, or its answer was none.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[non_exhaustive]
enum Odd {
    #[error("a record is in a queue that this version of the store does not know: update it")]
    Queue,
    #[error("a record that is added to is no counter")]
    NoCounter,
    #[error("the tenant was registered, and is said not to be")]
    Unregistered,
}

impl RedisStore {
    pub(crate) async fn apply(
        &self,
        tenant: TenantId,
        batch: &Batch,
    ) -> Result<Committed, CommitError> {
        let outcome = self.try_apply(tenant, batch, false).await?;
        if let Some(committed) = outcome {
            return Ok(committed);
        }
        // The first commit of a tenant: nothing was applied.
        self.register(tenant).await.map_err(|failure| CommitError::Unavailable(failure.into()))?;
        let outcome = self.try_apply(tenant, batch, true).await?;
        outcome.ok_or_else(|| CommitError::Unavailable(Odd::Unregistered.into()))
    }

    /// Puts a tenant among those that [`due`](auth_store::Store::due) and
    /// [`sweep`](auth_store::Store::sweep) look at. Its keys lie in another slot than the list, so this
    /// comes before the first record and not with it.
    pub(crate) async fn register(&self, tenant: TenantId) -> Result<(), Failure> {
        let tenants = self.names.tenants();
        let mut command = redis::cmd("ZADD");
        command.arg(&tenants).arg(0).arg(tenant.as_str());
        self.server.send(tenants.as_bytes(), &command).await.map(drop)
    }

    /// `None` if the tenant must be registered first.
    async fn try_apply(
        &self,
        tenant: TenantId,
        batch: &Batch,
        registered: bool,
    ) -> Result<Option<Committed>, CommitError> {
        let mut call = COMMIT.call(&self.names.all(tenant));
        call.arg(u8::from(registered)).arg(batch.id().as_bytes().as_slice());
        call.arg(batch.now().as_millis()).arg(batch.writes().len());
        for write in batch.writes() {
            let key = write.key().as_bytes();
            match write {
                Write::Put { record, when, .. } => {
                    let packed = packed::pack_new(batch.id(), record)
                        .ok_or_else(|| CommitError::Unavailable(Odd::Queue.into()))?;
                    call.arg("P").arg(key).arg(condition(*when)).arg(packed);
                }
                Write::Delete { when, .. } => {
                    call.arg("D").arg(key).arg(condition(*when));
                }
                Write::Check { when, .. } => {
                    call.arg("C").arg(key).arg(condition(*when));
                }
                Write::Add { n, below, keep_until, .. } => {
                    let below = below.map(|below| below.to_string()).unwrap_or_default();
                    let keep_until = packed::keep_until(Some(*keep_until));
                    call.arg("A").arg(key).arg(n.to_string()).arg(below).arg(&keep_until[..]);
                }
            }
        }
        outcome(batch, self.server.run(&call).await?)
    }
}

fn condition(when: When) -> Vec<u8> {
    match when {
        When::Any => b"*".to_vec(),
        When::Absent => b"-".to_vec(),
        When::Present => b"+".to_vec(),
        When::At(version) => [b"=", version.as_bytes().as_slice()].concat(),
    }
}

fn outcome(batch: &Batch, answer: Value) -> Result<Option<Committed>, CommitError> {
    // An answer that cannot be read may still be one to a commit that was applied.
    let odd = || CommitError::Unknown(Damage::Shape.into());
    let mut answer = reply::list(answer).map_err(|_| odd())?.into_iter();
    let sort = answer.next().and_then(|sort| reply::text(sort).ok()).ok_or_else(odd)?;
    let key = |place: Value| -> Option<Key> {
        let place = usize::try_from(reply::number(&place).ok()?).ok()?.checked_sub(1)?;
        batch.writes().get(place).map(|write| write.key().clone())
    };
    match sort.as_str() {
        "applied" => {
            let sum = |sum| reply::text(sum).ok()?.parse().ok();
            let counters = answer.map(sum).collect::<Option<_>>().ok_or_else(odd)?;
            Ok(Some(Committed { counters }))
        }
        "replayed" => Ok(Some(Committed::default())),
        "unregistered" => Ok(None),
        "conflict" => {
            let keys = answer.map(key).collect::<Option<_>>().ok_or_else(odd)?;
            Err(CommitError::Conflict(keys))
        }
        "full" => Err(CommitError::Full(answer.next().and_then(key).ok_or_else(odd)?)),
        "no counter" => Err(CommitError::Unavailable(Odd::NoCounter.into())),
        _ => Err(odd()),
    }
}
