//! Commits that arrive together.

use std::sync::Arc;

use auth_store::When::{Absent, Any, At, Present};
use auth_store::{CommitError, Committed, Store};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::store::caller::{Caller, PATIENCE, after, new_id};
use crate::store::draft::{add, check, key, numbered, record};
use crate::store::violation::{Finding, ensure};

/// Runs the tasks of `make` from one moment on, and gives what came of them.
pub(super) async fn all_at_once<T, F>(
    count: usize,
    make: impl Fn(usize) -> F,
) -> Result<Vec<T>, Finding>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Finding>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for n in 0..count {
        let (start, task) = (start.clone(), make(n));
        tasks.spawn(async move {
            start.wait().await;
            task.await
        });
    }
    let mut outcomes = Vec::with_capacity(count);
    while let Some(ended) = tokio::time::timeout(PATIENCE, tasks.join_next())
        .await
        .map_err(|_| Finding::new(format!("a race was not over after {PATIENCE:?}")))?
    {
        let outcome = ended.map_err(|error| Finding::new(format!("a task ended: {error}")))?;
        outcomes.push(outcome?);
    }
    Ok(outcomes)
}

/// Whether a commit won or was refused, if it did not fail in another way.
fn won(outcome: Result<Committed, CommitError>) -> Result<bool, Finding> {
    match outcome {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict(_) | CommitError::Full(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn count(outcomes: &[bool]) -> usize {
    outcomes.iter().filter(|won| **won).count()
}

/// Of many commits that want one key to be absent, one is applied.
pub async fn one_of_many_takes_what_is_absent(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    for round in 0..8 {
        let subject = key(&format!("name {round}"))?;
        let outcomes = all_at_once(32, |n| {
            let (caller, subject) = (caller.clone(), subject.clone());
            async move {
                let draft = record(&subject).value(&n.to_string());
                won(caller.outcome(new_id(), [draft.put(Absent)]).await?)
            }
        })
        .await?;
        let winners = count(&outcomes);
        ensure!(winners == 1, "{winners} of 32 commits took one name");
    }
    Ok(())
}

/// Of many commits that replace or remove one state of a record, one is applied.
pub async fn one_of_many_follows_a_version(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    for round in 0..8 {
        let subject = key(&format!("token {round}"))?;
        let version = caller.apply([record(&subject).put(Absent)]).await?;
        let outcomes = all_at_once(32, |n| {
            let (caller, subject) = (caller.clone(), subject.clone());
            async move {
                let used = record(&key(&format!("used {round} {n}"))?).put(Absent);
                let write = match n % 3 {
                    0 => record(&subject).delete(At(version)),
                    1 => record(&subject).put(At(version)),
                    _ => check(&subject, At(version)),
                };
                // A check alone does not move the version: all of those that come first succeed.
                let decides = n % 3 != 2;
                Ok(won(caller.outcome(new_id(), [write, used]).await?)? && decides)
            }
        })
        .await?;
        let winners = count(&outcomes);
        ensure!(winners == 1, "{winners} commits followed one version");
    }
    Ok(())
}

/// Of many commits that delete a record that must be present, one is applied: a code is redeemed once.
pub async fn one_of_many_consumes_a_record(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    for round in 0..8 {
        let subject = key(&format!("code {round}"))?;
        caller.apply([record(&subject).put(Absent)]).await?;
        let outcomes = all_at_once(32, |n| {
            let (caller, subject) = (caller.clone(), subject.clone());
            async move {
                let issued = record(&key(&format!("token {round} {n}"))?).put(Absent);
                let consume = record(&subject).delete(Present);
                won(caller.outcome(new_id(), [consume, issued]).await?)
            }
        })
        .await?;
        let winners = count(&outcomes);
        ensure!(winners == 1, "{winners} of 32 commits consumed one record");
        let tokens: Result<Vec<_>, _> =
            (0..32).map(|n| key(&format!("token {round} {n}"))).collect();
        let issued = caller.find_all(&tokens?).await?.into_iter().flatten().count();
        ensure!(issued == 1, "{issued} tokens were issued for one code");
    }
    Ok(())
}

/// Of 32 additions of 1 below 10, exactly 10 are applied, and each sum comes once.
pub async fn a_bound_holds_when_many_add(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    for round in 0..8 {
        let counter = key(&format!("counter {round}"))?;
        let outcomes = all_at_once(32, |_| {
            let (caller, counter) = (caller.clone(), counter.clone());
            async move {
                let write = add(&counter, 1, Some(10), after(1000));
                match caller.outcome(new_id(), [write]).await? {
                    Ok(committed) => Ok(committed.counters),
                    Err(CommitError::Full(_)) => Ok(Vec::new()),
                    Err(error) => Err(error.into()),
                }
            }
        })
        .await?;
        let mut sums: Vec<u64> = outcomes.into_iter().flatten().collect();
        sums.sort_unstable();
        ensure!(sums == (1..=10).collect::<Vec<_>>(), "the sums are {sums:?}");
        let value = caller.present(&counter).await?.value;
        ensure!(&*value == "10", "the counter stands at {value}");
    }
    Ok(())
}

/// Read, change, commit at the version that was read, and again after a conflict: no change is lost.
pub async fn no_change_is_lost(store: Arc<dyn Store>) -> Result<(), Finding> {
    const TASKS: u64 = 8;
    const CHANGES: u64 = 10;
    let caller = Caller::new(&store);
    let subject = key("balance")?;
    caller.apply([record(&subject).value("0").put(Absent)]).await?;
    all_at_once(TASKS as usize, |_| {
        let (caller, subject) = (caller.clone(), subject.clone());
        async move {
            for _ in 0..CHANGES {
                let mut attempts = 0;
                loop {
                    let old = caller.present(&subject).await?;
                    let balance: u64 = old.value.parse().unwrap_or(u64::MAX / 2);
                    let new = record(&subject).value(&(balance + 1).to_string());
                    let outcome = caller.outcome(new_id(), [new.put(At(old.version))]).await?;
                    if won(outcome)? {
                        break;
                    }
                    attempts += 1;
                    ensure!(attempts < 1000, "a commit conflicts whenever it is tried");
                    tokio::task::yield_now().await;
                }
            }
            Ok(())
        }
    })
    .await?;
    let value = caller.present(&subject).await?.value;
    ensure!(*value == *(TASKS * CHANGES).to_string(), "the balance is {value}");
    Ok(())
}

/// A check locks its key and does not merely read it: of two commits each of which checks what the
/// other writes, one is applied.
pub async fn a_check_is_locked(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    for round in 0..50 {
        let keys = numbered(&format!("doctor {round}"), 2)?;
        let version = caller.apply([record(&keys[0]).put(Any), record(&keys[1]).put(Any)]).await?;
        let outcomes = all_at_once(2, |n| {
            let (caller, mine, other) = (caller.clone(), keys[n].clone(), keys[1 - n].clone());
            async move {
                let writes =
                    [check(&other, At(version)), record(&mine).value("off").put(At(version))];
                won(caller.outcome(new_id(), writes).await?)
            }
        })
        .await?;
        let winners = count(&outcomes);
        ensure!(winners == 1, "{winners} of two commits that exclude one another were applied");
    }
    Ok(())
}

/// A check of absence is locked as well: of two commits each of which writes the key that the other
/// wants absent, one is applied.
pub async fn a_check_of_absence_is_locked(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    for round in 0..50 {
        let keys = numbered(&format!("seat {round}"), 2)?;
        let outcomes = all_at_once(2, |n| {
            let (caller, mine, other) = (caller.clone(), keys[n].clone(), keys[1 - n].clone());
            async move {
                let writes = [check(&other, Absent), record(&mine).put(Any)];
                won(caller.outcome(new_id(), writes).await?)
            }
        })
        .await?;
        let winners = count(&outcomes);
        ensure!(winners == 1, "{winners} of two commits that exclude one another were applied");
    }
    Ok(())
}
