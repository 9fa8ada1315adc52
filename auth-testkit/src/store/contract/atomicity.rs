//! All writes of a batch are applied, or none.

use std::sync::Arc;

use auth_store::When::{Absent, Any, At, Present};
use auth_store::{Batch, Committed, Main, Scan, Store, TenantId, Timestamp, Write};

use crate::store::caller::{Caller, after, new_id};
use crate::store::draft::{add, check, key, keys, record, whole_index};
use crate::store::violation::{Finding, ensure};

/// A batch with writes of every sort is applied whole.
pub async fn a_batch_is_applied_whole(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [old, new, gone, checked, counter] = keys(["old", "new", "gone", "checked", "counter"])?;
    let first = caller
        .apply([record(&old).put(Absent), record(&gone).put(Absent), record(&checked).put(Absent)])
        .await?;
    let second = caller
        .apply([
            record(&old).value("2").put(At(first)),
            record(&new).put(Absent),
            record(&gone).delete(Present),
            check(&checked, At(first)),
            add(&counter, 3, Some(3), after(1000)),
        ])
        .await?;
    let found = caller.find_all(&[old, new, gone, checked, counter]).await?;
    let versions: Vec<_> = found.iter().map(|r| r.as_ref().map(|r| r.version)).collect();
    let expected = vec![Some(second), Some(second), None, Some(first), Some(second)];
    ensure!(versions == expected, "the versions are {versions:?} instead of {expected:?}");
    Ok(())
}

/// A batch one of whose preconditions does not hold changes nothing, wherever in the batch the
/// failing one stands: no record, no index entry, no counter.
pub async fn a_conflicting_batch_changes_nothing(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [old, new, gone, taken, counter] = keys(["old", "new", "gone", "taken", "counter"])?;
    let state = record(&old).entry("kit_a", b"old");
    caller
        .apply([
            state.put(Absent),
            record(&gone).put(Absent),
            record(&taken).put(Absent),
            add(&counter, 1, None, after(1000)),
        ])
        .await?;
    let all = [old.clone(), new.clone(), gone.clone(), taken.clone(), counter.clone()];
    let before = caller.find_all(&all).await?;
    let sound = [
        record(&old).value("2").entry("kit_a", b"new").over(&state, Present),
        record(&new).entry("kit_a", b"new").put(Absent),
        record(&gone).delete(Present),
        add(&counter, 1, None, after(2000)),
    ];
    let failing = [
        record(&taken).value("2").put(Absent),
        record(&taken).delete(At(new_id())),
        check(&taken, Absent),
    ];
    for bad in failing {
        for place in 0..=sound.len() {
            let mut writes: Vec<Write> = sound.to_vec();
            writes.insert(place, bad.clone());
            caller.conflicts(writes, &[&taken]).await?;
            let now = caller.find_all(&all).await?;
            ensure!(now == before, "a refused batch with {bad:?} at {place} left {now:?}");
            let entries = caller.scanned(Scan::records(whole_index("kit_a"), 10)).await?;
            ensure!(entries == [old.clone()], "a refused batch left the entries {entries:?}");
        }
    }
    Ok(())
}

/// A batch one of whose counters is full changes nothing, wherever in the batch the full one stands.
pub async fn a_batch_with_a_full_counter_changes_nothing(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [written, full, other] = keys(["written", "full", "other"])?;
    caller.apply([add(&full, 5, None, after(1000)), add(&other, 1, None, after(1000))]).await?;
    let all = [written.clone(), full.clone(), other.clone()];
    let before = caller.find_all(&all).await?;
    let sound = [record(&written).put(Absent), add(&other, 1, Some(9), after(1000))];
    for place in 0..=sound.len() {
        let mut writes = sound.to_vec();
        writes.insert(place, add(&full, 1, Some(5), after(1000)));
        caller.fills(writes, &full).await?;
        let now = caller.find_all(&all).await?;
        ensure!(now == before, "a batch with a full counter at {place} left {now:?}");
    }
    Ok(())
}

/// A conflict names at least one of the keys whose precondition failed, and no other key.
pub async fn a_conflict_names_the_keys_that_failed(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [free, taken, held, counter] = keys(["free", "taken", "held", "counter"])?;
    caller.apply([record(&taken).put(Absent), record(&held).put(Absent)]).await?;
    let writes = [
        record(&free).put(Absent),
        record(&taken).put(Absent),
        check(&held, At(new_id())),
        add(&counter, 1, None, after(1000)),
    ];
    caller.conflicts(writes, &[&taken, &held]).await
}

/// Where both would refuse a batch, a conflict is told before a full counter: `Full` is an answer and
/// is not retried, but what led to it was out of date.
pub async fn a_conflict_is_told_before_a_full_counter(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [taken, counter] = keys(["taken", "counter"])?;
    caller.apply([record(&taken).put(Absent)]).await?;
    let full = add(&counter, 2, Some(1), after(1000));
    caller.conflicts([full.clone(), record(&taken).put(Absent)], &[&taken]).await?;
    caller.conflicts([record(&taken).put(Absent), full], &[&taken]).await
}

/// An empty batch succeeds, and says nothing of counters.
pub async fn an_empty_batch_succeeds(store: Arc<dyn Store>) -> Result<(), Finding> {
    let batch = Batch::builder::<Main>(new_id(), Timestamp::EPOCH).build()?;
    let committed = store.commit(TenantId::DEFAULT, &batch).await?;
    ensure!(committed == Committed::default(), "an empty batch gave {committed:?}");
    Ok(())
}

/// The version of every record that a commit writes, counters included, is the commit's id; what it
/// only checks keeps its own.
pub async fn a_commit_s_id_is_the_version_of_what_it_writes(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [written, counter] = keys(["written", "counter"])?;
    for _ in 0..3 {
        let writes = [record(&written).put(Any), add(&counter, 1, None, after(1000))];
        let id = caller.apply(writes).await?;
        for key in [&written, &counter] {
            let version = caller.present(key).await?.version;
            ensure!(version == id, "{key:?} has the version {version} and not {id}");
        }
    }
    let id = caller.present(&written).await?.version;
    caller.apply([check(&written, At(id)), record(&key("other")?).put(Any)]).await?;
    let version = caller.present(&written).await?.version;
    ensure!(version == id, "a check changed the version");
    Ok(())
}

/// Writes of both classes are kept, each in batches of its own.
pub async fn records_of_both_classes_are_kept(store: Arc<dyn Store>) -> Result<(), Finding> {
    use auth_store::{Class, Key, KeyRange};
    let caller = Caller::new(&store);
    let of = |class| Key::builder(class, "kit").text("same").build();
    let (main, side) = (of(Class::Main)?, of(Class::Side)?);
    caller.apply([record(&main).value("1").put(Absent)]).await?;
    caller.apply([record(&side).value("2").put(Absent)]).await?;
    for (key, value) in [(&main, "1"), (&side, "2")] {
        let found = caller.present(key).await?;
        ensure!(&*found.value == value, "{key:?} holds the other class's value");
        let range = KeyRange::class(key.class());
        let inside = caller.scanned(Scan::records(range, 10)).await?;
        ensure!(inside == [key.clone()], "the class holds {inside:?}");
    }
    Ok(())
}
