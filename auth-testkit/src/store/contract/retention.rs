//! `keep_until` is retention, and time comes from the caller.

use std::sync::Arc;

use auth_store::When::{Absent, Any, At, Present};
use auth_store::{Queue, Scan, Store, Timestamp};

use crate::store::caller::{Caller, after, new_id};
use crate::store::draft::{all_numbered, check, key, numbered, record, whole_index};
use crate::store::violation::{Finding, ensure};

/// What has expired is decided by the batch's time: in a batch of 1971 a record kept until 1972 is
/// present, and in one of the year 9998 a record kept until 9997 is absent.
pub async fn expiry_goes_by_the_batch_s_time(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("subject")?;
    let year = |n: u64| Timestamp::from_secs(n * 31_556_952).unwrap_or(Timestamp::MAX);
    for (now, until, is_present) in [
        (year(1), year(2), true),
        (year(2), year(1), false),
        (year(8020), year(8025), true),
        (year(8025), year(8020), false),
    ] {
        caller.at(now).apply([record(&subject).until(until).put(Any)]).await?;
        let attempt = [record(&subject).put(if is_present { Present } else { Absent })];
        caller.at(now).apply(attempt).await?;
        caller.at(now).apply([record(&subject).until(until).put(Any)]).await?;
        let attempt = [record(&subject).put(if is_present { Absent } else { Present })];
        caller.at(now).conflicts(attempt, &[&subject]).await?;
    }
    Ok(())
}

/// A record past its `keep_until` is returned by `get` and `scan` until it is swept.
pub async fn an_expired_record_is_read_until_it_is_swept(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let key = numbered("expired", 1)?.remove(0);
    // In 1970: whatever clock a store might read, that has passed.
    let draft = record(&key).until(Timestamp::EPOCH).entry("kit_a", b"x");
    caller.apply([draft.put(Absent)]).await?;
    caller.present(&key).await?;
    for range in [all_numbered("expired").into(), whole_index("kit_a")] {
        let found = caller.scanned(Scan::records(range, 10)).await?;
        ensure!(found == [key.clone()], "a scan found {found:?} instead of the expired record");
    }
    Ok(())
}

/// A put over an expired record replaces it whole: value, version, retention, due time, and the index
/// entries that stood there, which such a batch does not know.
pub async fn a_put_over_an_expired_record_replaces_it_whole(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("subject")?;
    let old = record(&subject).until(after(10)).entry("kit_a", b"old").entry("kit_b", b"old").due(
        Queue::Jobs,
        after(5),
        3,
    );
    caller.apply([old.put(Absent)]).await?;
    let later = caller.at(after(10));
    let id = later.apply([record(&subject).value("2").entry("kit_a", b"new").put(Absent)]).await?;
    let found = later.present(&subject).await?;
    ensure!(
        (found.version, &*found.value, found.keep_until, found.due) == (id, "2", None, None),
        "the new record is {found:?}"
    );
    let a = later.scanned(Scan::records(whole_index("kit_a"), 10)).await?.len();
    let b = later.scanned(Scan::records(whole_index("kit_b"), 10)).await?.len();
    ensure!((a, b) == (1, 0), "the old record left index entries: {a} and {b}");
    let due = store.due(Queue::Jobs, after(10), 0..256, 10).await?;
    ensure!(due.is_empty(), "the old record left its due time");
    Ok(())
}

/// A put sets `keep_until` anew: later, earlier, or to none at all.
pub async fn a_put_moves_keep_until(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("subject")?;
    let beside = key("beside")?;
    let is_absent = |at| {
        let attempt = [check(&subject, Absent), record(&beside).put(Any)];
        let caller = caller.at(at);
        async move { Ok::<bool, Finding>(caller.outcome(new_id(), attempt).await?.is_ok()) }
    };
    let mut version = caller.apply([record(&subject).until(after(10)).put(Absent)]).await?;
    for (until, absent_at_20) in [(Some(30), false), (Some(15), true), (None, false)] {
        let mut draft = record(&subject);
        if let Some(until) = until {
            draft = draft.until(after(until));
        }
        version = caller.apply([draft.put(At(version))]).await?;
        let kept = caller.present(&subject).await?.keep_until;
        ensure!(kept == until.map(after), "keep_until is {kept:?}");
        ensure!(is_absent(after(20)).await? == absent_at_20, "retention was not moved");
    }
    ensure!(!is_absent(Timestamp::MAX).await?, "a record without keep_until is not kept for ever");
    Ok(())
}

/// A record that is expired at one batch's time is present at an earlier one's: clocks of several
/// callers differ, and a store has no opinion.
pub async fn callers_may_disagree_about_the_time(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let (subject, beside) = (key("subject")?, key("beside")?);
    caller.apply([record(&subject).until(after(100)).put(Absent)]).await?;
    let fast = [check(&subject, Absent), record(&beside).put(Any)];
    caller.at(after(100)).apply(fast).await?;
    let slow = [check(&subject, Present), record(&beside).put(Any)];
    caller.at(after(99)).apply(slow).await.map(drop)
}
