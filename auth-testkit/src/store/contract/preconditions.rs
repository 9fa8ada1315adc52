//! What `Any`, `Absent`, `Present` and `At` mean for a put, a delete and a check.

use std::sync::Arc;

use auth_store::When::{Absent, Any, At, Present};
use auth_store::{Key, Store, When, Write};

use crate::store::caller::{Caller, after, new_id};
use crate::store::draft::{check, key, record};
use crate::store::violation::Finding;

/// Each write that has a precondition, on one key, with a put beside it so that the batch is valid.
fn writes(subject: &Key, beside: &Key, when: When) -> [[Write; 2]; 3] {
    let other = || record(beside).put(Any);
    [
        [record(subject).put(when), other()],
        [record(subject).delete(when), other()],
        [check(subject, when), other()],
    ]
}

/// Puts the key into a state before each attempt: the attempts change it.
async fn each(
    caller: &Caller,
    state: Option<Option<u64>>,
    when: impl Fn(auth_store::CommitId) -> When,
    holds: bool,
) -> Result<(), Finding> {
    let (subject, beside) = (key("subject")?, key("beside")?);
    for nth in 0..3 {
        let version = match state {
            None => caller.apply([record(&subject).delete(Any), record(&beside).put(Any)]).await?,
            Some(None) => caller.apply([record(&subject).put(Any)]).await?,
            Some(Some(until)) => {
                caller.apply([record(&subject).until(after(until)).put(Any)]).await?
            }
        };
        let attempt = writes(&subject, &beside, when(version))[nth].clone();
        if holds {
            caller.apply(attempt).await?;
        } else {
            caller.conflicts(attempt, &[&subject]).await?;
        }
    }
    Ok(())
}

const MISSING: Option<Option<u64>> = None;
const FOR_EVER: Option<Option<u64>> = Some(None);
const LIVE: Option<Option<u64>> = Some(Some(1001));
const EXPIRED: Option<Option<u64>> = Some(Some(1000));

fn caller(store: &Arc<dyn Store>) -> Caller {
    Caller::new(store).at(after(1000))
}

/// `Any` holds of every key, whatever stands there.
pub async fn any_always_holds(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = caller(&store);
    for state in [MISSING, FOR_EVER, LIVE, EXPIRED] {
        each(&caller, state, |_| Any, true).await?;
    }
    Ok(())
}

/// `Absent` holds where no record stands or one whose `keep_until` is at or before the batch's time.
pub async fn absent_holds_of_what_is_missing_or_expired(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = caller(&store);
    for (state, holds) in [(MISSING, true), (EXPIRED, true), (LIVE, false), (FOR_EVER, false)] {
        each(&caller, state, |_| Absent, holds).await?;
    }
    Ok(())
}

/// `Present` is the opposite of `Absent`.
pub async fn present_holds_of_what_is_neither_missing_nor_expired(
    store: Arc<dyn Store>,
) -> Result<(), Finding> {
    let caller = caller(&store);
    for (state, holds) in [(MISSING, false), (EXPIRED, false), (LIVE, true), (FOR_EVER, true)] {
        each(&caller, state, |_| Present, holds).await?;
    }
    Ok(())
}

/// `At` holds where a record stands that is present and in just that state.
pub async fn at_holds_of_just_that_version(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = caller(&store);
    for (state, holds) in [(LIVE, true), (FOR_EVER, true), (EXPIRED, false), (MISSING, false)] {
        each(&caller, state, At, holds).await?;
        each(&caller, state, |_| At(new_id()), false).await?;
    }
    Ok(())
}

/// A version that was overwritten does not hold any more.
pub async fn at_does_not_hold_of_an_earlier_version(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("subject")?;
    let first = caller.apply([record(&subject).put(Absent)]).await?;
    let second = caller.apply([record(&subject).put(At(first))]).await?;
    caller.conflicts([record(&subject).put(At(first))], &[&subject]).await?;
    caller.apply([record(&subject).put(At(second))]).await.map(drop)
}
