//! What a worker finds when it looks at its queue.

use std::ops::Range;

use auth_store::limits::DUE_SHARDS;
use auth_store::{Record, TenantId};
use tracing::warn;

use crate::clock::NoEntropy;
use crate::decision::Unavailable;
use crate::queue::{Leases, Queued};
use crate::record::{Found, Kind};

/// How many records a look takes at most.
pub(crate) const ROUND: u32 = 64;
/// How far a look goes past records that nobody here can use.
const MAX_LOOK: u32 = 64 * ROUND;
/// Into how many parts a long queue is divided.
const SLICES: u16 = 16;

/// What is due, as far as this process can use it.
#[derive(Debug)]
pub(crate) struct Looked<K> {
    pub(crate) items: Vec<(TenantId, Found<K>)>,
    /// Records that are damaged, of a newer version, or of a kind of work that is not known here.
    pub(crate) unusable: u32,
    /// Whether there is more than was taken.
    pub(crate) more: bool,
}

impl Leases {
    /// Looks what is due: at the whole queue if it is short, else at a part of it. Each worker takes the
    /// parts, and what is in them, in a random order, so that replicas do not all reach for the same head.
    pub(crate) async fn look<K: Queued>(
        &self,
        knows: impl Fn(TenantId, &K) -> bool,
    ) -> Result<Looked<K>, Unavailable> {
        let whole = self.due::<K>(0..DUE_SHARDS, ROUND).await?;
        if !is_full(&whole, ROUND) {
            let mut looked = sieve(whole, &knows, false);
            let start = self.below(looked.items.len())?;
            looked.items.rotate_left(start);
            return Ok(looked);
        }
        let width = DUE_SHARDS / SLICES;
        let start = self.below(usize::from(SLICES))?;
        let mut unusable = 0;
        for nth in 0..usize::from(SLICES) {
            // An odd step visits each of them once.
            let slice = (start + nth * 5) % usize::from(SLICES);
            let first = u16::try_from(slice).unwrap_or_default() * width;
            let looked = self.look_past(first..first + width, &knows).await?;
            unusable += looked.unusable;
            if !looked.items.is_empty() {
                return Ok(Looked { unusable, ..looked });
            }
        }
        Ok(Looked { items: Vec::new(), unusable, more: false })
    }

    /// Looks at some shards, further and further until something there can be used: a head of records that
    /// cannot be used must not hide what stands behind it.
    async fn look_past<K: Queued>(
        &self,
        shards: Range<u16>,
        knows: &impl Fn(TenantId, &K) -> bool,
    ) -> Result<Looked<K>, Unavailable> {
        let mut limit = ROUND;
        loop {
            let due = self.due::<K>(shards.clone(), limit).await?;
            let full = is_full(&due, limit);
            let looked = sieve(due, knows, true);
            if !looked.items.is_empty() || !full || limit >= MAX_LOOK {
                return Ok(looked);
            }
            limit *= 4;
        }
    }

    async fn due<K: Queued>(
        &self,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, Unavailable> {
        Ok(self.store.due(K::QUEUE, self.now(), shards, limit).await?)
    }

    /// A random number below `limit`, and 0 below none.
    fn below(&self, limit: usize) -> Result<usize, NoEntropy> {
        let mut bytes = [0; 4];
        self.entropy.fill(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes) as usize % limit.max(1))
    }
}

fn is_full(due: &[(TenantId, Record)], limit: u32) -> bool {
    due.len() >= limit as usize
}

fn sieve<K: Queued>(
    due: Vec<(TenantId, Record)>,
    knows: &impl Fn(TenantId, &K) -> bool,
    more: bool,
) -> Looked<K> {
    let mut looked = Looked { items: Vec::new(), unusable: 0, more };
    let mut of_others = 0;
    for (tenant, record) in due {
        match Found::<K>::read(&record) {
            Ok(found) if !found.is_newer() => match knows(tenant, &found.value) {
                true => looked.items.push((tenant, found)),
                false => of_others += 1,
            },
            _ => looked.unusable += 1,
        }
    }
    looked.items.truncate(ROUND as usize);
    if looked.unusable > 0 {
        // They stay as they are, for a process that can read them.
        let (kind, unusable) = (<K as Kind>::NAME, looked.unusable);
        warn!(kind, unusable, "due records are damaged, or of a newer version of the program");
    }
    looked.unusable += of_others;
    looked
}
