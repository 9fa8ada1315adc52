//! What `get` and `scan` return, and at which moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use auth_store::When::{Absent, Any, At};
use auth_store::{Due, Queue, Record, Scan, Store};
use tokio::task::JoinSet;

use crate::store::caller::{Caller, after, new_id};
use crate::store::draft::{all_numbered, key, keys, numbered, record};
use crate::store::violation::{Finding, ensure};

/// All members of a record are kept as they are; the value to the last character, white space and
/// repeated members included.
pub async fn a_record_is_read_as_it_was_written(store: Arc<dyn Store>) -> Result<(), Finding> {
    const VALUES: [&str; 6] = [
        "{}",
        "",
        " {\n\t\"b\" : 1.0, \"a\": 1e2, \"a\":\"2\" } ",
        r#"{"text":"\u0000\ud83d\ude00\\\"'; DROP TABLE record; --"}"#,
        "{\"text\":\"ä ß 漢字 🏳️‍🌈 \u{202e}rtl\u{202c} e\u{301} \u{10ffff} \u{fffe} \u{1}\"}",
        "9007199254740993",
    ];
    let caller = Caller::new(&store);
    let subject = key("subject")?;
    let due = Due { queue: Queue::Outbox, at: after(7), shard: 255 };
    for value in VALUES {
        for (until, due) in [(None, None), (Some(after(9)), Some(due))] {
            let mut draft = record(&subject).value(value);
            if let Some(until) = until {
                draft = draft.until(until);
            }
            if let Some(Due { queue, at, shard }) = due {
                draft = draft.due(queue, at, shard);
            }
            let version = caller.apply([draft.put(Any)]).await?;
            let expected = Record {
                key: subject.clone(),
                version,
                value: value.into(),
                keep_until: until,
                due,
            };
            let found = caller.present(&subject).await?;
            ensure!(found == expected, "{:?} was read as {:?}", expected.value, found.value);
        }
    }
    Ok(())
}

/// `get` answers each key in its place: one that is missing, and one that is asked for twice.
pub async fn a_get_answers_in_the_order_of_the_keys(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [a, b, c, missing] = keys(["a", "b", "c", "missing"])?;
    for (key, value) in [(&a, "1"), (&b, "2"), (&c, "3")] {
        caller.apply([record(key).value(value).put(Absent)]).await?;
    }
    let asked = [c.clone(), missing.clone(), a.clone(), c, b, missing, a];
    let found = caller.find_all(&asked).await?;
    let values: Vec<_> = found.iter().map(|r| r.as_ref().map(|r| &*r.value)).collect();
    let expected = [Some("3"), None, Some("1"), Some("3"), Some("2"), None, Some("1")];
    ensure!(values == expected, "the answers are {values:?}");
    let none = caller.find_all(&[]).await?;
    ensure!(none.is_empty(), "no keys were answered with {none:?}");
    Ok(())
}

/// A `get` or scan that begins after a commit was acknowledged sees it.
pub async fn an_acknowledged_commit_is_seen(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let key = numbered("seen", 1)?.remove(0);
    for _ in 0..100 {
        let version = caller.apply([record(&key).put(Any)]).await?;
        let got = caller.present(&key).await?.version;
        ensure!(got == version, "a get did not see a commit that was acknowledged before");
        let found = caller.records(Scan::records(all_numbered("seen"), 10)).await?;
        let scanned = found.first().map(|record| record.version);
        ensure!(scanned == Some(version), "a scan did not see an acknowledged commit");
    }
    Ok(())
}

/// Runs `read` over and over while `write` commits its step after step.
async fn while_writing<W, R>(
    write: impl Fn(u32) -> W + Send + 'static,
    read: impl Fn() -> R,
) -> Result<(), Finding>
where
    W: Future<Output = Result<(), Finding>> + Send + 'static,
    R: Future<Output = Result<(), Finding>>,
{
    const READS: u32 = 300;
    const WRITES: u32 = 30;
    let written = Arc::new(AtomicU32::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let mut writer = JoinSet::new();
    writer.spawn({
        let (written, done) = (written.clone(), done.clone());
        async move {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                n += 1;
                write(n).await?;
                written.store(n, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
            Ok::<_, Finding>(())
        }
    });
    let mut reads = 0;
    while reads < READS || written.load(Ordering::Relaxed) < WRITES {
        read().await?;
        reads += 1;
        if reads < READS {
            tokio::task::yield_now().await;
        } else {
            // A reader that never rests can keep a busy machine from running the writer's database.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The writer goes on until it is told to stop: it ends before that only by an error.
        if let Some(ended) = writer.try_join_next() {
            return ended.map_err(|error| Finding::new(format!("the writer ended: {error}")))?;
        }
    }
    done.store(true, Ordering::Relaxed);
    match writer.join_next().await {
        Some(Ok(outcome)) => outcome,
        ended => Err(Finding::new(format!("the writer ended early: {ended:?}"))),
    }
}

/// The records of one `get` come from one moment: of two that are always written together, none is
/// newer than the other.
pub async fn a_get_is_one_snapshot(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("pair", 2)?;
    let write = {
        let (caller, keys) = (caller.clone(), keys.clone());
        move |n: u32| {
            let value = n.to_string();
            let writes: Vec<_> =
                keys.iter().map(|key| record(key).value(&value).put(Any)).collect();
            let caller = caller.clone();
            async move { caller.apply(writes).await.map(drop) }
        }
    };
    while_writing(write, || async {
        let found = caller.find_all(&keys).await?;
        let versions: Vec<_> = found.iter().map(|r| r.as_ref().map(|r| r.version)).collect();
        ensure!(versions[0] == versions[1], "two records that are written together differ");
        Ok(())
    })
    .await
}

/// The entries of one page come from one moment: a record that is moved to and fro is always at just
/// one of its places.
pub async fn a_page_is_one_snapshot(store: Arc<dyn Store>) -> Result<(), Finding> {
    // No step stays where it is, and readers that keep step with the writer see all places.
    const PATH: [usize; 11] = [0, 3, 1, 6, 2, 5, 0, 4, 6, 1, 5];
    let caller = Caller::new(&store);
    let keys = numbered("place", 7)?;
    caller.apply([record(&keys[0]).put(Absent)]).await?;
    let write = {
        let (caller, keys) = (caller.clone(), keys.clone());
        move |n: u32| {
            let place = |n: u32| &keys[PATH[n as usize % PATH.len()]];
            let writes = [record(place(n - 1)).delete(Any), record(place(n)).put(Any)];
            let caller = caller.clone();
            async move { caller.apply(writes).await.map(drop) }
        }
    };
    while_writing(write, || async {
        let page = caller.page(&Scan::records(all_numbered("place"), 100)).await?;
        let places = page.records.len();
        // A page that ends early may have missed it.
        let sound = places == 1 || (places == 0 && page.next.is_some());
        ensure!(sound, "a record that moves was seen at {places} places");
        Ok(())
    })
    .await
}

/// Nobody ever sees what a batch writes that is refused, not even while it is.
pub async fn what_is_refused_is_never_seen(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("refused", 2)?;
    let version = caller.apply([record(&keys[0]).value("1").put(Absent)]).await?;
    let write = {
        let (caller, keys) = (caller.clone(), keys.clone());
        move |_| {
            let writes = [record(&keys[0]).value("2").put(Any), record(&keys[1]).put(At(new_id()))];
            let (caller, failing) = (caller.clone(), keys[1].clone());
            async move { caller.conflicts(writes, &[&failing]).await }
        }
    };
    while_writing(write, || async {
        let found = caller.find_all(&keys).await?;
        let versions: Vec<_> = found.iter().map(|r| r.as_ref().map(|r| r.version)).collect();
        ensure!(versions == [Some(version), None], "what was refused was seen: {versions:?}");
        Ok(())
    })
    .await
}
