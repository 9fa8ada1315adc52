//! [`Lease`]: a record that one worker has to itself for a while.

use std::sync::Arc;

use auth_store::{Batch, Main, MainWrite, Store, TenantId, Timestamp};

use crate::clock::{Clock, Entropy};
use crate::decision::Unavailable;
use crate::decision::commit::{Applied, commit, commit_id};
use crate::queue::{LEASE, Queued};
use crate::record::Found;

/// Takes leases, and writes under them.
#[derive(Debug, Clone)]
pub(crate) struct Leases {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// A record in the state in which its worker left it last: whatever it writes next is written only if
/// nobody else has taken the record since.
#[derive(Debug)]
pub(crate) struct Lease<K> {
    pub(crate) tenant: TenantId,
    pub(crate) found: Found<K>,
}

impl<K: Queued> Lease<K> {
    pub(crate) fn value(&self) -> &K {
        &self.found.value
    }
}

impl Leases {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When a lease that is taken now ends.
    pub(crate) fn end(&self) -> Timestamp {
        self.now().saturating_add(LEASE)
    }

    /// Takes a record that was due; `None` if somebody else did.
    pub(crate) async fn take<K: Queued>(
        &self,
        tenant: TenantId,
        found: Found<K>,
    ) -> Result<Option<Lease<K>>, Unavailable> {
        let leased = found.value.leased(self.end());
        self.write(Lease { tenant, found }, leased, Vec::new()).await
    }

    /// Writes the next state together with `others`, and gives the lease as it is then; `None` if the
    /// record, or one of the others, was changed by somebody else.
    pub(crate) async fn write<K: Queued>(
        &self,
        lease: Lease<K>,
        value: K,
        others: Vec<MainWrite>,
    ) -> Result<Option<Lease<K>>, Unavailable> {
        let Lease { tenant, found } = lease;
        let id = commit_id(&*self.entropy)?;
        let batch = Batch::builder::<Main>(id, self.now()).write(found.replace(&value)?);
        let batch = others.into_iter().fold(batch, auth_store::BatchBuilder::write).build()?;
        match commit(&*self.store, &*self.entropy, tenant, &batch).await? {
            Applied::Yes => Ok(Some(Lease { tenant, found: found.replaced(value, id) })),
            Applied::Conflict => Ok(None),
        }
    }
}
