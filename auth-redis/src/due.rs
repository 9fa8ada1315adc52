//! Queues of due records.

use std::ops::Range;

use auth_store::{Key, Queue, Record, StoreError, TenantId, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use redis::Value;

use crate::packed::{Damage, unpack};
use crate::reply;
use crate::script::DUE;
use crate::store::RedisStore;
use crate::tenants::AT_ONCE;

impl RedisStore {
    pub(crate) async fn read_due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        if limit == 0 || shards.is_empty() {
            return Ok(Vec::new());
        }
        let mut oldest: Vec<(TenantId, Record)> = Vec::new();
        let mut until = now;
        for some in self.tenants(None).await?.chunks(AT_ONCE) {
            let asked = some.iter().copied().map(|tenant| {
                let shards = shards.clone();
                async move {
                    let due = self.due_of(tenant, queue, until, shards, limit).await?;
                    Ok::<_, StoreError>(due.into_iter().map(move |record| (tenant, record)))
                }
            });
            let found: Vec<_> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
            oldest.extend(found.into_iter().flatten());
            oldest.sort_by_key(|(_, record)| record.due.map(|due| due.at));
            oldest.truncate(limit as usize);
            // Once there are enough, the others must be older to count.
            if oldest.len() == limit as usize
                && let Some(due) = oldest.last().and_then(|(_, record)| record.due)
            {
                until = due.at;
            }
        }
        Ok(oldest)
    }

    async fn due_of(
        &self,
        tenant: TenantId,
        queue: Queue,
        until: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let keys = [self.names.records(tenant), self.names.queue(tenant, queue.name())];
        let mut records = Vec::new();
        let mut from = 0;
        loop {
            let wanted = limit - u32::try_from(records.len()).unwrap_or(limit);
            let mut call = DUE.call(&keys);
            call.arg(until.as_millis()).arg(shards.start).arg(shards.end).arg(wanted).arg(from);
            let [next, keys, found] = reply::array(self.server.run_again(&call).await?)?;
            for (key, found) in reply::list(keys)?.into_iter().zip(reply::list(found)?) {
                let key = Key::from_bytes(&reply::bytes(key)?).map_err(Damage::from)?;
                let packed = reply::optional(found)?.ok_or(Damage::Missing)?;
                records.push(unpack(key, &packed)?);
            }
            match next {
                Value::Int(next) if next >= 0 && records.len() < limit as usize => from = next,
                _ => return Ok(records),
            }
        }
    }
}
