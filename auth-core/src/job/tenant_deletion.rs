//! Deleting a tenant: a tombstone first, then everything else.

use std::time::Duration;

use async_trait::async_trait;
use auth_store::{Class, Key, KeyRange, MainWrite, Sweep};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::decision::{Asks, Cx, Decision, Facts, Need, Outcome, Unavailable};
use crate::job::{Job, Site, Step, enqueue};
use crate::outbox::{Event, Message};
use crate::record::{Kind, Unknown};
use crate::seal::DataKeys;
use crate::tombstone::Tombstone;

/// Deletes the tenant that it is run for. In one commit the tombstone is set, from which on every request is
/// refused; the data keys go, without which nothing that the tenant has sealed can be opened by anybody
/// ever again; and the [`TenantDeletion`] is enqueued, which removes the rest.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DeleteTenant;

impl Decision for DeleteTenant {
    type Answer = ();
    type Refusal = std::convert::Infallible;

    fn prefetch(&self) -> Asks {
        Asks::none().read(&Tombstone::here())
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<(), Self::Refusal>, Need> {
        if facts.read(&Tombstone::here())?.is_some() {
            return Ok(Outcome::answer(()));
        }
        let now = cx.now;
        let tombstone = Tombstone::here().create(&Tombstone::new(now));
        let job = enqueue(&TenantDeletion::default(), &mut cx.rng, now);
        let batch = cx.batch().write(tombstone).write(DataKeys::shred()).write(job);
        Outcome::commit(batch, Ok(()))
    }
}

/// Removes all records of a tenant but its tombstone, and tells so by the event `tenant_deleted`.
///
/// It goes over everything twice. The first time it leaves the outbox alone, so that what was decided before
/// the deletion is still told; the second time, [`TenantDeletion::PAUSE`] later, it also finds what other
/// processes wrote before they saw the tombstone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TenantDeletion {
    #[serde(default)]
    second: bool,
    #[serde(flatten)]
    unknown: Unknown,
}

impl TenantDeletion {
    /// The time between the two passes: longer than any request, and than anybody may answer by what is
    /// cached.
    pub const PAUSE: Duration = Duration::from_secs(60);
    /// How many records a call of the store removes at most.
    const AT_ONCE: u32 = 500;

    /// All that is to go.
    fn ranges(&self, own: &Key) -> Vec<KeyRange> {
        let kept = |key: &Key| (key.as_bytes().to_vec(), [key.as_bytes(), &[0]].concat());
        let mut kept = vec![kept(own), kept(Tombstone::here().raw())];
        if !self.second {
            let outbox = Message::range(&[]);
            kept.push((outbox.start().to_vec(), outbox.end().to_vec()));
        }
        kept.sort();
        let main = KeyRange::class(Class::Main);
        // No key of the class sorts after this one.
        let last = vec![Class::Main.tag(), 0xff];
        let mut ranges = vec![KeyRange::class(Class::Side)];
        let mut start = main.start().to_vec();
        for (first, after) in kept.into_iter().chain([(last, Vec::new())]) {
            if let (Ok(from), Ok(to)) = (Key::from_bytes(&start), Key::from_bytes(&first)) {
                ranges.push(KeyRange::new(&from, &to));
            }
            start = after;
        }
        ranges
    }
}

#[async_trait]
impl Job for TenantDeletion {
    const NAME: &'static str = "delete_tenant";

    async fn step(&mut self, site: &Site<'_>) -> Result<Step, Unavailable> {
        for range in self.ranges(site.key) {
            let what = Sweep::Range { tenant: site.tenant, range };
            if site.store.sweep(what, Self::AT_ONCE).await?.more {
                return Ok(Step::More(Vec::new()));
            }
        }
        if !self.second {
            self.second = true;
            return Ok(Step::Later(Self::PAUSE));
        }
        let event = Event::new("tenant_deleted", json!({"tenant": site.tenant.as_str()}));
        Ok(Step::Done { writes: Vec::<MainWrite>::new(), events: vec![event] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_hold_everything_but_what_is_kept() {
        let own = Key::builder(Class::Main, "job").bytes(&[7; 16]).build().unwrap();
        let tombstone = Tombstone::here().raw().clone();
        let message = Message::key(&[b"12345678", b"1234567812345678"]).raw().clone();
        let key = |class, kind| Key::builder(class, kind).bytes(&[0xff; 40]).build().unwrap();
        let gone = [
            key(Class::Main, ""),
            key(Class::Main, "client"),
            key(Class::Main, "job"),
            Key::builder(Class::Main, "job").bytes(&[7; 16]).bytes(b"").build().unwrap(),
            key(Class::Main, "outbox2"),
            key(Class::Main, "tombstone"),
            key(Class::Main, "zzz"),
            key(Class::Side, "sign_in"),
        ];
        for second in [false, true] {
            let job = TenantDeletion { second, ..TenantDeletion::default() };
            let ranges = job.ranges(&own);
            let goes = |key: &Key| ranges.iter().any(|range| range.contains(key));
            assert!(gone.iter().all(goes));
            assert!(!goes(&own) && !goes(&tombstone));
            assert_eq!(goes(&message), second);
        }
    }
}
