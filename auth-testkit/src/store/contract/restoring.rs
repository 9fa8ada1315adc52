//! What was archived is restored as it was, beside what is there.

use std::sync::Arc;

use auth_store::When::{Absent, Any, At, Present};
use auth_store::{Archive, Archived, Class, KeyRange, Queue, Restored, Scan, Sweep};

use super::archiving::{archived, caller, furnish, in_order};
use super::races::all_at_once;
use super::sweeping::to_the_end;
use super::tenants::TENANTS;
use crate::store::caller::{after, batch, new_id};
use crate::store::draft::{add, keys, record, whole_index};
use crate::store::violation::{Finding, ensure};

/// Restores all records, some at a time, and gives what became of them.
async fn restore(
    into: &Arc<dyn Archive>,
    records: &[Archived],
    at_a_time: usize,
) -> Result<Restored, Finding> {
    let mut all = Restored::default();
    for some in records.chunks(at_a_time) {
        let restored = into.restore(some).await?;
        all.written += restored.written;
        all.kept += restored.kept;
    }
    let told = (all.written + all.kept) as usize;
    ensure!(told == records.len(), "{all:?} was told of {} records", records.len());
    Ok(all)
}

/// Restores a furnished database into an empty one.
async fn moved(
    from: &Arc<dyn Archive>,
    into: &Arc<dyn Archive>,
    tenants: &[&str],
) -> Result<(), Finding> {
    furnish(&caller(from), tenants).await?;
    let records = archived(from, 100).await?;
    let restored = restore(into, &records, 100).await?;
    let written = restored.written as usize;
    ensure!(written == records.len(), "{restored:?} was restored of {}", records.len());
    Ok(())
}

/// Restored into an empty database, an archive makes an equal archive, whatever the order and the size
/// of its parts.
pub async fn a_restored_database_is_equal(
    from: Arc<dyn Archive>,
    into: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let written = furnish(&caller(&from), &TENANTS).await?;
    let before = archived(&from, 10).await?;
    ensure!(before.len() == written, "{} of {written} records were archived", before.len());
    let mut shuffled = before.clone();
    shuffled.reverse();
    shuffled.rotate_left(7);
    let restored = restore(&into, &shuffled, 5).await?;
    ensure!(restored.kept == 0, "{restored:?} of {written} records was restored");
    let (before, now) = (in_order(before), in_order(archived(&into, 10).await?));
    let other = before.iter().zip(&now).find(|(before, now)| before != now);
    ensure!(other.is_none(), "a record and what was restored of it: {other:?}");
    ensure!(now.len() == before.len(), "{} of {} records were restored", now.len(), before.len());
    Ok(())
}

/// Restored records are found by key, by index and by due time, each in its tenant.
pub async fn a_restored_database_is_scanned_and_due(
    from: Arc<dyn Archive>,
    into: Arc<dyn Archive>,
) -> Result<(), Finding> {
    moved(&from, &into, &TENANTS).await?;
    let first = caller(&into);
    let [indexed, due] = keys(["indexed", "due"])?;
    for tenant in TENANTS {
        let caller = first.of(tenant)?;
        let main = caller.scanned(Scan::records(KeyRange::class(Class::Main), 2)).await?;
        ensure!(main.len() == 5 && main.is_sorted(), "the keys of {tenant} are {main:?}");
        let side = caller.scanned(Scan::records(KeyRange::class(Class::Side), 2)).await?;
        ensure!(side.len() == 1, "the side records of {tenant} are {side:?}");
        for (name, entries) in [("kit_a", 2), ("kit_b", 1)] {
            let found = caller.scanned(Scan::records(whole_index(name), 1)).await?;
            let expected = vec![indexed.clone(); entries];
            ensure!(found == expected, "{name} of {tenant} holds {found:?}");
        }
    }
    let found = into.due(Queue::Outbox, after(3), 255..256, 100).await?;
    let expected: Result<Vec<_>, Finding> =
        TENANTS[..4].iter().map(|tenant| Ok(first.of(tenant)?.tenant)).collect();
    let tenants: Vec<_> = found.iter().map(|(tenant, _)| *tenant).collect();
    ensure!(tenants == expected?, "what is due was restored as {found:?}");
    ensure!(found.iter().all(|(_, record)| record.key == due), "{found:?} is due");
    Ok(())
}

/// Work goes on where it was: counters count on up to their bound, versions are followed, a commit from
/// before is a replay, index entries move, and what has expired is absent and is swept.
pub async fn a_restored_database_goes_on(
    from: Arc<dyn Archive>,
    into: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let before = caller(&from);
    let [early, counter, indexed, expired, beside] =
        keys(["early", "counter", "indexed", "expired", "beside"])?;
    let id = new_id();
    let commit = batch(id, before.now, [record(&early).value("1").put(Absent)])?;
    before.store.commit(before.tenant, &commit).await?;
    moved(&from, &into, &["default"]).await?;

    let caller = caller(&into);
    let again = caller.store.commit(caller.tenant, &commit).await;
    ensure!(again.is_ok(), "a commit from before the move gave {again:?}");
    caller.apply([record(&early).value("2").put(At(id))]).await?;
    let sums = caller.sums([add(&counter, 6, Some(9), after(5000))]).await?;
    ensure!(sums == [9], "a counter of 3 goes on at {sums:?}");
    caller.fills([add(&counter, 1, Some(9), after(5000))], &counter).await?;
    let until = caller.present(&counter).await?.keep_until;
    ensure!(until == Some(after(1000)), "a counter's window was moved to {until:?}");
    // The batch names none of the entries that it replaces.
    caller.apply([record(&indexed).entry("kit_b", b"new").put(Present)]).await?;
    for (name, count) in [("kit_a", 0), ("kit_b", 1)] {
        let found = caller.scanned(Scan::records(whole_index(name), 10)).await?;
        ensure!(found.len() == count, "{name} holds {found:?} after a put");
    }
    caller.conflicts([record(&expired).put(Present)], &[&expired]).await?;
    let what = Sweep::Expired { now: after(0) };
    let swept = to_the_end(&caller, what, 100).await?;
    ensure!(swept == 1, "{swept} of the expired records were swept instead of 1");
    caller.apply([record(&expired).put(Absent), record(&beside).put(Absent)]).await.map(drop)
}

/// A record that is there already stays as it is, even past its retention: value, version, queue and
/// entries. The others are restored beside it.
pub async fn what_is_there_is_left_alone(
    from: Arc<dyn Archive>,
    into: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let [a, b, c] = keys(["a", "b", "c"])?;
    let (source, target) = (caller(&from), caller(&into));
    let old = |key| record(key).value("old").entry("kit_a", b"old").due(Queue::Jobs, after(1), 1);
    source.apply([old(&a).put(Absent), old(&b).put(Absent), old(&c).put(Absent)]).await?;
    let new = |key| record(key).value("new").entry("kit_a", b"new").due(Queue::Jobs, after(2), 2);
    target.apply([new(&a).put(Absent), new(&b).until(after(0)).put(Absent)]).await?;
    let other = target.of("other")?;
    other.apply([new(&c).put(Absent)]).await?;
    let before = target.find_all(&[a.clone(), b.clone()]).await?;

    let restored = restore(&into, &archived(&from, 10).await?, 10).await?;
    ensure!(restored == Restored { written: 1, kept: 2 }, "{restored:?} of 3, 2 of them there");
    let now = target.find_all(&[a.clone(), b.clone()]).await?;
    ensure!(now == before, "what was there became {now:?}");
    let entries = target.scanned(Scan::records(whole_index("kit_a"), 10)).await?;
    ensure!(entries == [a.clone(), b.clone(), c.clone()], "the index holds {entries:?}");
    let due = into.due(Queue::Jobs, after(9), 1..2, 10).await?;
    ensure!(due.len() == 1, "of the records that were restored are due {due:?}");
    let value = target.present(&c).await?.value;
    ensure!(&*value == "old", "another tenant's record stood in the way: {value}");
    Ok(())
}

/// The same records again change nothing, and neither do they after the database has gone on.
pub async fn to_restore_twice_is_harmless(
    from: Arc<dyn Archive>,
    into: Arc<dyn Archive>,
) -> Result<(), Finding> {
    moved(&from, &into, &TENANTS).await?;
    let records = archived(&from, 100).await?;
    let before = in_order(archived(&into, 100).await?);
    let again = restore(&into, &records, 7).await?;
    ensure!(again.written == 0, "{again:?} was restored a second time");
    ensure!(in_order(archived(&into, 100).await?) == before, "a second time changed the archive");

    let caller = caller(&into).of(TENANTS[0])?;
    let [plain, counter] = keys(["plain", "counter"])?;
    caller.apply([record(&plain).value("2").put(Any), add(&counter, 1, None, after(1))]).await?;
    let before = in_order(archived(&into, 100).await?);
    restore(&into, &records, 100).await?;
    ensure!(in_order(archived(&into, 100).await?) == before, "restoring undid what came later");
    Ok(())
}

/// Of many that restore the same records at the same time one writes each of them, whole.
pub async fn of_many_that_restore_a_record_one_writes_it(
    from: Arc<dyn Archive>,
    into: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let written = furnish(&caller(&from), &TENANTS).await?;
    let records = Arc::new(archived(&from, 100).await?);
    let outcomes = all_at_once(6, |n| {
        let (into, records) = (into.clone(), records.clone());
        async move {
            // Each from another place on.
            let mut records = records.to_vec();
            records.rotate_left(n * 5 % written.max(1));
            restore(&into, &records, 4).await
        }
    })
    .await?;
    let sum: u32 = outcomes.iter().map(|restored| restored.written).sum();
    ensure!(sum as usize == written, "{sum} records were written of {written}");
    let now = in_order(archived(&into, 100).await?);
    ensure!(now == in_order(records.to_vec()), "together they restored {now:?}");
    Ok(())
}
