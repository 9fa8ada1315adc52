//! Scans while others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use auth_store::When::Any;
use auth_store::{Direction, Key, Store};
use tokio::task::JoinSet;

use super::paging::{DIRECTIONS, in_direction, ranges, scan, shelf};
use crate::store::caller::Caller;
use crate::store::draft::{key, record};
use crate::store::violation::{Finding, ensure};

/// What comes and goes before the place where a page ended does not shift the pages after it.
pub async fn changes_before_the_cursor_shift_nothing(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    for range in ranges() {
        for direction in DIRECTIONS {
            let keys = in_direction(&shelf(&caller, 20).await?, direction);
            let indexed = |key: &Key| record(key).entry("kit_n", key.as_bytes());
            // The records 3 and 4 come later.
            caller
                .apply([
                    indexed(&keys[3]).delete(Any),
                    indexed(&keys[4]).delete(Any),
                    record(&key("beside")?).put(Any),
                ])
                .await?;
            let first = caller.page(&scan(&range, direction, 6)).await?;
            let Some(last) = first.records.last().map(|record| record.key.clone()) else {
                // A page may be empty, though it is hard to see why this one should be.
                continue;
            };
            let Some(next) = first.next else {
                return Err(Finding::new("a first page of six of eighteen is the last"));
            };
            let place = keys.iter().position(|key| *key == last).unwrap_or(0);
            let gone = &keys[..2.min(place)];
            let mut writes: Vec<_> = gone.iter().map(|key| indexed(key).delete(Any)).collect();
            writes.push(record(&key("beside")?).put(Any));
            caller.apply(writes).await?;
            let rest = caller.scanned(scan(&range, direction, 6).after(next.clone())).await?;
            let stay = keys.iter().enumerate().skip(place + 1).filter(|(i, _)| !matches!(i, 3 | 4));
            ensure!(rest.iter().eq(stay.map(|(_, key)| key)), "after some went follow {rest:?}");
            caller.apply([indexed(&keys[3]).put(Any), indexed(&keys[4]).put(Any)]).await?;
            let rest = caller.scanned(scan(&range, direction, 6).after(next)).await?;
            ensure!(rest == keys[place + 1..], "after some came follow {rest:?}");
        }
    }
    Ok(())
}

/// A record that is present throughout a scan appears in exactly one of its pages, whatever is written
/// and removed meanwhile around it, or to it.
pub async fn what_is_present_throughout_appears_once(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = shelf(&caller, 60).await?;
    let stays = |i: usize| i.is_multiple_of(3);
    let done = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..2 {
        let (caller, keys) = (caller.clone(), keys.clone());
        let (done, written) = (done.clone(), written.clone());
        writers.spawn(async move {
            let beside = key(&format!("beside {writer}"))?;
            let mut step: usize = 0;
            while !done.load(Ordering::Relaxed) {
                // 17 has no part in common with 60: every record has its turn, put and deleted.
                let n = (step * 17 + writer * 29) % 60;
                let draft = record(&keys[n]).entry("kit_n", keys[n].as_bytes());
                let write = if stays(n) || (step / 60 + writer).is_multiple_of(2) {
                    draft.over(&draft, Any)
                } else {
                    draft.delete(Any)
                };
                caller.apply([write, record(&beside).put(Any)]).await?;
                written.fetch_add(1, Ordering::Relaxed);
                step += 1;
                tokio::task::yield_now().await;
            }
            Ok::<_, Finding>(())
        });
    }
    let mut rounds = 0;
    while (rounds < 5 || written.load(Ordering::Relaxed) < 240) && rounds < 200 {
        rounds += 1;
        for range in ranges() {
            for direction in DIRECTIONS {
                let found = caller.scanned(scan(&range, direction, 7)).await?;
                for key in keys.iter().enumerate().filter(|(i, _)| stays(*i)).map(|(_, key)| key) {
                    let times = found.iter().filter(|found| *found == key).count();
                    ensure!(
                        times == 1,
                        "{key:?} was there all the time and appeared {times} times"
                    );
                }
                let sorted = found.is_sorted_by(|a, b| {
                    if direction == Direction::Ascending { a < b } else { a > b }
                });
                ensure!(sorted, "the pages are out of order, or an entry came twice");
            }
        }
    }
    done.store(true, Ordering::Relaxed);
    while let Some(ended) = writers.join_next().await {
        ended.map_err(|error| Finding::new(format!("a writer ended early: {error}")))??;
    }
    Ok(())
}
