//! [`State`]: the contract for one caller at a time, in its shortest form.

use std::fmt;

use auth_store::Timestamp;

use super::call::{Answer, Seen};
use super::operation::{Change, Condition, Operation, Slot, Version};

/// What stands under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    version: Version,
    number: u64,
    keep_until: Option<Timestamp>,
}

impl From<Cell> for Seen {
    fn from(cell: Cell) -> Self {
        let Cell { version, number, keep_until } = cell;
        Self { version: Some(version), number: Some(number), keep_until }
    }
}

/// What stands under the keys of a history at one moment: nothing at first.
///
/// Records past their retention stand there too. They count as absent by the time that a batch tells,
/// and are read until they are swept, which no history does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct State([Option<Cell>; Slot::ALL.len()]);

impl State {
    fn cell(&self, slot: Slot) -> Option<Cell> {
        self.0[slot as usize]
    }

    /// What stands under a key, if it is present at a time.
    fn live(&self, slot: Slot, now: Timestamp) -> Option<Cell> {
        self.cell(slot).filter(|cell| cell.keep_until.is_none_or(|until| until > now))
    }

    fn holds(&self, slot: Slot, when: Condition, now: Timestamp) -> bool {
        match (when, self.live(slot, now)) {
            (Condition::Any, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => true,
            (Condition::At(version), Some(cell)) => cell.version == version,
            _ => false,
        }
    }

    fn sum(&self, slot: Slot, n: u64, now: Timestamp) -> u64 {
        self.live(slot, now).map_or(0, |cell| cell.number).saturating_add(n)
    }

    /// What an operation is answered if it happens now and alone, and what stands there afterwards.
    #[must_use]
    pub fn after(&self, operation: &Operation) -> (Answer, Self) {
        match operation {
            Operation::Get(slots) => {
                let found = slots.iter().map(|slot| self.cell(*slot).map(Seen::from));
                (Answer::Found(found.collect()), *self)
            }
            Operation::Commit { id, now, changes } => self.after_commit(*id, *now, changes),
        }
    }

    fn after_commit(&self, id: Version, now: Timestamp, changes: &[Change]) -> (Answer, Self) {
        let applied = |change: &Change| self.cell(change.slot()).is_some_and(|c| c.version == id);
        if changes.iter().any(applied) {
            return (Answer::Applied(Vec::new()), *self);
        }
        let fails = |change: &Change| match change {
            Change::Put { slot, when, .. }
            | Change::Delete { slot, when }
            | Change::Check { slot, when } => !self.holds(*slot, *when, now),
            Change::Add { .. } => false,
        };
        let failed: Vec<Slot> = changes.iter().filter(|c| fails(c)).map(Change::slot).collect();
        if !failed.is_empty() {
            return (Answer::Conflict(failed), *self);
        }
        let over = |change: &Change| match change {
            Change::Add { slot, n, below, .. } => {
                below.is_some_and(|below| self.sum(*slot, *n, now) > below)
            }
            _ => false,
        };
        let full: Vec<Slot> = changes.iter().filter(|c| over(c)).map(Change::slot).collect();
        if !full.is_empty() {
            return (Answer::Full(full), *self);
        }
        let (mut next, mut sums) = (*self, Vec::new());
        for change in changes {
            let cell = &mut next.0[change.slot() as usize];
            match *change {
                Change::Put { number, keep_until, .. } => {
                    *cell = Some(Cell { version: id, number, keep_until });
                }
                Change::Delete { .. } => *cell = None,
                Change::Check { .. } => {}
                Change::Add { slot, n, keep_until, .. } => {
                    let number = self.sum(slot, n, now);
                    sums.push(number);
                    // A record that was put to be kept for ever has no window yet.
                    let begun = self.live(slot, now).and_then(|cell| cell.keep_until);
                    let keep_until = begun.or(Some(keep_until));
                    *cell = Some(Cell { version: id, number, keep_until });
                }
            }
        }
        (Answer::Applied(sums), next)
    }

    /// What stands there after a call that happens now, if its answer is one that the contract permits.
    #[must_use]
    pub fn permits(&self, operation: &Operation, answer: &Answer) -> Option<Self> {
        let (due, next) = self.after(operation);
        let permitted = match (answer, &due) {
            // Nothing happened, and nothing is told.
            (Answer::Failed(_), _) => return Some(*self),
            // Whatever happened, nobody was told.
            (Answer::Unknown(_), _) => true,
            // At least one of the keys that failed, and no other.
            (Answer::Conflict(told), Answer::Conflict(failed)) => {
                !told.is_empty() && told.iter().all(|slot| failed.contains(slot))
            }
            (Answer::Full(told), Answer::Full(full)) => {
                told.len() == 1 && told.iter().all(|slot| full.contains(slot))
            }
            (told, due) => told == due,
        };
        permitted.then_some(next)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut any = false;
        for slot in Slot::ALL {
            if let Some(cell) = self.cell(slot) {
                write!(f, "{}{slot} = {}", if any { ", " } else { "" }, Seen::from(cell))?;
                any = true;
            }
        }
        if any { Ok(()) } else { f.write_str("nothing") }
    }
}
