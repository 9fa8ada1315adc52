//! The parts of the proof of crashes.

pub(crate) mod database;
pub(crate) mod process;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::nodes::flawed::Flaw;
use crate::nodes::tally::Tally;
use crate::nodes::{Failure, spread};

/// The head of the table of [`Row`]s.
pub(crate) const HEAD: &str = "\
| killed | store | kills | requests | codes | redeemed | raced | refreshed | revoked | answered 503 \
| in flight at a kill | open, seen applied | open, seen not applied | grants checked | violations \
| recovery p50, ms | max, ms | seconds |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// What was killed how often, and what the clients saw.
#[derive(Debug)]
pub(crate) struct Row {
    killed: &'static str,
    store: String,
    kills: u64,
    /// Requests that the server had and did not answer; a server that lives answers all.
    in_flight: Option<u64>,
    recovery: Vec<Duration>,
    tally: Arc<Tally>,
    begun: Instant,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { requests, codes, redemptions, refreshes, revocations, races, .. } =
            &*self.tally;
        let Tally { unavailable, applied, not_applied, checked, .. } = &*self.tally;
        write!(f, "| {} | {} | {} ", self.killed, self.store, self.kills)?;
        for count in [requests, codes, redemptions, races, refreshes, revocations, unavailable] {
            write!(f, "| {} ", count.get())?;
        }
        match self.in_flight {
            Some(count) => write!(f, "| {count} ")?,
            None => write!(f, "| – ")?,
        }
        for count in [applied, not_applied, checked] {
            write!(f, "| {} ", count.get())?;
        }
        let (median, longest) = spread(&mut self.recovery.clone());
        let seconds = self.begun.elapsed().as_secs_f64();
        write!(f, "| 0 | {median:.0} | {longest:.0} | {seconds:.0} |")
    }
}

/// What the proof says of a server with that flaw: it must find something, and soon.
pub(crate) async fn found(flaw: Flaw, spec: &str, seed: u64) -> Result<String, Failure> {
    match process::prove("SQLite", spec, None, 50, seed, Some(flaw)).await {
        Ok(_) => Err(format!("{} was not found", flaw.name()).into()),
        Err(cause) => {
            let text = cause.to_string();
            match text.split_once("violation: ") {
                Some((when, what)) => {
                    let what = what.lines().next().unwrap_or_default();
                    Ok(format!("found at {}{what}", when.trim_start()))
                }
                None => Err(cause),
            }
        }
    }
}
