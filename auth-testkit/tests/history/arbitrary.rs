//! Histories at random: those of one real order are accepted, those with a wrong answer refused, and of
//! short ones the check says what trying every order says.

use auth_store::Timestamp;
use auth_testkit::store::history::{
    Answer, Call, Change, Condition, History, Operation, Slot, State, Version,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

fn versions() -> impl Strategy<Value = Version> {
    (1..=3u8, 1..=2u8).prop_map(|(client, commit)| Version { client, commit })
}

fn times() -> impl Strategy<Value = Timestamp> {
    select(&[0, 10, 20]).prop_map(|millis| Timestamp::from_millis(millis).unwrap())
}

fn conditions() -> impl Strategy<Value = Condition> {
    prop_oneof![
        Just(Condition::Any),
        Just(Condition::Absent),
        Just(Condition::Present),
        versions().prop_map(Condition::At),
    ]
}

fn changes(slot: Slot) -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (conditions(), 0..3u64, proptest::option::of(times())).prop_map(
            move |(when, number, keep_until)| Change::Put { slot, when, number, keep_until }
        ),
        1 => conditions().prop_map(move |when| Change::Delete { slot, when }),
        1 => conditions().prop_map(move |when| Change::Check { slot, when }),
        2 => (1..3u64, proptest::option::of(1..4u64), times()).prop_map(
            move |(n, below, keep_until)| Change::Add { slot, n, below, keep_until }
        ),
    ]
}

/// Operations on so many of the keys. Versions come more than once: those are replays.
fn operations(slots: usize) -> impl Strategy<Value = Operation> {
    let some = move || subsequence(&Slot::ALL[..slots], 1..=slots);
    let commit = (versions(), times(), some()).prop_flat_map(|(id, now, slots)| {
        let changes: Vec<_> = slots.into_iter().map(changes).collect();
        changes.prop_map(move |changes| Operation::Commit { id, now, changes })
    });
    prop_oneof![1 => some().prop_map(Operation::Get), 2 => commit]
}

/// What a store may answer for what the model would: it names one full counter, and of the keys that
/// failed at least one.
fn told(due: Answer, choice: Index) -> Answer {
    match due {
        Answer::Full(full) => Answer::Full(vec![*choice.get(&full)]),
        Answer::Conflict(mut failed) => {
            failed.swap_remove(choice.index(failed.len()));
            if failed.is_empty() { Answer::Conflict(vec![]) } else { Answer::Conflict(failed) }
        }
        other => other,
    }
}

/// The answers of operations one after the other, each at a moment of its own, between whose calls and
/// returns there lies what `widths` say.
fn sequential(steps: &[(Operation, Index, [u64; 2])]) -> History {
    let mut state = State::default();
    let calls = steps.iter().zip(1u64..).map(|((operation, choice, widths), n)| {
        let (due, next) = state.after(operation);
        state = next;
        let moment = n * 10 + 1000;
        let answer = match due {
            // One failed key alone must stay named.
            Answer::Conflict(failed) if failed.len() == 1 => Answer::Conflict(failed),
            due => told(due, *choice),
        };
        Call {
            client: u8::try_from(n % 4 + 1).unwrap(),
            operation: operation.clone(),
            answer,
            called: moment - widths[0],
            returned: moment + widths[1],
        }
    });
    History { calls: calls.collect() }
}

fn steps(width: u64) -> impl Strategy<Value = Vec<(Operation, Index, [u64; 2])>> {
    let widths = [0..=width, 0..=width];
    vec((operations(4), any::<Index>(), widths), 1..25)
}

/// Another answer, which is wrong where `right` is the only right one.
fn wrong(right: &Answer) -> Answer {
    match right {
        Answer::Found(found) => {
            let other = |seen: &Option<_>| match seen {
                Some(_) => None,
                None => Some(auth_testkit::store::history::Seen {
                    version: Some(Version { client: 1, commit: 1 }),
                    number: Some(77),
                    keep_until: None,
                }),
            };
            let mut found = found.clone();
            found[0] = other(&found[0]);
            Answer::Found(found)
        }
        Answer::Applied(sums) if sums.is_empty() => Answer::Conflict(vec![Slot::W]),
        Answer::Applied(sums) => Answer::Applied(sums.iter().map(|sum| sum + 1).collect()),
        _ => Answer::Applied(vec![]),
    }
}

/// Whether any order of the calls is right, by trying all.
fn by_trying_all(calls: &[Call], done: &mut Vec<usize>, state: State) -> bool {
    let unknown = |n: usize| matches!(calls[n].answer, Answer::Unknown(_));
    let left: Vec<usize> = (0..calls.len()).filter(|n| !done.contains(n)).collect();
    if left.iter().all(|n| unknown(*n)) {
        return true;
    }
    for n in &left {
        let before = |m: &&usize| !unknown(**m) && calls[**m].returned < calls[*n].called;
        if left.iter().find(before).is_some() {
            continue;
        }
        if let Some(next) = state.permits(&calls[*n].operation, &calls[*n].answer) {
            done.push(*n);
            if by_trying_all(calls, done, next) {
                return true;
            }
            done.pop();
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn what_had_an_order_is_accepted(steps in steps(45)) {
        let history = sequential(&steps);
        let order = history.order();
        prop_assert!(order.is_ok(), "{}", order.unwrap_err());
        prop_assert_eq!(order.unwrap().len(), history.calls.len());
    }

    #[test]
    fn so_it_is_where_answers_were_lost(steps in steps(45), lost in vec(any::<Index>(), 1..4)) {
        let mut history = sequential(&steps);
        for lost in lost {
            let n = lost.index(history.calls.len());
            if matches!(history.calls[n].operation, Operation::Commit { .. }) {
                history.calls[n].answer = Answer::Unknown("lost".into());
            }
        }
        let order = history.order();
        prop_assert!(order.is_ok(), "{}", order.unwrap_err());
    }

    #[test]
    fn one_wrong_answer_is_refused(steps in steps(4), which in any::<Index>()) {
        // No two overlap: there is one order only, and one right answer to each call.
        let mut history = sequential(&steps);
        prop_assert!(history.order().is_ok());
        let call = which.index(history.calls.len());
        history.calls[call].answer = wrong(&history.calls[call].answer);
        prop_assert!(history.order().is_err(), "{:?} was accepted", history.calls[call]);
    }

    #[test]
    fn one_value_that_nobody_wrote_is_refused(steps in steps(45), which in any::<Index>()) {
        let mut history = sequential(&steps);
        prop_assert!(history.order().is_ok());
        let gets = |call: &&mut Call| matches!(call.answer, Answer::Found(_));
        let mut gets: Vec<&mut Call> = history.calls.iter_mut().filter(gets).collect();
        prop_assume!(!gets.is_empty());
        let which = which.index(gets.len());
        let Answer::Found(found) = &mut gets[which].answer else { unreachable!() };
        found[0] = Some(auth_testkit::store::history::Seen {
            version: Some(Version { client: 4, commit: 9 }),
            number: Some(1),
            keep_until: None,
        });
        prop_assert!(history.order().is_err());
    }

    #[test]
    fn short_ones_are_judged_as_by_trying_every_order(
        steps in vec((operations(2), any::<Index>(), [0..=25u64, 0..=25u64]), 1..6),
        swap in proptest::option::of((any::<Index>(), any::<Index>())),
        lost in proptest::option::of(any::<Index>()),
    ) {
        let mut history = sequential(&steps);
        let calls = history.calls.len();
        // Two answers that change places may be right still, or not.
        if let Some((a, b)) = swap {
            let (a, b) = (a.index(calls), b.index(calls));
            let answer = history.calls[a].answer.clone();
            history.calls[a].answer = std::mem::replace(&mut history.calls[b].answer, answer);
        }
        if let Some(lost) = lost {
            let call = &mut history.calls[lost.index(calls)];
            if matches!(call.operation, Operation::Commit { .. }) {
                call.answer = Answer::Unknown("lost".into());
            }
        }
        let expected = by_trying_all(&history.calls, &mut Vec::new(), State::default());
        prop_assert_eq!(history.order().is_ok(), expected, "{:#?}", history);
    }
}
