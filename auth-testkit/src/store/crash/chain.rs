//! [`Chain`]: batches that follow from one another, each of which leaves traces of every kind.

use auth_store::{Batch, CommitId, Key, ScanRange, When, Write};

use crate::store::caller::{after, batch};
use crate::store::draft::{add, key, record};
use crate::store::violation::Finding;

/// How many chains grow at the same time.
pub(super) const CHAINS: u8 = 4;

const INDEX: &str = "crash";

/// One of the chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain(pub(super) u8);

impl Chain {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..CHAINS).map(Self)
    }

    /// The identity of the batch `n`, the same in every process: to commit it again is a replay.
    pub(super) fn id(self, n: u64) -> CommitId {
        let mut bytes = *b"crash-chain-----";
        bytes[7] = self.0;
        bytes[8..].copy_from_slice(&n.to_be_bytes());
        CommitId::from_bytes(bytes)
    }

    /// Its value is the number of the last batch, its version that batch's identity.
    pub(super) fn head(self) -> Result<Key, Finding> {
        key(&format!("crash-{}-head", self.0))
    }

    /// Counts the batches.
    pub(super) fn counter(self) -> Result<Key, Finding> {
        key(&format!("crash-{}-counter", self.0))
    }

    /// Records that the batch `n` makes: one that stands in an index, one that does not, and one that the
    /// next batch removes.
    pub(super) fn records(self, n: u64) -> Result<[Key; 3], Finding> {
        let named = |what: &str| key(&format!("crash-{}-{what}-{n}", self.0));
        Ok([named("left")?, named("right")?, named("baton")?])
    }

    /// The index entries of the chain.
    pub(super) fn entries(self) -> ScanRange {
        ScanRange::Index { name: INDEX, start: Box::from([self.0]), end: Box::from([self.0 + 1]) }
    }

    /// The batch `n`, counted from 1.
    pub(super) fn batch(self, n: u64) -> Result<Batch, Finding> {
        let value = n.to_string();
        let entry = [&[self.0][..], &n.to_be_bytes()].concat();
        let [left, right, baton] = self.records(n)?;
        let follows = if n == 1 { When::Absent } else { When::At(self.id(n - 1)) };
        let mut writes: Vec<Write> = vec![
            record(&self.head()?).value(&value).put(follows),
            record(&left).value(&value).entry(INDEX, &entry).put(When::Absent),
            record(&right).value(&value).put(When::Absent),
            record(&baton).value(&value).put(When::Absent),
            add(&self.counter()?, 1, None, after(1_000_000_000_000)),
        ];
        if n > 1 {
            let [.., last] = self.records(n - 1)?;
            writes.push(record(&last).delete(When::Present));
        }
        batch(self.id(n), after(0), writes)
    }
}
