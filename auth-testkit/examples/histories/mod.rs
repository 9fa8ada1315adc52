//! The parts of the proof of histories.

pub(crate) mod flaws;
pub(crate) mod in_one_process;
pub(crate) mod in_two_processes;

use std::error::Error;
use std::time::Duration;

use auth_testkit::store::history::Tally;
use testbed::Backend;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Histories that are under way at the same time: group commits and pools have something to do.
pub(crate) const AT_ONCE: usize = 24;

/// What the proof is told.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) backends: Vec<Backend>,
    pub(crate) rounds: u64,
    pub(crate) seed: u64,
}

impl Arguments {
    pub(crate) fn read() -> Result<Self, Failure> {
        let mut read = Self { backends: Vec::new(), rounds: 300, seed: 1 };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} has no value"))?;
            match name.as_str() {
                "--backend" => {
                    let backend = Backend::named(&value);
                    read.backends.push(backend.ok_or(format!("there is no backend {value}"))?);
                }
                "--rounds" => read.rounds = value.parse()?,
                "--seed" => read.seed = value.parse()?,
                _ => return Err(format!("{name} is none of --backend, --rounds, --seed").into()),
            }
        }
        if read.backends.is_empty() {
            read.backends = Backend::ALL.into_iter().filter(|backend| backend.is_here()).collect();
        }
        Ok(read)
    }
}

/// Prints a row of the table, and ends the proof if the histories say too little.
pub(crate) fn row(
    backend: Backend,
    processes: u32,
    tally: Tally,
    took: Duration,
) -> Result<(), Failure> {
    let Tally { histories, calls, conflicts, full, failed, unknown, races, .. } = tally;
    let between = tally.races_between_processes;
    let (name, seconds, failed) = (backend.name(), took.as_secs_f64(), failed + unknown);
    let hurried = match backend {
        Backend::Postgres | Backend::Tiered => ", synchronous_commit off",
        _ => "",
    };
    println!(
        "| {name}{hurried} | {processes} | {histories} | {calls} | {conflicts} | {full} | {failed} | {races} \
         | {between} | 0 | {seconds:.1} |"
    );
    // What fails or is unknown shows little, and without a race there is nothing to show.
    if failed * 100 > calls {
        return Err(format!("{name}: {failed} of {calls} calls failed").into());
    }
    if races < histories || (processes > 1 && between < histories) {
        return Err(format!("{name}: {races} races, {between} between processes, are few").into());
    }
    Ok(())
}
