//! [`Facts`]: what a decision knows, and [`Need`]: what it does not know yet.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use auth_store::{Key, Record, Timestamp};

use crate::decision::Unavailable;
use crate::decision::work::{Done, Work};
use crate::record::{Found, Kind, TypedKey};

/// Facts to be fetched: reads come in one round trip, work is done concurrently with them.
#[derive(Debug, Clone, Default)]
pub struct Asks {
    pub(crate) reads: Vec<(Key, Freshness)>,
    pub(crate) work: Vec<Work>,
}

/// Whether a read may be answered from a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    Stored,
    /// May justify a yes for a few seconds, never a no.
    Cached,
}

impl Asks {
    /// Asks for nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Also asks for a record.
    #[must_use]
    pub fn read<K: Kind>(mut self, key: &TypedKey<K>) -> Self {
        self.reads.push((key.raw().clone(), Freshness::Stored));
        self
    }

    /// Also asks for a record of configuration that may be a few seconds old: before a request is
    /// refused by it, it is read again.
    #[must_use]
    pub fn read_cached<K: Kind>(mut self, key: &TypedKey<K>) -> Self {
        self.reads.push((key.raw().clone(), Freshness::Cached));
        self
    }

    /// Also asks for a counter.
    #[must_use]
    pub fn read_counter(mut self, key: &Key) -> Self {
        self.reads.push((key.clone(), Freshness::Stored));
        self
    }

    /// Also asks for work.
    #[must_use]
    pub fn work(mut self, work: Work) -> Self {
        self.work.push(work);
        self
    }

    /// All of both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.reads.extend(other.reads);
        self.work.extend(other.work);
        self
    }

    /// Each key once. Where one step may do with a cached record and another may not, it is read.
    pub(crate) fn unique_reads(reads: Vec<(Key, Freshness)>) -> Vec<(Key, Freshness)> {
        let mut unique: Vec<(Key, Freshness)> = Vec::with_capacity(reads.len());
        for (key, freshness) in reads {
            match unique.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) if freshness == Freshness::Stored => *known = Freshness::Stored,
                Some(_) => {}
                None => unique.push((key, freshness)),
            }
        }
        unique
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.reads.is_empty() && self.work.is_empty()
    }
}

/// Why a run ended without an outcome.
#[derive(Debug)]
#[non_exhaustive]
pub enum Need {
    /// Facts are missing.
    Facts(Asks),
    /// A component failed, or a record is damaged.
    Failed(Unavailable),
}

impl<E: Into<Unavailable>> From<E> for Need {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A record as it was read, or its absence, with its parsed form once somebody asked for it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) record: Option<Record>,
    parsed: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Slot {
    pub(crate) fn new(record: Option<Record>) -> Arc<Self> {
        Arc::new(Self { record, parsed: OnceLock::new() })
    }

    /// Whether this is the state that `record` is in. The version says so; that the rest is the same, too, is
    /// for whoever changes a database by hand.
    pub(crate) fn is_of(&self, record: &Record) -> bool {
        self.record.as_ref() == Some(record)
    }
}

/// What is known: records, and the results of work.
#[derive(Debug, Default)]
pub struct Facts {
    records: Vec<(Key, Arc<Slot>, Freshness)>,
    work: Vec<(Work, Done)>,
    pub(crate) from_cache: bool,
}

impl Facts {
    /// The record at `key`, or `None` if there is none.
    ///
    /// # Errors
    /// [`Need`] if it was not read yet, or is damaged.
    pub fn read<K: Kind>(&self, key: &TypedKey<K>) -> Result<Option<Arc<Found<K>>>, Need> {
        let Some((_, slot, _)) = self.records.iter().find(|(known, ..)| known == key.raw()) else {
            return Err(Need::Facts(Asks::none().read(key)));
        };
        let Some(record) = &slot.record else { return Ok(None) };
        let parsed = match slot.parsed.get() {
            Some(parsed) => parsed.clone(),
            None => {
                let found: Arc<dyn Any + Send + Sync> = Arc::new(Found::<K>::read(record)?);
                slot.parsed.get_or_init(|| found).clone()
            }
        };
        // The kind is part of the key, so the slot of a key is always of one kind.
        Ok(parsed.downcast().ok())
    }

    /// The sum of the counter at `key`: 0 if it has not begun, or its window is over.
    ///
    /// # Errors
    /// [`Need`] if it was not read yet, or is no counter.
    pub fn counter(&self, key: &Key, now: Timestamp) -> Result<u64, Need> {
        let Some((_, slot, _)) = self.records.iter().find(|(known, ..)| known == key) else {
            return Err(Need::Facts(Asks::none().read_counter(key)));
        };
        let running = |record: &&Record| record.keep_until.is_none_or(|until| now < until);
        let Some(record) = slot.record.as_ref().filter(running) else { return Ok(0) };
        record.value.parse().map_err(|_| Unavailable::Defect("not a counter".into()).into())
    }

    /// The result of work.
    ///
    /// # Errors
    /// [`Need`] if it was not done yet.
    pub fn done(&self, work: &Work) -> Result<&Done, Need> {
        let known = self.work.iter().find(|(known, _)| known.answers(work));
        known.map(|(_, done)| done).ok_or_else(|| Need::Facts(Asks::none().work(work.clone())))
    }

    /// Ends the run unless all of `asks` are known, so that they come in one round trip.
    ///
    /// # Errors
    /// [`Need`] names those that are missing.
    pub fn require(&self, asks: Asks) -> Result<(), Need> {
        let missing = self.missing(asks);
        if missing.is_empty() { Ok(()) } else { Err(Need::Facts(missing)) }
    }

    /// Those of `asks` that are not known yet. A record from the cache is not the answer to
    /// who asks for the stored one.
    pub(crate) fn missing(&self, mut asks: Asks) -> Asks {
        asks.reads.retain(|(key, freshness)| {
            !self.records.iter().any(|(known, _, as_of)| {
                known == key && (*as_of == Freshness::Stored || *freshness == Freshness::Cached)
            })
        });
        let mut work: Vec<Work> = Vec::with_capacity(asks.work.len());
        for wanted in asks.work {
            let known = self.work.iter().map(|(known, _)| known);
            if !known.chain(&work).any(|known| known.answers(&wanted)) {
                work.push(wanted);
            }
        }
        Asks { work, ..asks }
    }

    pub(crate) fn add_record(&mut self, key: Key, slot: Arc<Slot>, as_of: Freshness) {
        match self.records.iter_mut().find(|(known, ..)| *known == key) {
            Some(known) => *known = (key, slot, as_of),
            None => self.records.push((key, slot, as_of)),
        }
    }

    pub(crate) fn add_done(&mut self, work: Work, done: Done) {
        self.work.push((work, done));
    }

    /// Drops all reads and keeps work: no second hash, hook or reservation.
    pub(crate) fn forget_reads(&mut self) {
        self.records.clear();
        self.from_cache = false;
    }
}
