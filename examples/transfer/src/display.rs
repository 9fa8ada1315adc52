//! What the command shows: progress on stderr, results on stdout.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use auth_core::store::Place;
use auth_core::transfer::{Comparison, Imported, Moved, Side};

/// Shows how far it went: on a line that is written over, or on one line after the other in a log.
#[derive(Debug)]
pub(crate) struct Meter {
    at_terminal: bool,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { at_terminal: std::io::stderr().is_terminal() }
    }

    pub(crate) fn progress(&self) -> impl FnMut(&Moved<'_>) + use<> {
        let (pause, before, after) = match self.at_terminal {
            true => (Duration::from_millis(200), "\r\x1b[K", ""),
            false => (Duration::from_secs(10), "", "\n"),
        };
        let mut last = Instant::now();
        move |moved| {
            if last.elapsed() >= pause {
                last = Instant::now();
                let megabytes = moved.bytes as f64 / 1e6;
                eprint!(
                    "{before}{} records, {megabytes:.1} MB, {:.0} records/s, at {}{after}",
                    moved.records,
                    moved.per_second(),
                    place(moved.place)
                );
                // What cannot be shown is no reason to stop.
                let _ = std::io::stderr().flush();
            }
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.at_terminal {
            eprint!("\r\x1b[K");
        }
    }
}

/// Class, kind and tenant: the parts of a key may be names of people.
fn place(place: &Place) -> String {
    format!("{} of tenant {}", place.key.kind(), place.tenant)
}

pub(crate) fn imported(imported: &Imported, unit: &str) {
    println!("{} records written, {} were there already", imported.written, imported.kept);
    for conflict in &imported.conflicts {
        println!("{unit} {}: another {} stands there", conflict.line, place(&conflict.place));
    }
    and_more(imported.conflicting, imported.conflicts.len());
}

pub(crate) fn comparison(comparison: &Comparison) {
    let Comparison { left, right, .. } = comparison;
    println!("{} records, SHA-256 {}", left.records, left.sha256);
    println!("{} records, SHA-256 {}", right.records, right.sha256);
    for difference in &comparison.differences {
        let place = place(&difference.place);
        println!(
            "{}",
            match difference.side {
                Side::Left => format!("only the first has a {place}"),
                Side::Right => format!("only the second has a {place}"),
                Side::Both => format!("both have a {place}, but not the same"),
            }
        );
    }
    and_more(comparison.differing, comparison.differences.len());
}

fn and_more(all: u64, told: usize) {
    if let Some(more) = all.checked_sub(told as u64).filter(|more| *more > 0) {
        println!("and {more} more");
    }
}

/// An error with its causes on one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
