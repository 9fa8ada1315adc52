//! [`Record`]: what was acknowledged, and whether the database holds it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_store::{Scan, Store, StoreError, TenantId, Version};

use super::chain::{CHAINS, Chain};
use crate::store::caller::Caller;
use crate::store::violation::{Finding, ensure};

/// How long a database may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// A line of the process that commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Began(Chain, u64),
    Acknowledged(Chain, u64),
    Unknown(Chain, u64),
    Broken(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began(Chain(chain), n) => write!(f, "crash: began {chain} {n}"),
            Self::Acknowledged(Chain(chain), n) => write!(f, "crash: acknowledged {chain} {n}"),
            Self::Unknown(Chain(chain), n) => write!(f, "crash: unknown {chain} {n}"),
            Self::Broken(finding) => write!(f, "crash: broken {}", finding.replace('\n', " ")),
        }
    }
}

impl FromStr for Line {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        // A test's name may stand before the first line.
        let (_, told) = line.split_once("crash: ").ok_or(())?;
        let (what, rest) = told.split_once(' ').ok_or(())?;
        let batch = || {
            let (chain, n) = rest.split_once(' ')?;
            let chain = chain.parse().ok().filter(|chain| *chain < CHAINS)?;
            Some((Chain(chain), n.parse().ok()?))
        };
        match (what, batch()) {
            ("began", Some((chain, n))) => Ok(Self::Began(chain, n)),
            ("acknowledged", Some((chain, n))) => Ok(Self::Acknowledged(chain, n)),
            ("unknown", Some((chain, n))) => Ok(Self::Unknown(chain, n)),
            ("broken", _) => Ok(Self::Broken(rest.to_owned())),
            _ => Err(()),
        }
    }
}

/// What was begun and acknowledged, kept outside of the process that is killed.
#[derive(Debug, Default)]
pub struct Record {
    chains: BTreeMap<u8, Known>,
    checked: Checked,
}

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    began: u64,
    acknowledged: u64,
}

/// What was compared so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Batches that were acknowledged.
    pub acknowledged: u64,
    /// Batches without an answer at a crash.
    pub open: u64,
    /// Of these, the ones that were there afterwards.
    pub applied: u64,
    /// Commits whose outcome was unknown to the process, and was resolved by it.
    pub unknown: u64,
}

impl Record {
    /// Takes a line of the process's output; lines of others are passed over.
    ///
    /// # Errors
    /// What the process found.
    pub fn take(&mut self, line: &str) -> Result<(), Finding> {
        match line.parse() {
            Ok(Line::Began(Chain(chain), n)) => {
                self.chains.entry(chain).or_default().began = n;
            }
            Ok(Line::Acknowledged(Chain(chain), n)) => {
                self.chains.entry(chain).or_default().acknowledged = n;
                self.checked.acknowledged += 1;
            }
            Ok(Line::Unknown(..)) => self.checked.unknown += 1,
            Ok(Line::Broken(finding)) => return Err(Finding::new(finding)),
            Err(()) => {}
        }
        Ok(())
    }

    /// What was compared so far.
    #[must_use]
    pub fn checked(&self) -> Checked {
        self.checked
    }

    /// Compares the record with the database, when the process does not run.
    ///
    /// # Errors
    /// What is lost, or there in part or twice.
    pub async fn check(&mut self, store: &Arc<dyn Store>) -> Result<(), Finding> {
        let caller = Caller::new(store);
        for chain in Chain::all() {
            // A server may finish what a killed client had sent; a chain that moved is looked at again.
            let begun = Instant::now();
            loop {
                let before = head(store, chain).await?;
                let found = self.check_chain(&caller, chain, before).await;
                if before == head(store, chain).await? {
                    found?;
                    break;
                }
                ensure!(begun.elapsed() < PATIENCE, "{chain:?} grows, although nobody commits");
            }
        }
        Ok(())
    }

    async fn check_chain(
        &mut self,
        caller: &Caller,
        chain: Chain,
        last: Option<(u64, Version)>,
    ) -> Result<(), Finding> {
        let known = self.chains.get(&chain.0).copied().unwrap_or_default();
        let Known { began, acknowledged } = known;
        let (end, version) = last.unzip();
        let end = end.unwrap_or(0);
        ensure!(
            end >= acknowledged,
            "batch {acknowledged} of {chain:?} was acknowledged, and {end} is the last"
        );
        ensure!(end <= began, "batch {end} of {chain:?} is there, and {began} was the last begun");
        ensure!(version.is_none_or(|v| v == chain.id(end)), "{chain:?} ends in a strange version");
        for n in 1..=began {
            let found = caller.find_all(&chain.records(n)?).await?;
            let there: Vec<bool> = found.iter().map(Option::is_some).collect();
            // The next batch removes the baton.
            let expected = [n <= end, n <= end, n == end];
            ensure!(
                there == expected,
                "batch {n} of {end} of {chain:?} is there in part: {there:?}"
            );
            for record in found.into_iter().flatten() {
                let whole = record.version == chain.id(n) && *record.value == *n.to_string();
                ensure!(whole, "batch {n} of {chain:?} wrote {:?} in part", record.key);
            }
        }
        let counter = caller.find(&chain.counter()?).await?;
        let count = counter.map_or(Ok(0), |record| record.value.parse::<u64>());
        ensure!(count == Ok(end), "{end} batches of {chain:?} were counted as {count:?}");
        let entries = caller.scanned(Scan::records(chain.entries(), 100)).await?;
        let lefts: Result<Vec<_>, Finding> =
            (1..=end).map(|n| Ok(chain.records(n)?[0].clone())).collect();
        ensure!(entries == lefts?, "{end} batches of {chain:?} have {} entries", entries.len());

        self.checked.open += u64::from(began > acknowledged);
        self.checked.applied += u64::from(end > acknowledged);
        self.chains.insert(chain.0, Known { began: end, acknowledged: end });
        Ok(())
    }
}

/// The number and the version of a chain's last batch, as soon as the database can be read.
pub(super) async fn head(
    store: &Arc<dyn Store>,
    chain: Chain,
) -> Result<Option<(u64, Version)>, Finding> {
    let (begun, key) = (Instant::now(), [chain.head()?]);
    let found = loop {
        match store.get(TenantId::DEFAULT, &key).await {
            Err(StoreError::Unavailable(_)) if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            answer => break answer?,
        }
    };
    let Some(head) = found.into_iter().next().flatten() else { return Ok(None) };
    let number =
        head.value.parse().map_err(|_| Finding::new("the head of a chain is no number"))?;
    Ok(Some((number, head.version)))
}
