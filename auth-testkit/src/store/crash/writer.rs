//! [`commit`]: the process that is killed.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use auth_store::{CommitError, Store, TenantId};

use super::chain::Chain;
use super::record::{Line, head};
use crate::store::violation::Finding;

/// Commits without an end, and says on standard output what it does. It goes on where the process before it
/// was killed, and gives what it finds that the contract does not permit.
pub async fn commit(store: Arc<dyn Store>) -> Finding {
    let told = |line: &str| {
        let mut out = std::io::stdout().lock();
        // Nobody listens any more when the test is over.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    commit_and_tell(store, told).await
}

/// The same, with the lines that a [`Record`](super::Record) reads handed to `tell`.
pub async fn commit_and_tell(
    store: Arc<dyn Store>,
    tell: impl Fn(&str) + Clone + Send + Sync + 'static,
) -> Finding {
    let mut running = tokio::task::JoinSet::new();
    for chain in Chain::all() {
        let (store, tell) = (store.clone(), tell.clone());
        let writer = Writer { store, chain, tell };
        running.spawn(async move {
            match writer.run().await {
                Ok(never) => match never {},
                Err(finding) => {
                    writer.tell(&Line::Broken(finding.to_string()));
                    finding
                }
            }
        });
    }
    match running.join_next().await {
        Some(Ok(finding)) => finding,
        _ => Finding::new("a task that commits has ended"),
    }
}

struct Writer<T> {
    store: Arc<dyn Store>,
    chain: Chain,
    tell: T,
}

impl<T: Fn(&str)> Writer<T> {
    fn tell(&self, line: &Line) {
        (self.tell)(&line.to_string());
    }

    async fn run(&self) -> Result<std::convert::Infallible, Finding> {
        let chain = self.chain;
        let mut n = head(&self.store, chain).await?.map_or(0, |(last, _)| last);
        // The process before this one may have sent the first batch already.
        let mut sent_before = true;
        loop {
            n += 1;
            self.tell(&Line::Began(chain, n));
            self.until_applied(n, sent_before).await?;
            sent_before = false;
            self.tell(&Line::Acknowledged(chain, n));
            tokio::task::yield_now().await;
        }
    }

    /// Commits the batch `n` until that is acknowledged, or seen.
    async fn until_applied(&self, n: u64, mut perhaps: bool) -> Result<(), Finding> {
        let (chain, batch) = (self.chain, self.chain.batch(n)?);
        loop {
            match self.store.commit(TenantId::DEFAULT, &batch).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Unknown(_)) => {
                    perhaps = true;
                    self.tell(&Line::Unknown(chain, n));
                    // Reading tells, and so does a replay.
                    if n.is_multiple_of(2) && self.is_applied(n).await? {
                        return Ok(());
                    }
                }
                Err(CommitError::Unavailable(_)) => {
                    // An earlier attempt of unknown outcome may have been.
                    if !perhaps && self.is_applied(n).await? {
                        let saw = format!("batch {n} of {chain:?} was refused and applied");
                        return Err(Finding::new(saw));
                    }
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn is_applied(&self, n: u64) -> Result<bool, Finding> {
        let last = head(&self.store, self.chain).await?;
        Ok(last.is_some_and(|(_, version)| version == self.chain.id(n)))
    }
}
