//! [`Client`]: does at random what the contract permits, and writes down what came of it.

use std::sync::Arc;

use auth_store::{CommitError, NewRecord, Record, StoreError, When, Write};

use super::call::{Answer, Call, Seen};
use super::operation::{Change, Condition, Operation, Slot, Version};
use super::plan::{Access, CLIENTS, Plan};
use crate::store::caller::{after, batch};
use crate::store::violation::told;

/// How many calls a history has: five of each client.
pub const OPERATIONS: usize = CLIENTS as usize * CALLS;

const CALLS: usize = 5;

/// Times of batches, in milliseconds of a history, and of what they keep: among them the same ones, for a
/// record is absent just at its `keep_until`.
const NOWS: [u64; 4] = [0, 10, 20, 30];
const UNTILS: [u64; 5] = [5, 10, 20, 25, 1000];

pub(super) struct Client {
    plan: Plan,
    client: u8,
    rng: fastrand::Rng,
    /// The versions that the client believes to stand under the keys.
    known: [Option<Version>; Slot::ALL.len()],
    commits: Vec<Operation>,
}

impl Client {
    pub(super) fn new(plan: Plan, client: u8) -> Self {
        let rng = plan.rng(client);
        Self { plan, client, rng, known: [None; Slot::ALL.len()], commits: Vec::new() }
    }

    pub(super) async fn run(mut self, access: &Access) -> Vec<Call> {
        let mut calls = Vec::with_capacity(CALLS);
        while calls.len() < CALLS {
            let operation = self.next();
            let twice = matches!(operation, Operation::Commit { .. })
                && calls.len() + 1 < CALLS
                && self.rng.u8(..100) < 7;
            if twice {
                let (first, second) = (self.pace(access), self.pace(access));
                let (first, second) = tokio::join!(
                    self.call(access, operation.clone(), first),
                    self.call(access, operation, second)
                );
                calls.extend([first, second]);
            } else {
                let pace = self.pace(access);
                calls.push(self.call(access, operation, pace).await);
            }
            if let Some(call) = calls.last() {
                self.learn(call);
            }
        }
        calls
    }

    /// How often others go first before and after the call.
    fn pace(&mut self, access: &Access) -> [u8; 2] {
        if access.interleaved { [self.rng.u8(..3), self.rng.u8(..3)] } else { [0; 2] }
    }

    async fn call(&self, access: &Access, operation: Operation, pace: [u8; 2]) -> Call {
        let called = (access.clock)();
        give_way(pace[0]).await;
        let answer = match &operation {
            Operation::Get(slots) => self.get(access, slots).await,
            Operation::Commit { .. } => self.commit(access, &operation).await,
        };
        give_way(pace[1]).await;
        Call { client: self.client, operation, answer, called, returned: (access.clock)() }
    }

    async fn get(&self, access: &Access, slots: &[Slot]) -> Answer {
        let keys: Vec<_> = slots.iter().map(|slot| self.plan.key(*slot)).collect();
        let seen = |(n, record): (usize, Record)| Seen {
            version: self.plan.version(record.version),
            number: record.value.parse().ok().filter(|_| keys.get(n) == Some(&record.key)),
            keep_until: record.keep_until,
        };
        match access.store.get(self.plan.tenant(), &keys).await {
            Ok(found) => Answer::Found(
                found.into_iter().enumerate().map(|(n, found)| Some(seen((n, found?)))).collect(),
            ),
            Err(StoreError::TooLarge) => Answer::Failed("too large".into()),
            Err(error) => Answer::Failed(told("a get", &error)),
        }
    }

    async fn commit(&self, access: &Access, operation: &Operation) -> Answer {
        let Operation::Commit { id, now, changes } = operation else {
            return Answer::Failed("no commit".into());
        };
        let writes = changes.iter().map(|change| self.write(change));
        let batch = match batch(self.plan.commit_id(*id), *now, writes) {
            Ok(batch) => batch,
            Err(finding) => return Answer::Failed(finding.to_string()),
        };
        // A key of nobody's is none that the model ever names.
        let slots = |keys: &[_]| -> Vec<Slot> {
            let slots: Option<Vec<Slot>> = keys.iter().map(|key| self.plan.slot(key)).collect();
            slots.unwrap_or_default()
        };
        match access.store.commit(self.plan.tenant(), &batch).await {
            Ok(committed) => Answer::Applied(committed.counters),
            Err(CommitError::Conflict(keys)) => Answer::Conflict(slots(&keys)),
            Err(CommitError::Full(key)) => Answer::Full(slots(&[key])),
            Err(CommitError::TooLarge) => Answer::Failed("too large".into()),
            Err(error @ CommitError::Unavailable(_)) => Answer::Failed(told("a commit", &error)),
            Err(error) => Answer::Unknown(told("a commit", &error)),
        }
    }

    fn write(&self, change: &Change) -> Write {
        let when = |condition: Condition| match condition {
            Condition::Any => When::Any,
            Condition::Absent => When::Absent,
            Condition::Present => When::Present,
            Condition::At(version) => When::At(self.plan.commit_id(version)),
        };
        let (key, old_index) = (self.plan.key(change.slot()), Vec::new());
        match *change {
            Change::Put { when: condition, number, keep_until, .. } => {
                let value: Arc<str> = number.to_string().into();
                let record = NewRecord { key, value, index: Vec::new(), keep_until, due: None };
                Write::Put { record, when: when(condition), old_index }
            }
            Change::Delete { when: condition, .. } => {
                Write::Delete { key, when: when(condition), old_index }
            }
            Change::Check { when: condition, .. } => Write::Check { key, when: when(condition) },
            Change::Add { n, below, keep_until, .. } => Write::Add { key, n, below, keep_until },
        }
    }

    /// Remembers what an answer tells of the keys.
    fn learn(&mut self, call: &Call) {
        match (&call.operation, &call.answer) {
            (Operation::Get(slots), Answer::Found(found)) => {
                for (slot, found) in slots.iter().zip(found) {
                    self.known[*slot as usize] = found.and_then(|seen| seen.version);
                }
            }
            (Operation::Commit { id, changes, .. }, Answer::Applied(_)) => {
                for change in changes {
                    match change {
                        Change::Put { slot, .. } | Change::Add { slot, .. } => {
                            self.known[*slot as usize] = Some(*id);
                        }
                        Change::Delete { slot, .. } => self.known[*slot as usize] = None,
                        Change::Check { .. } => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// What the client does next.
    fn next(&mut self) -> Operation {
        let slots = self.choose();
        match self.rng.u8(..100) {
            0..35 => return Operation::Get(slots),
            35..45 => {
                if let Some(earlier) = self.rng.choice(&self.commits) {
                    return earlier.clone();
                }
            }
            _ => {}
        }
        let mut changes: Vec<Change> = slots.iter().map(|slot| self.change(*slot)).collect();
        let writes = |change: &Change| matches!(change, Change::Put { .. } | Change::Add { .. });
        if !changes.iter().any(writes) {
            // A batch writes at least one record.
            changes[0] = self.put(slots[0]);
        }
        let commit = u8::try_from(self.commits.len() + 1).unwrap_or(u8::MAX);
        let now = after(NOWS[self.rng.usize(..NOWS.len())]);
        let id = Version { client: self.client, commit };
        let operation = Operation::Commit { id, now, changes };
        self.commits.push(operation.clone());
        operation
    }

    /// One or more of the keys, in any order.
    fn choose(&mut self) -> Vec<Slot> {
        let mut slots = self.plan.slots().to_vec();
        self.rng.shuffle(&mut slots);
        slots.truncate(self.rng.usize(1..=slots.len()));
        slots
    }

    fn change(&mut self, slot: Slot) -> Change {
        match self.rng.u8(..100) {
            0..40 => self.put(slot),
            40..52 => Change::Delete { slot, when: self.condition(slot) },
            52..74 => Change::Check { slot, when: self.condition(slot) },
            _ => Change::Add {
                slot,
                n: self.rng.u64(1..=3),
                below: self.rng.bool().then(|| self.rng.u64(1..=9)),
                keep_until: after(UNTILS[self.rng.usize(1..UNTILS.len())]),
            },
        }
    }

    fn put(&mut self, slot: Slot) -> Change {
        let kept = self.rng.u8(..100) < 60;
        let until = after(UNTILS[self.rng.usize(..UNTILS.len())]);
        let keep_until = if kept { None } else { Some(until) };
        Change::Put { slot, when: self.condition(slot), number: self.rng.u64(..6), keep_until }
    }

    /// A condition that holds unless somebody came in between, mostly.
    fn condition(&mut self, slot: Slot) -> Condition {
        let any = Version { client: self.rng.u8(1..=CLIENTS), commit: self.rng.u8(1..=3) };
        match (self.known[slot as usize], self.rng.u8(..100)) {
            (_, 0..30) => Condition::Any,
            (Some(version), 30..65) => Condition::At(version),
            (Some(_), 65..88) | (None, 85..95) => Condition::Present,
            (Some(_), 88..95) | (None, 30..85) => Condition::Absent,
            _ => Condition::At(any),
        }
    }
}

async fn give_way(times: u8) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}
