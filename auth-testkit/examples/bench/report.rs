//! [`Report`]: the figures, as a table and a plot.

use std::fmt;

use serde_json::{Value, json};

use crate::footprint::{Built, Footprint};
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
    pub(crate) footprints: Vec<Footprint>,
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
            "CPU time of the server for one operation, over HTTP/1.1, with 16 callers at once, each with \
             refresh tokens of 64 grants, which it uses in turn, and the store in memory: of this provider on \
             axum with one worker thread; of oidc-provider {} on Node.js 22; and of a bare axum handler that \
             makes the same statements and signatures, the hashes and seals that the values of requests and \
             answers need, and the same answers. All in one run, by turns. Statements are round trips to the \
             store.\n",
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
        writeln!(f, "  bar [{}]\n```", list(&|row| format!("{:.1}", row.gain())))?;
        programs(f, &self.footprints)
    }
}

/// The servers as programs, if they were measured.
fn programs(f: &mut fmt::Formatter<'_>, footprints: &[Footprint]) -> fmt::Result {
    if footprints.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "\nThe servers as programs: examples/quickstart, with its database in a file and hashes of passwords, \
         built by the release profile from nothing with its sources there; and the peer. Started on keys that \
         are there; loaded by 4 callers, who sign in 320 times and come back 3,200 times.\n"
    )?;
    let line = |name: &str, of: &dyn Fn(&Footprint) -> String| {
        let cells = footprints.iter().map(of).collect::<Vec<_>>();
        format!("| {name} | {} |", cells.join(" | "))
    };
    let of_built = |figure: fn(&Built) -> String| {
        move |of: &Footprint| of.built.as_ref().map_or_else(|| "–".to_owned(), figure)
    };
    writeln!(f, "{}", line("program", &|of| of.name.clone()))?;
    writeln!(f, "|---|{}", "---:|".repeat(footprints.len()))?;
    let took = of_built(|built| format!("{:.0}", built.took.as_secs_f64()));
    writeln!(f, "{}", line("cold build, s", &took))?;
    let size = of_built(|built| mib(built.size));
    writeln!(f, "{}", line("size, MiB", &size))?;
    let start = |of: &Footprint| format!("{:.0}", of.start.as_secs_f64() * 1e3);
    writeln!(f, "{}", line("start to the first answer, ms", &start))?;
    writeln!(f, "{}", line("memory idle, MiB", &|of| mib(of.idle)))?;
    writeln!(f, "{}", line("memory loaded, at most, MiB", &|of| mib(of.loaded)))?;
    let names = footprints
        .iter()
        .flat_map(|of| ["idle", "loaded"].map(|state| format!("\"{}, {state}\"", of.name)));
    let sizes = footprints.iter().flat_map(|of| [mib(of.idle), mib(of.loaded)]);
    writeln!(f, "\n```mermaid\nxychart-beta horizontal\n  title \"Resident memory\"")?;
    writeln!(f, "  x-axis [{}]", names.collect::<Vec<_>>().join(", "))?;
    writeln!(f, "  y-axis \"MiB\"\n  bar [{}]\n```", sizes.collect::<Vec<_>>().join(", "))
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, start, idle, loaded, .. } = self;
        write!(
            f,
            "{name}: {start:.0?} to start, {} MiB idle, {} MiB loaded",
            mib(*idle),
            mib(*loaded)
        )
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
        let footprint = |of: &Footprint| {
            json!({
                "program": of.name,
                "build_seconds": of.built.as_ref().map(|built| built.took.as_secs_f64()),
                "program_bytes": of.built.as_ref().map(|built| built.size),
                "start_millis": of.start.as_secs_f64() * 1e3,
                "idle_bytes": of.idle,
                "loaded_bytes": of.loaded,
            })
        };
        json!({
            "operations": self.rows.iter().map(row).collect::<Vec<_>>(),
            "programs": self.footprints.iter().map(footprint).collect::<Vec<_>>(),
        })
    }
}
