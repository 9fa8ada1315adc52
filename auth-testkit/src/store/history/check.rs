//! The check: is there an order of the calls in which every answer is right?
//!
//! Wing and Gong's search with Lowe's memory of what was tried, as in Porcupine: an order is built from
//! its beginning, and what was reached by the same calls in the same state is not searched again.

use std::collections::HashSet;

use super::call::{Answer, Call, History};
use super::counterexample::Counterexample;
use super::model::State;

/// A history was not shown to be linearizable.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Unordered {
    /// There is no order in which every answer is right: the store broke the contract.
    #[error("{0}")]
    NotLinearizable(Box<Counterexample>),
    /// The search takes 128 calls at most: check shorter histories.
    #[error("a history has at most {MAX_CALLS} calls, this one has {0}: check shorter ones")]
    TooLong(usize),
}

/// One bit a call.
const MAX_CALLS: usize = u128::BITS as usize;

impl History {
    /// Looks for an order of the calls in which every answer is the one that the contract gives to
    /// callers who come one after the other, and in which a call that ended before another began comes
    /// before it. Returns it, as places in [`History::calls`]. Calls that failed, and commits of unknown
    /// outcome that need not have happened, are left out.
    ///
    /// # Errors
    /// [`Unordered`]: there is none, or the history is too long.
    pub fn order(&self) -> Result<Vec<usize>, Unordered> {
        if self.calls.len() > MAX_CALLS {
            return Err(Unordered::TooLong(self.calls.len()));
        }
        search(&self.calls).map_err(|_| {
            Unordered::NotLinearizable(Box::new(Counterexample::of(self.calls.clone())))
        })
    }
}

/// How far the longest order came that was tried, and what stood there then.
#[derive(Debug, Clone, Default)]
pub(super) struct Stuck {
    pub(super) order: Vec<usize>,
    pub(super) state: State,
}

/// An order of the calls, or how far one came.
pub(super) fn search(calls: &[Call]) -> Result<Vec<usize>, Stuck> {
    let bits = |wanted: fn(&Answer) -> bool| {
        let wanted = calls.iter().enumerate().filter(|(_, call)| wanted(&call.answer));
        wanted.fold(0, |bits, (n, _)| bits | bit(n))
    };
    let mut search = Search {
        calls,
        required: bits(|answer| !matches!(answer, Answer::Failed(_) | Answer::Unknown(_))),
        tried: HashSet::new(),
        order: Vec::new(),
        longest: Stuck::default(),
    };
    let failed = bits(|answer| matches!(answer, Answer::Failed(_)));
    if search.complete(failed, State::default()) { Ok(search.order) } else { Err(search.longest) }
}

const fn bit(n: usize) -> u128 {
    1 << n
}

struct Search<'c> {
    calls: &'c [Call],
    /// The calls that must stand in the order.
    required: u128,
    tried: HashSet<(u128, State)>,
    order: Vec<usize>,
    longest: Stuck,
}

impl Search<'_> {
    /// Whether the order can be continued to its end after the calls `done`.
    fn complete(&mut self, done: u128, state: State) -> bool {
        if done & self.required == self.required {
            return true;
        }
        if !self.tried.insert((done, state)) {
            return false;
        }
        if self.order.len() > self.longest.order.len() {
            self.longest = Stuck { order: self.order.clone(), state };
        }
        let next: Vec<(usize, State)> = open(self.calls, done)
            .filter_map(|n| {
                let Call { operation, answer, .. } = &self.calls[n];
                Some((n, state.permits(operation, answer)?))
            })
            .collect();
        // What can be next and changes nothing, wherever it comes, may as well be: no order gains by its
        // coming later.
        if let Some((n, _)) = next.iter().find(|(n, _)| self.calls[*n].changes_nothing()).copied() {
            return self.complete_with(n, done, state);
        }
        next.into_iter().any(|(n, then)| self.complete_with(n, done, then))
    }

    fn complete_with(&mut self, n: usize, done: u128, then: State) -> bool {
        self.order.push(n);
        let complete = self.complete(done | bit(n), then);
        if !complete {
            self.order.pop();
        }
        complete
    }
}

/// The calls of which none that is not done was over before they began: one of them comes next.
pub(super) fn open(calls: &[Call], done: u128) -> impl Iterator<Item = usize> + '_ {
    let left = move || calls.iter().enumerate().filter(move |(n, _)| done & bit(*n) == 0);
    let first_over = left().map(|(_, call)| call.over()).min().unwrap_or(u64::MAX);
    left().filter(move |(_, call)| call.called <= first_over).map(|(n, _)| n)
}

/// The calls of an order as bits.
pub(super) fn done(calls: &[Call], order: &[usize]) -> u128 {
    let failed = |n: &usize| matches!(calls[*n].answer, Answer::Failed(_));
    order.iter().copied().chain((0..calls.len()).filter(failed)).fold(0, |bits, n| bits | bit(n))
}
