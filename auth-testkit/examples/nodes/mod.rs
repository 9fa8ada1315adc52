//! What the proofs of crashes and replicas share: server processes, clients over HTTP, the record of what
//! was acknowledged, and the load that writes it.

pub(crate) mod client;
pub(crate) mod flawed;
pub(crate) mod grant;
pub(crate) mod known;
pub(crate) mod load;
pub(crate) mod process;
pub(crate) mod serve;
pub(crate) mod sessions;
pub(crate) mod tally;

use std::error::Error;
use std::time::Duration;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What a proof is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) rounds: u64,
    pub(crate) seed: u64,
}

impl Arguments {
    /// `--rounds N --seed S`.
    pub(crate) fn read(rounds: u64) -> Result<Self, Failure> {
        let mut read = Self { rounds, seed: 1 };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} has no value"))?;
            match name.as_str() {
                "--rounds" => read.rounds = value.parse()?,
                "--seed" => read.seed = value.parse()?,
                _ => return Err(format!("{name} is neither --rounds nor --seed").into()),
            }
        }
        Ok(read)
    }
}

/// Ends a proof unless something holds.
pub(crate) fn must(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}").into()) }
}

/// The median and the longest, in milliseconds.
pub(crate) fn spread(times: &mut [Duration]) -> (f64, f64) {
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    (millis(times.get(times.len() / 2)), millis(times.last()))
}
