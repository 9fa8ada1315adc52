//! CPU time of ours and of the floor, by turns.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::operation::Operation;
use crate::scene::{Failure, Scene, Session};
use crate::served::callers::{Callers, encode};
use crate::served::cpu::{median, one_worker, serve, time};
use crate::served::floor::Floor;

/// Pairs of batches, of ours and of the floor. A machine that is shared is faster now and slower then: only what was
/// measured one right after the other is compared.
const PAIRS: usize = 21;
/// Operations of a batch.
const CALLS: usize = 256;
/// Callers at once that keep the server busy.
pub(crate) const MANY: usize = 16;

/// One worker thread, on which the servers run. The callers are the thread of the program.
pub(crate) struct Bench {
    pub(crate) server: Runtime,
}

/// Microseconds of one operation, and the ratio of a pair: medians.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) ours: f64,
    pub(crate) floor: f64,
    pub(crate) ratio: f64,
}

impl Cost {
    fn of(pairs: &[(Duration, Duration)]) -> Self {
        let micros = |batch: Duration| batch.as_secs_f64() * 1e6 / CALLS as f64;
        Self {
            ours: median(pairs.iter().map(|(ours, _)| micros(*ours))),
            floor: median(pairs.iter().map(|(_, floor)| micros(*floor))),
            ratio: median(
                pairs.iter().map(|(ours, floor)| ours.as_secs_f64() / floor.as_secs_f64()),
            ),
        }
    }
}

/// An operation on a server that is busy, and on one that sleeps in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) busy: Cost,
    pub(crate) one_caller: Cost,
}

impl Bench {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self { server: one_worker()? })
    }

    pub(crate) fn measure(
        &self,
        operation: Operation,
        ours: &Scene,
        session: &Session,
        floor: &Floor,
    ) -> Result<Measured, Failure> {
        let mounted = serve(&self.server, auth_axum::mount(ours.provider.engine()))?;
        let bare = serve(&self.server, floor.router())?;
        let turns = |callers: usize| {
            let mut to_ours = Callers::connect(mounted, callers)?;
            let mut to_floor = Callers::connect(bare, callers)?;
            let mut pairs = Vec::new();
            for _ in 0..PAIRS {
                let prepared = self.server.block_on(operation.prepare(ours, session, CALLS))?;
                let prepared: Vec<_> = prepared.iter().map(encode).collect();
                let of_ours = time(|| operation.call(&mut to_ours, &prepared))?;
                let steps: Vec<_> = floor.requests().iter().map(encode).collect();
                let of_floor = time(|| {
                    for _ in 0..CALLS / callers {
                        for step in &steps {
                            to_floor.exchange(&vec![step.clone(); callers])?;
                        }
                    }
                    Ok(())
                })?;
                pairs.push((of_ours, of_floor));
            }
            Ok::<_, Failure>(Cost::of(&pairs))
        };
        Ok(Measured { busy: turns(MANY)?, one_caller: turns(1)? })
    }
}
