//! [`Report`]: the figures, as a table and a plot.

use std::fmt;

use serde_json::{Value, json};

use crate::operation::Operation;

/// Microseconds of one operation.
pub(crate) struct Row {
    pub(crate) operation: Operation,
    /// Round trips to the store.
    pub(crate) statements: usize,
    pub(crate) ours: f64,
    pub(crate) floor: f64,
    pub(crate) peer: f64,
}

pub(crate) struct Report {
    /// The peer's version.
    pub(crate) peer: String,
    pub(crate) rows: Vec<Row>,
}

impl Row {
    fn gain(&self) -> f64 {
        self.peer / self.ours
    }

    fn over_floor(&self) -> f64 {
        self.ours / self.floor
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, statements, ours, floor, peer } = self;
        write!(
            f,
            "| {} | {statements} | {ours:.1} | {peer:.1} | {:.1} | ",
            operation.name(),
            self.gain()
        )?;
        match operation.wanted() {
            wanted if wanted > 0.0 => write!(f, "{wanted:.0}")?,
            _ => write!(f, "–")?,
        }
        write!(f, " | {floor:.1} | {:.2} | {:.1} |", self.over_floor(), operation.bound())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "CPU time of the server for one operation, over HTTP/1.1, with 16 callers at once and the store in \
             memory: of this provider on axum with one worker thread; of oidc-provider {} on Node.js 22; and of \
             a bare axum handler that makes the same statements, signatures and answers. All in one run, by \
             turns. Statements are round trips to the store.\n",
            self.peer
        )?;
        writeln!(
            f,
            "| operation | statements | ours, µs | peer, µs | peer ÷ ours | wanted | floor, µs | ours ÷ floor | bound |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        writeln!(f, "\n```mermaid\nxychart-beta horizontal")?;
        writeln!(f, "  title \"How often ours the peer's CPU time is\"")?;
        let list =
            |of: &dyn Fn(&Row) -> String| self.rows.iter().map(of).collect::<Vec<_>>().join(", ");
        writeln!(f, "  x-axis [{}]", list(&|row| format!("\"{}\"", row.operation.name())))?;
        writeln!(f, "  y-axis \"times\"")?;
        writeln!(f, "  bar [{}]\n```", list(&|row| format!("{:.1}", row.gain())))
    }
}

impl Report {
    pub(crate) fn json(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "operation": row.operation.name(),
                "statements": row.statements,
                "micros": row.ours,
                "floor_micros": row.floor,
                "peer_micros": row.peer,
            })
        };
        self.rows.iter().map(row).collect()
    }
}
