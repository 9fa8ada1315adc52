//! What a proof is told.

use testbed::Backend;

use super::Failure;

/// How large it is to be, in the proof's own unit, and on which backend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) rounds: u64,
    pub(crate) backend: Option<Backend>,
}

impl Arguments {
    /// `--rounds N --backend NAME`. A seed is taken and has no effect: what is measured here does not depend on one.
    pub(crate) fn read(rounds: u64) -> Result<Self, Failure> {
        let mut read = Self { rounds, backend: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} has no value"))?;
            match name.as_str() {
                "--rounds" => read.rounds = value.parse()?,
                "--backend" => {
                    let named = Backend::named(&value);
                    read.backend = Some(named.ok_or(format!("{value} is no backend"))?);
                }
                "--seed" => drop(value.parse::<u64>()?),
                _ => return Err(format!("{name} is none of --rounds, --backend and --seed").into()),
            }
        }
        Ok(read)
    }
}
