//! Sweeps with a flaw.

use auth_store::{KeyRange, Store, StoreError, Sweep, Swept, Timestamp};

use super::{BrokenStore, Flaw, just_before};

impl BrokenStore {
    pub(super) async fn broken_sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        let what = match (what, self.flaw) {
            (Sweep::Expired { .. }, Some(Flaw::SweepsTheLiving)) => {
                Sweep::Expired { now: Timestamp::MAX }
            }
            (Sweep::Expired { now }, Some(Flaw::SweepsAMomentLate)) => {
                Sweep::Expired { now: just_before(now) }
            }
            (Sweep::Range { range, .. }, Some(Flaw::SweepsRangesOfAllTenants)) => {
                return self.sweep_all_tenants(&range, limit).await;
            }
            (Sweep::Range { range, tenant }, _) => {
                Sweep::Range { range, tenant: self.shelf(tenant) }
            }
            (what, _) => what,
        };
        let limit = if self.is(Flaw::SweepsWithoutLimit) { u32::MAX } else { limit };
        let mut swept = self.inner.sweep(what, limit).await?;
        match self.flaw {
            Some(Flaw::SaysThatNothingIsLeft) => swept.more = false,
            Some(Flaw::SaysThatThereIsMore) => swept.more = true,
            _ => {}
        }
        Ok(swept)
    }

    async fn sweep_all_tenants(&self, range: &KeyRange, limit: u32) -> Result<Swept, StoreError> {
        let tenants = self.memory().tenants.clone();
        let mut all = Swept { removed: 0, more: false };
        for tenant in tenants {
            let what = Sweep::Range { tenant, range: range.clone() };
            let swept = self.inner.sweep(what, limit - all.removed).await?;
            all.removed += swept.removed;
            all.more |= swept.more;
        }
        Ok(all)
    }
}
