//! Histories of which everybody can see whether they have an order.

use auth_store::Timestamp;
use auth_testkit::store::history::{
    Answer, Call, Change, Condition, History, Operation, Seen, Slot, Unordered, Version,
};

const NOW: Timestamp = Timestamp::EPOCH;
const LATER: Timestamp = Timestamp::MAX;

const fn version(client: u8, commit: u8) -> Version {
    Version { client, commit }
}

fn put(slot: Slot, when: Condition, number: u64) -> Change {
    Change::Put { slot, when, number, keep_until: None }
}

fn add(slot: Slot, n: u64, below: Option<u64>) -> Change {
    Change::Add { slot, n, below, keep_until: LATER }
}

fn commit(id: Version, changes: &[Change]) -> Operation {
    Operation::Commit { id, now: NOW, changes: changes.to_vec() }
}

fn seen(id: Version, number: u64) -> Option<Seen> {
    Some(Seen { version: Some(id), number: Some(number), keep_until: None })
}

fn applied() -> Answer {
    Answer::Applied(Vec::new())
}

/// A history of calls with the times at which they began and ended.
fn history(calls: &[(u64, u64, Operation, Answer)]) -> History {
    let calls = calls.iter().zip(1..).map(|((called, returned, operation, answer), client)| Call {
        client,
        operation: operation.clone(),
        answer: answer.clone(),
        called: *called,
        returned: *returned,
    });
    History { calls: calls.collect() }
}

#[track_caller]
fn accepted(calls: &[(u64, u64, Operation, Answer)]) -> Vec<usize> {
    history(calls).order().unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(calls: &[(u64, u64, Operation, Answer)]) -> String {
    match history(calls).order() {
        Ok(order) => panic!("it has the order {order:?}"),
        Err(error @ Unordered::NotLinearizable(_)) => error.to_string(),
        Err(error) => panic!("{error}"),
    }
}

use Condition::{Absent, Any, At, Present};
use Slot::{W, X};

const A: Version = version(1, 1);
const B: Version = version(2, 1);

#[test]
fn a_read_may_see_a_commit_that_is_under_way_or_not() {
    let write = (0, 10, commit(A, &[put(W, Any, 1)]), applied());
    let get = |from, to, found| (from, to, Operation::Get(vec![W]), Answer::Found(vec![found]));
    assert_eq!(accepted(&[write.clone(), get(5, 6, None)]), [1, 0]);
    assert_eq!(accepted(&[write.clone(), get(5, 6, seen(A, 1))]), [0, 1]);
    // One that begins when the commit has ended must see it, and one that ended before it must not.
    accepted(&[write.clone(), get(11, 12, seen(A, 1))]);
    refused(&[write.clone(), get(11, 12, None)]);
    let write = (20, 30, commit(A, &[put(W, Any, 1)]), applied());
    accepted(&[write.clone(), get(11, 12, None)]);
    refused(&[write, get(11, 12, seen(A, 1))]);
}

#[test]
fn two_reads_do_not_go_back_in_time() {
    let write = (0, 10, commit(A, &[put(W, Any, 1)]), applied());
    let get = |from, found| (from, from + 1, Operation::Get(vec![W]), Answer::Found(vec![found]));
    accepted(&[write.clone(), get(3, None), get(5, seen(A, 1))]);
    refused(&[write, get(3, seen(A, 1)), get(5, None)]);
}

#[test]
fn a_get_is_one_snapshot() {
    let write = (0, 10, commit(A, &[put(W, Any, 1), put(X, Any, 2)]), applied());
    let get = |w, x| (5, 6, Operation::Get(vec![W, X]), Answer::Found(vec![w, x]));
    accepted(&[write.clone(), get(seen(A, 1), seen(A, 2))]);
    accepted(&[write.clone(), get(None, None)]);
    let text = refused(&[write, get(seen(A, 1), None)]);
    assert!(text.contains("get w, x -> 1 (#1.1), nothing"), "{text}");
}

#[test]
fn what_nobody_wrote_is_not_read() {
    let write = (0, 10, commit(A, &[put(W, Any, 1)]), applied());
    let get = |found| (5, 6, Operation::Get(vec![W]), Answer::Found(vec![found]));
    accepted(&[write.clone(), get(seen(A, 1))]);
    let nobody = Seen { version: None, number: Some(1), keep_until: None };
    let strange = Seen { version: Some(A), number: None, keep_until: None };
    let kept = Seen { version: Some(A), number: Some(1), keep_until: Some(LATER) };
    for found in [Some(nobody), Some(strange), Some(kept), seen(A, 2), seen(B, 1)] {
        refused(&[write.clone(), get(found)]);
    }
    refused(&[write, (5, 6, Operation::Get(vec![W]), Answer::Found(vec![]))]);
}

#[test]
fn of_two_that_exclude_each_other_one_is_applied() {
    let take = |id, answer| (0, 10, commit(id, &[put(W, Absent, 1)]), answer);
    let conflict = || Answer::Conflict(vec![W]);
    accepted(&[take(A, applied()), take(B, conflict())]);
    refused(&[take(A, applied()), take(B, applied())]);
    // Somebody must have won, and a conflict names the key.
    refused(&[take(A, conflict()), take(B, conflict())]);
    refused(&[take(A, applied()), take(B, Answer::Conflict(vec![]))]);
    refused(&[take(A, applied()), take(B, Answer::Conflict(vec![X]))]);
    refused(&[take(A, applied()), take(B, Answer::Conflict(vec![W, X]))]);
}

#[test]
fn a_check_is_locked() {
    let begin = (0, 1, commit(version(9, 1), &[put(W, Any, 1), put(X, Any, 1)]), applied());
    let [w, x] = [W, X].map(|slot| Change::Check { slot, when: At(version(9, 1)) });
    let first = (2, 9, commit(A, &[w, put(X, Any, 2)]), applied());
    let second = |answer| (3, 9, commit(B, &[x, put(W, Any, 2)]), answer);
    accepted(&[begin.clone(), first.clone(), second(Answer::Conflict(vec![X]))]);
    refused(&[begin, first, second(applied())]);
}

#[test]
fn a_bound_holds() {
    let one = |id, answer| (0, 10, commit(id, &[add(W, 2, Some(3))]), answer);
    let sums = |sum| Answer::Applied(vec![sum]);
    accepted(&[one(A, sums(2)), one(B, Answer::Full(vec![W]))]);
    refused(&[one(A, sums(2)), one(B, sums(4))]);
    refused(&[one(A, sums(2)), one(B, sums(2))]);
    refused(&[one(A, Answer::Full(vec![W])), one(B, Answer::Full(vec![W]))]);
    refused(&[one(A, sums(2)), one(B, Answer::Full(vec![X]))]);
}

#[test]
fn expiry_goes_by_the_time_of_the_batch() {
    let at = |millis| Timestamp::from_millis(millis).unwrap();
    let kept = Change::Put { slot: W, when: Any, number: 1, keep_until: Some(at(10)) };
    let write = (0, 1, commit(A, &[kept]), applied());
    let take = |now, when, answer| {
        let changes = vec![put(W, when, 2)];
        (2, 3, Operation::Commit { id: B, now: at(now), changes }, answer)
    };
    let conflict = || Answer::Conflict(vec![W]);
    for (now, present) in [(9, true), (10, false), (11, false)] {
        let (is, is_not) = if present { (Present, Absent) } else { (Absent, Present) };
        accepted(&[write.clone(), take(now, is, applied())]);
        refused(&[write.clone(), take(now, is, conflict())]);
        accepted(&[write.clone(), take(now, is_not, conflict())]);
        refused(&[write.clone(), take(now, is_not, applied())]);
    }
    // It is read until it is swept.
    let found = Seen { version: Some(A), number: Some(1), keep_until: Some(at(10)) };
    let get = |found| (2, 3, Operation::Get(vec![W]), Answer::Found(vec![found]));
    accepted(&[write.clone(), get(Some(found))]);
    refused(&[write, get(None)]);
}

#[test]
fn a_replay_is_applied_once() {
    let once = |from, answer| (from, from + 1, commit(A, &[add(W, 1, None)]), answer);
    let first = once(0, Answer::Applied(vec![1]));
    accepted(&[first.clone(), once(2, applied())]);
    refused(&[first.clone(), once(2, Answer::Applied(vec![2]))]);
    // Two at once: either may be the replay.
    let beside = |answer| (0, 1, commit(A, &[add(W, 1, None)]), answer);
    accepted(&[beside(applied()), first.clone()]);
    refused(&[beside(Answer::Applied(vec![1])), first.clone()]);
    // What has been written over since is applied anew.
    let over = (2, 3, commit(B, &[put(W, Any, 5)]), applied());
    accepted(&[first.clone(), over.clone(), once(4, Answer::Applied(vec![6]))]);
    refused(&[first, over, once(4, applied())]);
}

#[test]
fn an_unknown_outcome_may_come_late_or_never() {
    let lost = (0, 1, commit(A, &[put(W, Any, 1)]), Answer::Unknown("lost".into()));
    let get = |from, found| (from, from + 1, Operation::Get(vec![W]), Answer::Found(vec![found]));
    assert_eq!(accepted(&[lost.clone(), get(5, None)]), [1]);
    accepted(&[lost.clone(), get(5, seen(A, 1))]);
    accepted(&[lost.clone(), get(5, None), get(7, seen(A, 1)), get(9, seen(A, 1))]);
    refused(&[lost.clone(), get(5, seen(A, 1)), get(7, None)]);
    // Not before it began.
    let late = (6, 7, commit(A, &[put(W, Any, 1)]), Answer::Unknown("lost".into()));
    refused(&[late, get(3, seen(A, 1))]);
    // A failure is none: nothing was applied.
    let failed = (0, 1, commit(A, &[put(W, Any, 1)]), Answer::Failed("away".into()));
    accepted(&[failed.clone(), get(5, None)]);
    refused(&[failed, get(5, seen(A, 1))]);
}

#[test]
fn a_counterexample_says_what_was_wrong() {
    let aside = |from, found| (from, from + 1, Operation::Get(vec![X]), Answer::Found(vec![found]));
    let text = refused(&[
        (0, 1500, commit(A, &[put(W, Absent, 1)]), applied()),
        aside(2000, None),
        (2000, 4000, commit(B, &[put(W, At(A), 2)]), applied()),
        (3000, 4100, commit(version(3, 1), &[put(W, At(A), 3)]), applied()),
        aside(5000, None),
    ]);
    assert_eq!(
        text,
        "these calls have no order in which every answer is right:\n  \
           row  from µs    to µs  client  call -> answer\n    \
             1      0.0      1.5       1  commit #1.1 at 0ms: put w = 1 if absent -> applied\n    \
             2      2.0      4.0       3  commit #2.1 at 0ms: put w = 2 if at #1.1 -> applied\n    \
             3      3.0      4.1       4  commit #3.1 at 0ms: put w = 3 if at #1.1 -> applied\n\
         at most 2 of 3 can be ordered, as by 1, 2.\n\
         Then there stands w = 2 (#2.1), and none can be the next:\n  \
           row 3: was told ‘applied’ instead of ‘conflict at w’\n"
    );
}

#[test]
fn a_history_of_more_calls_than_the_search_takes_is_not_called_right() {
    let get = (0, 1, Operation::Get(vec![W]), Answer::Found(vec![None]));
    accepted(&vec![get.clone(); 128]);
    let error = history(&vec![get; 129]).order().unwrap_err();
    assert!(matches!(error, Unordered::TooLong(129)), "{error}");
}
