//! The driver: what it fetches, what it keeps, and what it makes of a store that fails.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]
mod bench;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use auth_core::Clock;
use auth_core::decision::{
    Asks, Cx, DeferredSignature, Done, Facts, Outcome, Reservation, Sign, Unavailable, Work,
};
use auth_core::store::{Batch, Class, Key};
use auth_testkit::store::CommitFault;
use bench::*;
use tokio::sync::Barrier;

#[tokio::test]
async fn what_is_prefetched_comes_in_one_round_trip() {
    let bench = Bench::new().await;
    let asks = stored().read(&tally("b")).read(&tally("c"));
    let (answer, counts) = bench
        .run(asks, |facts, _| {
            let found =
                [facts.read(&tally("a"))?, facts.read(&tally("b"))?, facts.read(&tally("c"))?];
            Ok(Outcome::answer(found.iter().flatten().count() as u64))
        })
        .await;
    assert_eq!(answer.unwrap(), Ok(1));
    assert_eq!((counts.gets, counts.round_trips()), (1, 1));
}

#[tokio::test]
async fn what_is_missing_makes_one_more() {
    let bench = Bench::new().await;
    let (answer, counts) = bench
        .run(stored(), |facts, _| {
            facts.read(&tally("a"))?;
            facts.require(Asks::none().read(&tally("b")).read(&tally("c")))?;
            Ok(Outcome::answer(1))
        })
        .await;
    assert_eq!(answer.unwrap(), Ok(1));
    assert_eq!((counts.gets, counts.round_trips()), (2, 2));
}

#[tokio::test]
async fn work_is_done_at_the_same_time_and_once() {
    // Each of the three waits until all of them are asked.
    let meeting = Some(Barrier::new(3));
    let bench = Bench::with(Others { meeting, ..Others::default() }).await;
    let asks = work_of_each().into_iter().chain(work_of_each()).fold(stored(), Asks::work);
    let run = bench.run(asks, |facts, _| {
        for work in work_of_each() {
            facts.done(&work)?;
        }
        facts.read(&tally("b"))?;
        Ok(Outcome::answer(1))
    });
    let (answer, _) = tokio::time::timeout(Duration::from_secs(10), run).await.unwrap();
    assert_eq!(answer.unwrap(), Ok(1));
    assert_eq!(bench.others.counts(), [1, 1, 1]);
}

#[tokio::test]
async fn work_is_kept_over_a_conflict_and_reads_are_not() {
    let bench = Bench::new().await;
    let counter = Key::builder(Class::Side, "attempts").build().unwrap();
    let reserved = Mutex::new(Vec::new());
    let (answer, counts) = bench
        .run(work_of_each().into_iter().fold(stored(), Asks::work), |facts, cx| {
            for work in work_of_each() {
                facts.done(&work)?;
            }
            let keep_until = cx.now.saturating_add(Duration::from_secs(60));
            let work = Work::Reserve { key: counter.clone(), below: 9, keep_until };
            let first = reserved.lock().unwrap().is_empty();
            if let Done::Reserved(reservation) = facts.done(&work)? {
                reserved.lock().unwrap().push(*reservation);
            }
            if first {
                bench.faulty.fail_commits(CommitFault::Conflict, 2);
            }
            // The next run is at a later time, and so asks for a later end of the window.
            bench.clock.advance(Duration::from_secs(1));
            add_one(facts, cx)
        })
        .await;
    assert_eq!(answer.unwrap(), Ok(1));
    assert_eq!(bench.others.counts(), [1, 1, 1]);
    // One reading for each run; one commit for each run and one for the reservation.
    assert_eq!((counts.gets, counts.commits), (3, 4));
    assert_eq!(*reserved.lock().unwrap(), [Reservation::Granted(1); 3]);
}

#[tokio::test]
async fn a_real_conflict_is_decided_by_the_new_state() {
    let bench = Bench::new().await;
    let others = AtomicU32::new(0);
    let run = |facts: &Facts, cx: &mut Cx<'_>| {
        let outcome = add_one(facts, cx);
        // Somebody else is faster, once.
        if others.fetch_add(1, Ordering::SeqCst) == 0 {
            futures_util::FutureExt::now_or_never(bench.set(40)).unwrap();
        }
        outcome
    };
    assert_eq!(bench.run(stored(), run).await.0.unwrap(), Ok(41));
    assert_eq!(bench.count().await, 41);
}

#[tokio::test]
async fn each_run_has_the_same_bytes_and_each_attempt_bytes_and_a_commit_id_of_its_own() {
    let bench = Bench::new().await;
    bench.faulty.fail_commits(CommitFault::Conflict, 2);
    let (bytes, ids) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let decide = |facts: &Facts, cx: &mut Cx<'_>| {
        bytes.lock().unwrap().push(cx.rng.bytes::<48>());
        facts.read(&tally("b"))?;
        let outcome = add_one(facts, cx)?;
        ids.lock().unwrap().extend(outcome.batch.as_ref().map(Batch::id));
        Ok(outcome)
    };
    bench.run(stored(), decide).await.0.unwrap().unwrap();
    let first = std::mem::take(&mut *bytes.lock().unwrap());
    // Three attempts, each of which misses a fact once.
    assert_eq!(first.len(), 6);
    assert!(first.chunks(2).all(|runs| runs[0] == runs[1]));
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 3);
    let mut ids = std::mem::take(&mut *ids.lock().unwrap());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    // Another request has other bytes.
    bench
        .run(stored(), |_, cx| {
            assert_ne!(cx.rng.bytes::<48>(), first[0]);
            Ok(Outcome::answer(0))
        })
        .await
        .0
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_deferred_signature_is_made_before_the_commit_and_only_for_a_yes() {
    let bench = Bench::new().await;
    let (runs, made) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    let decide = |facts: &Facts, cx: &mut Cx<'_>| {
        runs.fetch_add(1, Ordering::SeqCst);
        made.lock().unwrap().push(cx.sign_later(Sign::new("key".into(), "a.b".into())));
        add_one(facts, cx)
    };
    let text = |made: &DeferredSignature| serde_json::to_string(made).ok();
    bench.faulty.fail_commits(CommitFault::Unavailable, 1);
    assert!(bench.run(stored(), decide).await.0.is_err());
    let whole = format!("\"a.b.{}\"", "A".repeat(86));
    assert_eq!(text(&made.lock().unwrap()[0]).as_ref(), Some(&whole), "it was signed by then");
    assert_eq!((runs.load(Ordering::SeqCst), bench.others.counts()), (1, [0, 0, 1]));

    bench.run(stored(), decide).await.0.unwrap().unwrap();
    assert_eq!((runs.load(Ordering::SeqCst), bench.others.counts()), (2, [0, 0, 2]));

    bench.others.signer_is_broken.store(true, Ordering::SeqCst);
    let before = bench.count().await;
    let (answer, counts) = bench.run(stored(), decide).await;
    assert!(matches!(answer, Err(Unavailable::Port { port: "signer", .. })));
    assert_eq!((counts.commits, bench.count().await), (0, before), "nothing is used up");
    bench.others.signer_is_broken.store(false, Ordering::SeqCst);

    let refuse = |_: &Facts, cx: &mut Cx<'_>| {
        made.lock().unwrap().push(cx.sign_later(Sign::new("key".into(), "a.b".into())));
        Ok(Outcome::refuse("no"))
    };
    assert_eq!(bench.run(Asks::none(), refuse).await.0.unwrap(), Err("no"));
    assert_eq!(bench.others.counts(), [0, 0, 3]);
    assert_eq!(made.lock().unwrap().last().and_then(text), None, "what is not signed is not sent");
}

#[tokio::test]
async fn randomness_is_drawn_once_if_it_is_wanted_and_nothing_comes_of_it_if_it_fails() {
    let bench = Bench::new().await;
    let asked = || bench.randomness.asked.swap(0, Ordering::SeqCst);
    asked();
    let read = |facts: &Facts, _: &mut Cx<'_>| {
        facts.read(&tally("b"))?;
        Ok(Outcome::answer(1))
    };
    let draw = |facts: &Facts, cx: &mut Cx<'_>| {
        let made = u64::from_be_bytes(cx.rng.bytes());
        facts.read(&tally("b"))?;
        Ok(Outcome::answer(made))
    };
    assert_eq!((bench.run(stored(), read).await.0.unwrap(), asked()), (Ok(1), 0));
    let first = bench.run(stored(), draw).await.0.unwrap().unwrap();
    assert_eq!(asked(), 1, "by two runs of one decision");
    assert_ne!(bench.run(stored(), draw).await.0.unwrap(), Ok(first));

    bench.randomness.is_broken.store(true, Ordering::SeqCst);
    assert_eq!(bench.run(stored(), read).await.0.unwrap(), Ok(1));
    let refuse = |_: &Facts, cx: &mut Cx<'_>| {
        let _: [u8; 8] = cx.rng.bytes();
        Ok(Outcome::refuse("no"))
    };
    for answer in [bench.run(stored(), draw).await.0, bench.run(stored(), refuse).await.0] {
        assert!(matches!(answer, Err(Unavailable::Entropy(_))), "{answer:?}");
    }
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert!(matches!(answer, Err(Unavailable::Entropy(_))), "{answer:?}");
    assert_eq!((counts.commits, bench.count().await), (0, 0), "a commit has an id at random");
}

#[tokio::test]
async fn four_conflicts_are_borne_and_the_fifth_is_not() {
    let bench = Bench::new().await;
    bench.faulty.fail_commits(CommitFault::Conflict, 4);
    assert_eq!(bench.run(stored(), add_one).await.0.unwrap(), Ok(1));
    bench.faulty.fail_commits(CommitFault::Conflict, 5);
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert!(matches!(answer, Err(Unavailable::Contention { attempts: 5 })));
    assert_eq!((counts.commits, bench.count().await), (5, 1));
}

#[tokio::test]
async fn a_long_decision_bears_as_many_conflicts_as_a_short_one() {
    let bench = Bench::new().await;
    bench.faulty.fail_commits(CommitFault::Conflict, 4);
    let decide = |facts: &Facts, cx: &mut Cx<'_>| {
        for name in ["b", "c", "d", "e", "f", "g"] {
            facts.read(&tally(name))?;
        }
        add_one(facts, cx)
    };
    assert_eq!(bench.run(stored(), decide).await.0.unwrap(), Ok(1));
}

#[tokio::test]
async fn an_unknown_outcome_is_found_out() {
    let bench = Bench::new().await;
    // It was applied: the record says so.
    bench.faulty.fail_commit(CommitFault::UnknownApplied);
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert_eq!((answer.unwrap(), counts.gets, counts.commits), (Ok(1), 2, 1));
    assert_eq!(bench.count().await, 1);
    // It was not: it is sent again, once.
    bench.faulty.fail_commit(CommitFault::UnknownNotApplied);
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert_eq!((answer.unwrap(), counts.gets, counts.commits), (Ok(2), 2, 2));
    assert_eq!(bench.count().await, 2);
    assert_eq!(bench.faulty.waiting(), 0);
}

#[tokio::test]
async fn what_was_applied_is_not_applied_again_if_it_cannot_be_read() {
    let bench = Bench::new().await;
    bench.faulty.fail_commit(CommitFault::UnknownApplied);
    let asked = AtomicBool::new(false);
    let decide = |facts: &Facts, cx: &mut Cx<'_>| {
        let outcome = add_one(facts, cx)?;
        if !asked.swap(true, Ordering::SeqCst) {
            bench.faulty.fail_read();
        }
        Ok(outcome)
    };
    let (answer, counts) = bench.run(stored(), decide).await;
    assert_eq!((answer.unwrap(), counts.commits), (Ok(1), 2));
    assert_eq!((bench.count().await, bench.faulty.waiting()), (1, 0));
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_is_no_success() {
    let bench = Bench::new().await;
    bench.faulty.fail_commits(CommitFault::UnknownNotApplied, 4);
    assert!(matches!(bench.run(stored(), add_one).await.0, Err(Unavailable::Store(_))));
    assert_eq!((bench.count().await, bench.faulty.waiting()), (0, 0));
}

#[tokio::test]
async fn a_component_that_fails_closes() {
    let bench = Bench::new().await;
    bench.faulty.fail_commit(CommitFault::Unavailable);
    assert!(matches!(bench.run(stored(), add_one).await.0, Err(Unavailable::Store(_))));
    bench.faulty.fail_read();
    assert!(matches!(bench.run(stored(), add_one).await.0, Err(Unavailable::Store(_))));
    bench.others.hook_is_broken.store(true, Ordering::SeqCst);
    let asks = work_of_each().into_iter().fold(stored(), Asks::work);
    let (answer, counts) = bench.run(asks, add_one).await;
    assert!(matches!(answer, Err(Unavailable::Port { port: "hook", .. })));
    assert_eq!((counts.commits, bench.count().await), (0, 0));
}

#[tokio::test]
async fn a_refusal_commits_its_batch() {
    let bench = Bench::new().await;
    let refuse = |facts: &Facts, cx: &mut Cx<'_>| {
        let Some(found) = facts.read(&tally("a"))? else { return Ok(Outcome::refuse("none")) };
        let write = found.replace(&Tally { count: 7, ..found.value.clone() })?;
        Outcome::commit(cx.batch().write(write), Err("reused"))
    };
    assert_eq!(bench.run(stored(), refuse).await.0.unwrap(), Err("reused"));
    assert_eq!(bench.count().await, 7);
}

#[tokio::test]
async fn a_cached_yes_ends_after_five_seconds() {
    let bench = Bench::new().await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Ok(0));
    bench.set(1).await;
    bench.clock.advance(Duration::from_millis(4_999));
    let (answer, counts) = bench.run(cached(), unless_changed).await;
    assert_eq!((answer.unwrap(), counts.round_trips()), (Ok(0), 0));
    bench.clock.advance(Duration::from_millis(1));
    let (answer, counts) = bench.run(cached(), unless_changed).await;
    assert_eq!((answer.unwrap(), counts.round_trips()), (Err("changed"), 1));
}

#[tokio::test]
async fn a_cached_record_justifies_no_refusal() {
    let bench = Bench::new().await;
    bench.set(1).await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Err("changed"));
    bench.set(0).await;
    let (answer, counts) = bench.run(cached(), unless_changed).await;
    assert_eq!((answer.unwrap(), counts.gets), (Ok(0), 1));
    // A record that cannot be read is no yes either.
    bench.put("a", "damaged").await;
    bench.clock.advance(Duration::from_secs(5));
    assert!(bench.run(cached(), unless_changed).await.0.is_err());
    bench.set(0).await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Ok(0));
}

#[tokio::test]
async fn absence_is_not_cached() {
    let bench = Bench::new().await;
    let asks = || Asks::none().read_cached(&tally("b"));
    let decide = |facts: &Facts, _: &mut Cx<'_>| {
        Ok(Outcome::answer(u64::from(facts.read(&tally("b"))?.is_some())))
    };
    assert_eq!(bench.run(asks(), decide).await.0.unwrap(), Ok(0));
    bench.put("b", r#"{"schema":1,"value":{"count":0}}"#).await;
    assert_eq!(bench.run(asks(), decide).await.0.unwrap(), Ok(1));
}

#[tokio::test]
async fn a_cached_record_does_not_conflict_for_ever() {
    let bench = Bench::new().await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Ok(0));
    bench.set(5).await;
    assert_eq!(bench.run(cached(), add_one).await.0.unwrap(), Ok(6));
    // What this process wrote itself is not answered from the cache.
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Err("changed"));
}

#[tokio::test]
async fn who_asks_for_the_stored_record_gets_it() {
    let bench = Bench::new().await;
    assert_eq!(bench.run(cached(), unless_changed).await.0.unwrap(), Ok(0));
    bench.set(1).await;
    for asks in [stored().and(cached()), cached().and(stored())] {
        let (answer, counts) = bench
            .run(asks, |facts, _| {
                Ok(Outcome::answer(facts.read(&tally("a"))?.map_or(0, |found| found.value.count)))
            })
            .await;
        assert_eq!((answer.unwrap(), counts.gets), (Ok(1), 1));
    }
    // Also if the cached one was enough at first.
    let (answer, _) = bench
        .run(cached(), |facts, _| {
            facts.require(stored())?;
            Ok(Outcome::answer(facts.read(&tally("a"))?.map_or(0, |found| found.value.count)))
        })
        .await;
    assert_eq!(answer.unwrap(), Ok(1));
}

#[tokio::test]
async fn a_full_counter_is_an_answer() {
    let bench = Bench::new().await;
    let key = Key::builder(Class::Side, "attempts").build().unwrap();
    let end = bench.clock.now().saturating_add(Duration::from_secs(60));
    let reserve = |facts: &Facts, _: &mut Cx<'_>| {
        let work = Work::Reserve { key: key.clone(), below: 2, keep_until: end };
        Ok(match facts.done(&work)? {
            Done::Reserved(Reservation::Granted(sum)) => Outcome::answer(*sum),
            _ => Outcome::refuse("full"),
        })
    };
    for expected in [Ok(1), Ok(2), Err("full"), Err("full")] {
        assert_eq!(bench.run(Asks::none(), reserve).await.0.unwrap(), expected);
    }
    // The window ends.
    bench.clock.advance(Duration::from_secs(60));
    let end = bench.clock.now().saturating_add(Duration::from_secs(60));
    let again = |facts: &Facts, _: &mut Cx<'_>| {
        let work = Work::Reserve { key: key.clone(), below: 2, keep_until: end };
        Ok(match facts.done(&work)? {
            Done::Reserved(Reservation::Granted(sum)) => Outcome::answer(*sum),
            _ => Outcome::refuse("full"),
        })
    };
    assert_eq!(bench.run(Asks::none(), again).await.0.unwrap(), Ok(1));
    // If it cannot be told whether there is a place, there is none.
    bench.faulty.fail_commit(CommitFault::UnknownApplied);
    assert!(bench.run(Asks::none(), again).await.0.is_err());
}

#[tokio::test]
async fn a_decision_that_asks_without_end_is_a_defect() {
    let bench = Bench::new().await;
    let nth = AtomicU32::new(0);
    let (answer, counts) = bench
        .run(Asks::none(), |facts, _| {
            let name = nth.fetch_add(1, Ordering::SeqCst).to_string();
            facts.read(&tally(&name))?;
            Ok(Outcome::answer(0))
        })
        .await;
    assert!(matches!(answer, Err(Unavailable::Defect(_))));
    assert!(counts.gets < 100);
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_read_and_not_rewritten() {
    let bench = Bench::new().await;
    let newer = r#"{"schema":2,"value":{"count":3,"colour":"red"}}"#;
    bench.put("a", newer).await;
    let read = |facts: &Facts, _: &mut Cx<'_>| {
        Ok(Outcome::answer(facts.read(&tally("a"))?.map_or(0, |found| found.value.count)))
    };
    assert_eq!(bench.run(stored(), read).await.0.unwrap(), Ok(3));
    let (answer, counts) = bench.run(stored(), add_one).await;
    assert!(matches!(answer, Err(Unavailable::Newer(error)) if error.kind == "tally"));
    assert_eq!(counts.commits, 0);
    assert_eq!(bench.text("a").await.unwrap(), newer);
}

#[tokio::test]
async fn members_of_a_later_version_are_kept() {
    let bench = Bench::new().await;
    bench.put("a", r#"{"schema":1,"value":{"count":3,"colour":"red"}}"#).await;
    assert_eq!(bench.run(stored(), add_one).await.0.unwrap(), Ok(4));
    let text = bench.text("a").await.unwrap();
    assert_eq!(text, r#"{"schema":1,"value":{"count":4,"colour":"red"}}"#);
}

#[tokio::test]
async fn a_damaged_record_names_its_kind() {
    let bench = Bench::new().await;
    for text in [
        "",
        "null",
        "{}",
        "[]",
        "nonsense",
        "{\"schema\":1",
        r#"{"schema":1,"value":null}"#,
        r#"{"schema":-1,"value":{"count":0}}"#,
        r#"{"schema":1,"value":{"count":"0"}}"#,
        r#"{"schema":1,"value":{"count":-1}}"#,
        r#"{"schema":0,"value":{}}"#,
        "\u{0}",
    ] {
        bench.put("a", text).await;
        let (answer, _) = bench.run(stored(), add_one).await;
        assert!(
            matches!(&answer, Err(Unavailable::Damaged(error)) if error.kind == "tally"),
            "{text}: {answer:?}"
        );
        assert_eq!(bench.text("a").await.unwrap(), text);
    }
}
