//! Counters: sums, bounds, windows of time.

use std::sync::Arc;

use auth_store::When::{Absent, Any};
use auth_store::{Class, CommitError, Key, Store};

use crate::store::caller::{Caller, after, new_id};
use crate::store::draft::{add, key, keys, record};
use crate::store::violation::{Finding, ensure};

/// A counter is 0 while it is absent; a commit tells the sums in the order of its writes, and the
/// value of the record is the number.
pub async fn a_counter_is_the_sum_of_what_was_added(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [a, b] = keys(["a", "b"])?;
    let first = caller.sums([add(&b, 7, None, after(1000)), add(&a, 2, None, after(1000))]).await?;
    ensure!(first == [7, 2], "the first sums are {first:?}");
    let other = record(&key("other")?).put(Absent);
    let second =
        caller.sums([add(&a, 1, None, after(1000)), other, add(&b, 1, None, after(1000))]).await?;
    ensure!(second == [3, 8], "the second sums are {second:?}");
    for (key, sum) in [(&a, "3"), (&b, "8")] {
        let value = caller.present(key).await?.value;
        ensure!(&*value == sum, "the value of a counter is {value:?} instead of {sum}");
    }
    Ok(())
}

/// Adding to a record that is no counter refuses the batch: to begin at 0 would let everybody in again.
pub async fn a_record_that_is_no_counter_is_not_added_to(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [other, beside] = keys(["other", "beside"])?;
    caller.apply([record(&other).put(Any)]).await?;
    let before = caller.present(&other).await?;
    let writes = [add(&other, 1, Some(3), after(1000)), record(&beside).put(Any)];
    let outcome = caller.outcome(new_id(), writes).await?;
    ensure!(matches!(outcome, Err(CommitError::Unavailable(_))), "it gave {outcome:?}");
    ensure!(caller.present(&other).await? == before, "the record changed");
    caller.missing(&beside).await
}

/// `below` is the highest sum that is permitted; one more is refused and names the counter.
pub async fn a_counter_stops_at_its_bound(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [counter, fresh] = keys(["counter", "fresh"])?;
    let one = || [add(&counter, 1, Some(3), after(1000))];
    for expected in 1..=3 {
        let sums = caller.sums(one()).await?;
        ensure!(sums == [expected], "the sum is {sums:?} instead of {expected}");
    }
    caller.fills(one(), &counter).await?;
    caller.fills([add(&fresh, 4, Some(3), after(1000))], &fresh).await?;
    caller.missing(&fresh).await?;
    let sums = caller.sums([add(&counter, 2, Some(5), after(1000))]).await?;
    ensure!(sums == [5], "another bound gave {sums:?}");
    let sums = caller.sums([add(&counter, 100, None, after(1000))]).await?;
    ensure!(sums == [105], "no bound gave {sums:?}");
    Ok(())
}

/// `keep_until` is set when a counter begins and not moved by later additions; once it has passed the
/// counter begins again at 0, with the `keep_until` of the addition that begins it.
pub async fn a_counter_s_window_ends_when_it_ends(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let counter = key("counter")?;
    let window = |caller: Caller, until: u64| {
        let counter = counter.clone();
        async move {
            let sums = caller.sums([add(&counter, 1, Some(2), after(until))]).await?;
            Ok::<_, Finding>((sums, caller.present(&counter).await?.keep_until))
        }
    };
    let first = window(caller.at(after(0)), 100).await?;
    ensure!(first == (vec![1], Some(after(100))), "the first addition gave {first:?}");
    let second = window(caller.at(after(99)), 199).await?;
    ensure!(second == (vec![2], Some(after(100))), "a later addition gave {second:?}");
    caller.at(after(99)).fills([add(&counter, 1, Some(2), after(199))], &counter).await?;
    let third = window(caller.at(after(100)), 200).await?;
    ensure!(third == (vec![1], Some(after(200))), "a new window gave {third:?}");
    Ok(())
}

/// A record that was put to be kept for ever has no window; the first addition begins one.
pub async fn a_counter_without_an_end_gets_one(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let counter = key("counter")?;
    caller.apply([record(&counter).value("4").put(Absent)]).await?;
    for until in [100, 200] {
        caller.sums([add(&counter, 1, None, after(until))]).await?;
        let found = caller.present(&counter).await?.keep_until;
        ensure!(found == Some(after(100)), "after an addition until {until} it is kept {found:?}");
    }
    let sums = caller.at(after(100)).sums([add(&counter, 1, None, after(300))]).await?;
    ensure!(sums == [1], "after its window the counter goes on at {sums:?}");
    Ok(())
}

/// A counter has 64 bits.
pub async fn a_counter_holds_64_bits(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let counter = key("counter")?;
    let mut expected = 0;
    for n in [i64::MAX as u64, 1, u64::MAX / 2 - 10] {
        expected += n;
        let sums = caller.sums([add(&counter, n, Some(u64::MAX), after(1000))]).await?;
        ensure!(sums == [expected], "the sum is {sums:?} instead of {expected}");
    }
    caller.fills([add(&counter, 100, Some(u64::MAX - 1), after(1000))], &counter).await?;
    let value = caller.present(&counter).await?.value;
    ensure!(*value == *expected.to_string(), "the value is {value:?} instead of {expected}");
    Ok(())
}

/// A counter is a record: it is deleted, expires and is put like one, and lives in either class.
pub async fn a_counter_is_a_record(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let counter = Key::builder(Class::Side, "kit").text("rate").build()?;
    let beside = Key::builder(Class::Side, "kit").text("beside").build()?;
    caller.sums([add(&counter, 5, None, after(1000))]).await?;
    caller.apply([record(&counter).delete(Any), record(&beside).put(Any)]).await?;
    let sums = caller.sums([add(&counter, 1, Some(1), after(1000))]).await?;
    ensure!(sums == [1], "a counter that was deleted goes on at {sums:?}");
    caller.apply([record(&counter).value("40").put(Any)]).await?;
    let sums = caller.sums([add(&counter, 2, Some(42), after(1000))]).await?;
    ensure!(sums == [42], "a counter that was put goes on at {sums:?}");
    Ok(())
}
