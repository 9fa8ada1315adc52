//! Archives.

use auth_store::limits::MAX_ARCHIVED;
use auth_store::{Archived, Key, Place, Restored, StoreError, TenantId};

use crate::packed::{self, Damage, unpack_whole};
use crate::reply;
use crate::script::{RESTORE, SCAN};
use crate::store::RedisStore;

/// How many records one call reads or writes at most: the server does nothing else meanwhile.
const CHUNK: usize = 200;
/// How many bytes one call writes, more or less.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// The tenant was registered, and the server says that it is not.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the tenant {0} could not be registered")]
struct Unregistered(TenantId);

/// A record is in a queue of a later contract.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a record is in a queue that this version of the store does not know: update it")]
struct UnknownQueue;

impl RedisStore {
    pub(crate) async fn read_archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError> {
        if !(1..=MAX_ARCHIVED).contains(&limit) {
            return Err(StoreError::TooLarge);
        }
        let limit = usize::from(limit);
        let mut archived: Vec<Archived> = Vec::new();
        for tenant in self.tenants(after.map(|place| place.tenant)).await? {
            let mut key =
                after.filter(|place| place.tenant == tenant).map(|place| place.key.clone());
            loop {
                let wanted = CHUNK.min(limit - archived.len());
                let some = self.archived_of(tenant, key.as_ref(), wanted).await?;
                let whole = some.len() < wanted;
                key = some.last().map(|last| last.record.key.clone()).or(key);
                archived.extend(some);
                if archived.len() == limit {
                    return Ok(archived);
                }
                if whole {
                    break;
                }
            }
        }
        Ok(archived)
    }

    async fn archived_of(
        &self,
        tenant: TenantId,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Archived>, StoreError> {
        let keys = [self.names.records(tenant), self.names.order(tenant), self.names.index(tenant)];
        let low = after.map_or_else(|| b"-".to_vec(), |key| [b"(", key.as_bytes()].concat());
        let mut call = SCAN.call(&keys);
        call.arg("order").arg("up").arg(low).arg("+").arg(0).arg(limit).arg("records").arg(0);
        let [page] = reply::array(self.server.run_again(&call).await?)?;
        let [_, keys, found] = reply::array(page)?;
        let read = |(key, found)| {
            let key = Key::from_bytes(&reply::bytes(key)?)?;
            let packed = reply::optional(found)?.ok_or(Damage::Missing)?;
            let (record, index) = unpack_whole(key, &packed)?;
            Ok(Archived { tenant, record, index })
        };
        let archived = reply::list(keys)?.into_iter().zip(reply::list(found)?).map(read);
        Ok(archived.collect::<Result<_, Damage>>()?)
    }

    pub(crate) async fn write_archived(
        &self,
        records: &[Archived],
    ) -> Result<Restored, StoreError> {
        if !(1..=usize::from(MAX_ARCHIVED)).contains(&records.len()) {
            return Err(StoreError::TooLarge);
        }
        let mut restored = Restored::default();
        for some in records.chunk_by(|a, b| a.tenant == b.tenant) {
            let mut packed: Vec<(&Key, Vec<u8>)> = Vec::new();
            let mut bytes = 0;
            for Archived { tenant, record, index } in some {
                let one = packed::pack(
                    record.version,
                    &record.value,
                    index,
                    record.keep_until,
                    record.due,
                );
                let one = one.ok_or_else(|| StoreError::Unavailable(UnknownQueue.into()))?;
                if packed.len() == CHUNK || (bytes > 0 && bytes + one.len() > CHUNK_BYTES) {
                    self.restore_of(*tenant, &packed, &mut restored).await?;
                    packed.clear();
                    bytes = 0;
                }
                bytes += one.len();
                packed.push((&record.key, one));
            }
            if let Some(last) = some.last() {
                self.restore_of(last.tenant, &packed, &mut restored).await?;
            }
        }
        Ok(restored)
    }

    async fn restore_of(
        &self,
        tenant: TenantId,
        records: &[(&Key, Vec<u8>)],
        restored: &mut Restored,
    ) -> Result<(), StoreError> {
        for registered in [false, true] {
            if registered {
                self.register(tenant).await?;
            }
            let mut call = RESTORE.call(&self.names.all(tenant));
            call.arg(u8::from(registered));
            for (key, packed) in records {
                call.arg(key.as_bytes()).arg(packed.as_slice());
            }
            let mut answer = reply::list(self.server.run(&call).await?)?.into_iter();
            let sort = answer.next().map(reply::text).transpose()?;
            if sort.as_deref() == Some("restored") {
                let mut number = || answer.next().map_or(Err(Damage::Shape), |n| reply::number(&n));
                restored.written += number()?;
                restored.kept += number()?;
                return Ok(());
            }
        }
        Err(StoreError::Unavailable(Unregistered(tenant).into()))
    }
}
