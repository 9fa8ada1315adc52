//! The id of a commit makes a replay harmless, and tells whether the commit was applied.

use std::sync::Arc;

use auth_store::When::{Absent, Any, At, Present};
use auth_store::{Committed, Store};

use crate::store::caller::{Caller, after, new_id};
use crate::store::draft::{add, key, keys, record};
use crate::store::violation::{Finding, ensure};

/// The same batch again succeeds without effect: its preconditions do not count any more, its
/// counters are not added to, and it tells no sums.
pub async fn a_replay_succeeds_without_effect(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [written, counter] = keys(["written", "counter"])?;
    let id = new_id();
    let writes = || [record(&written).put(Absent), add(&counter, 5, Some(5), after(1000))];
    caller.outcome(id, writes()).await??;
    let before = caller.find_all(&[written.clone(), counter.clone()]).await?;
    for _ in 0..2 {
        let again = caller.outcome(id, writes()).await??;
        ensure!(again == Committed::default(), "a replay told {again:?}");
        let now = caller.find_all(&[written.clone(), counter.clone()]).await?;
        ensure!(now == before, "a replay left {now:?}");
    }
    Ok(())
}

/// A replay is one as long as a single key still has the id: what was changed since is left alone.
pub async fn a_replay_leaves_later_changes_alone(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [kept, changed, deleted] = keys(["kept", "changed", "deleted"])?;
    caller.apply([record(&deleted).put(Absent)]).await?;
    let id = new_id();
    let writes =
        || [record(&changed).put(Any), record(&deleted).delete(Any), record(&kept).put(Any)];
    caller.outcome(id, writes()).await??;
    let later = caller
        .apply([record(&changed).value("2").put(At(id)), record(&deleted).put(Absent)])
        .await?;
    caller.outcome(id, writes()).await??;
    for key in [&changed, &deleted] {
        let version = caller.present(key).await?.version;
        ensure!(version == later, "a replay wrote over a later change of {key:?}");
    }
    Ok(())
}

/// A batch that was refused was not applied: under the same id it may be applied later.
pub async fn a_refused_id_is_not_remembered(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [written, guard] = keys(["written", "guard"])?;
    let id = new_id();
    let writes = || [record(&written).put(Absent), record(&guard).put(Present)];
    ensure!(caller.outcome(id, writes()).await?.is_err(), "an absent key was present");
    caller.apply([record(&guard).put(Absent)]).await?;
    caller.outcome(id, writes()).await??;
    let version = caller.present(&written).await?.version;
    ensure!(version == id, "a batch that was refused before was not applied");
    Ok(())
}

/// Another tenant's commit of the same id is another commit.
pub async fn a_replay_is_a_matter_of_one_tenant(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let other = caller.of("another")?;
    let (written, id) = (key("written")?, new_id());
    caller.outcome(id, [record(&written).put(Absent)]).await??;
    other.outcome(id, [record(&written).put(Absent)]).await??;
    other.present(&written).await.map(drop)
}

/// Commits of one id that arrive together are applied once, and all of them succeed.
pub async fn concurrent_replays_are_applied_once(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [written, counter] = keys(["written", "counter"])?;
    let id = new_id();
    let outcomes = super::races::all_at_once(16, |_| {
        let (caller, written, counter) = (caller.clone(), written.clone(), counter.clone());
        async move {
            let writes = [record(&written).put(Absent), add(&counter, 1, None, after(1000))];
            caller.outcome(id, writes).await?.map_err(Finding::from)
        }
    })
    .await?;
    let told = outcomes.iter().filter(|committed| !committed.counters.is_empty()).count();
    ensure!(told <= 1, "{told} replays told the sum of a counter");
    let sum = caller.present(&counter).await?.value;
    ensure!(&*sum == "1", "a counter was added to {sum} times by one commit");
    Ok(())
}
