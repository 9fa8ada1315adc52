//! Sweeps.

use auth_store::{StoreError, Sweep, Swept, TenantId};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::reply;
use crate::script::SWEEP;
use crate::store::RedisStore;
use crate::tenants::AT_ONCE;

/// How many records one call removes at most: the server does nothing else meanwhile.
const CHUNK: u32 = 500;

/// What goes, of one tenant.
enum Doomed<'a> {
    Until(u64),
    Range(&'a [u8], &'a [u8]),
}

impl RedisStore {
    pub(crate) async fn remove(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        match what {
            Sweep::Range { tenant, range } => {
                let (low, high) = ([b"[", range.start()].concat(), [b"(", range.end()].concat());
                self.remove_of(tenant, &Doomed::Range(&low, &high), limit).await
            }
            Sweep::Expired { now } => {
                let doomed = Doomed::Until(now.as_millis());
                // Most tenants have nothing to be swept: they are asked together, and only the others
                // one by one.
                let tenants = self.tenants(None).await?;
                let asked = tenants.into_iter().map(|tenant| {
                    let doomed = &doomed;
                    async move {
                        let swept = self.remove_of(tenant, doomed, 0).await?;
                        Ok::<_, StoreError>(swept.more.then_some(tenant))
                    }
                });
                let some: Vec<Option<TenantId>> =
                    stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
                let mut all = Swept { removed: 0, more: false };
                for tenant in some.into_iter().flatten() {
                    if all.removed == limit {
                        all.more = true;
                        break;
                    }
                    let swept = self.remove_of(tenant, &doomed, limit - all.removed).await?;
                    all.removed += swept.removed;
                    all.more |= swept.more;
                }
                Ok(all)
            }
        }
    }

    async fn remove_of(
        &self,
        tenant: TenantId,
        doomed: &Doomed<'_>,
        limit: u32,
    ) -> Result<Swept, StoreError> {
        let mut removed = 0;
        loop {
            let chunk = CHUNK.min(limit - removed);
            let mut call = SWEEP.call(&self.names.all(tenant));
            call.arg(chunk);
            match doomed {
                Doomed::Until(now) => call.arg("until").arg(*now),
                Doomed::Range(low, high) => call.arg("range").arg(*low).arg(*high),
            };
            // To sweep again what may have been swept is harmless.
            let [gone, more] = reply::array(self.server.run_again(&call).await?)?;
            removed += reply::number(&gone)?;
            let more = reply::number(&more)? == 1;
            if !more || removed >= limit {
                return Ok(Swept { removed, more });
            }
        }
    }
}
