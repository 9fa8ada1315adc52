//! [`Counterexample`]: a history without an order, for a person to read.

use std::fmt;

use super::call::Call;
use super::check::{done, open, search};
use super::in_order;
use super::model::State;

/// Calls that have no order in which every answer is right.
///
/// Its text lists the calls, the longest beginning of an order that was found, and why none of the open
/// calls can come next: what each was told, and what it should have been told.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// The calls by their beginning, without those that changed nothing and do not matter.
    calls: Vec<Call>,
    order: Vec<usize>,
    state: State,
}

impl Counterexample {
    /// Of calls that have no order.
    pub(super) fn of(mut calls: Vec<Call>) -> Self {
        calls.sort_by_key(|call| (call.called, call.returned));
        let mut n = 0;
        while n < calls.len() {
            let mut fewer = calls.clone();
            if fewer.remove(n).changes_nothing() && search(&fewer).is_err() {
                calls = fewer;
            } else {
                n += 1;
            }
        }
        let stuck = search(&calls).err().unwrap_or_default();
        Self { calls, order: stuck.order, state: stuck.state }
    }

    /// The calls that have no order.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "these calls have no order in which every answer is right:")?;
        let begin = self.calls.first().map_or(0, |call| call.called);
        let micros = |at: u64| {
            let nanos = at.saturating_sub(begin);
            format!("{}.{}", nanos / 1000, nanos / 100 % 10)
        };
        writeln!(f, "  row  from µs    to µs  client  call -> answer")?;
        for (n, call) in self.calls.iter().enumerate() {
            let Call { client, operation, answer, called, returned } = call;
            let (from, to, row) = (micros(*called), micros(*returned), n + 1);
            writeln!(f, "  {row:>3} {from:>8} {to:>8} {client:>7}  {operation} -> {answer}")?;
        }
        let (ordered, all) = (self.order.len(), self.calls.len());
        let rows: Vec<usize> = self.order.iter().map(|n| n + 1).collect();
        match ordered {
            0 => writeln!(f, "none of them can be the first, while there stands nothing:")?,
            _ => {
                writeln!(
                    f,
                    "at most {ordered} of {all} can be ordered, as by {}.",
                    in_order(&rows)
                )?;
                writeln!(f, "Then there stands {}, and none can be the next:", self.state)?;
            }
        }
        for n in open(&self.calls, done(&self.calls, &self.order)) {
            let Call { operation, answer, .. } = &self.calls[n];
            if self.state.permits(operation, answer).is_none() {
                let (due, _) = self.state.after(operation);
                writeln!(f, "  row {}: was told ‘{answer}’ instead of ‘{due}’", n + 1)?;
            }
        }
        Ok(())
    }
}
