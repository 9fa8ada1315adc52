//! CPU time of ours and of the floor, by turns.

use std::time::Duration;

use axum::Router;
use cpu_time::ProcessTime;

use crate::floor::Floor;
use crate::operation::Operation;
use crate::scene::{Failure, Scene, Session};

/// Many short batches: one of them is not disturbed by what else the machine does.
const BATCHES: usize = 60;
const CALLS: u32 = 20;

/// Microseconds of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) ours: f64,
    pub(crate) floor: f64,
}

/// The least of several batches of each.
pub(crate) async fn in_turn(
    operation: Operation,
    ours: &Scene,
    session: &Session,
    floor: &Floor,
) -> Result<Measured, Failure> {
    let mounted: Router = auth_axum::mount(ours.provider.engine());
    let bare = floor.router();
    let (mut least, mut least_of_floor) = (Duration::MAX, Duration::MAX);
    for _ in 0..BATCHES {
        let prepared = operation.prepare(ours, session, CALLS).await?;
        let begun = ProcessTime::now();
        for requests in prepared {
            operation.call(&mounted, requests).await?;
        }
        least = least.min(begun.elapsed());

        let prepared: Vec<_> = (0..CALLS).map(|_| floor.requests()).collect();
        let begun = ProcessTime::now();
        for requests in prepared {
            floor.call(&bare, requests).await?;
        }
        least_of_floor = least_of_floor.min(begun.elapsed());
    }
    let micros = |least: Duration| least.as_secs_f64() * 1e6 / f64::from(CALLS);
    Ok(Measured { ours: micros(least), floor: micros(least_of_floor) })
}
