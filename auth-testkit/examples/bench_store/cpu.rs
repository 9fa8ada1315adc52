//! CPU time of ours and of the floor, by turns.

use std::sync::Arc;
use std::time::Duration;

use cpu_time::{ProcessTime, ThreadTime};
use tokio::runtime::{Builder, Runtime};

use crate::floor::Floor;
use crate::operation::Operation;
use crate::scene::{Failure, Scene, Session};
use crate::served::{Served, Way};

/// Many short batches: one of them is not disturbed by what else the machine does.
const BATCHES: usize = 60;
const CALLS: u32 = 20;

/// Where the server works, and where its client does: on the thread of the program, whose time is not the
/// server's.
pub(crate) struct Bench {
    pub(crate) server: Runtime,
    client: Runtime,
}

/// Microseconds of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) ours: f64,
    pub(crate) floor: f64,
}

/// An operation by both ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) over_http: Cost,
    pub(crate) in_process: Cost,
}

impl Bench {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            server: Builder::new_multi_thread().worker_threads(1).enable_all().build()?,
            client: Builder::new_current_thread().enable_all().build()?,
        })
    }

    pub(crate) fn measure(
        &self,
        operation: Operation,
        ours: &Scene,
        session: &Session,
        floor: Floor,
    ) -> Result<Measured, Failure> {
        let floor = Arc::new(floor);
        let (mounted, bare) = self.server.block_on(async {
            let mounted = Served::start(auth_axum::mount(ours.provider.engine())).await?;
            Ok::<_, Failure>((mounted, Served::start(floor.router()).await?))
        })?;
        let turns = |way: Way| {
            let (mut least, mut least_of_floor) = (Duration::MAX, Duration::MAX);
            for _ in 0..BATCHES {
                let prepared = self.server.block_on(operation.prepare(ours, session, CALLS))?;
                let served = mounted.clone();
                least = least.min(self.time(way, async move {
                    for request in prepared {
                        operation.call(&served, way, request).await?;
                    }
                    Ok(())
                })?);
                let prepared: Vec<_> = (0..CALLS).map(|_| floor.requests()).collect();
                let served = bare.clone();
                least_of_floor = least_of_floor.min(self.time(way, async move {
                    for request in prepared.into_iter().flatten() {
                        served.send(way, request).await?;
                    }
                    Ok(())
                })?);
            }
            let micros = |least: Duration| least.as_secs_f64() * 1e6 / f64::from(CALLS);
            Ok::<_, Failure>(Cost { ours: micros(least), floor: micros(least_of_floor) })
        };
        Ok(Measured { over_http: turns(Way::OverHttp)?, in_process: turns(Way::InProcess)? })
    }

    /// The time that the process worked, but for what the client did.
    fn time(
        &self,
        way: Way,
        calls: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> Result<Duration, Failure> {
        // The kernel counts the time of another thread once that one has gone to sleep.
        let settle = || std::thread::sleep(Duration::from_millis(3));
        settle();
        let (process, thread) = (ProcessTime::now(), ThreadTime::now());
        match way {
            Way::OverHttp => self.client.block_on(calls)?,
            Way::InProcess => self.server.block_on(self.server.spawn(calls))??,
        }
        settle();
        let (process, thread) = (process.elapsed(), thread.elapsed());
        Ok(process.saturating_sub(thread))
    }
}
