//! CPU time of ours and of the floor, by turns.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use cpu_time::{ProcessTime, ThreadTime};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::callers::{Callers, encode};
use crate::floor::Floor;
use crate::operation::Operation;
use crate::scene::{Failure, Scene, Session};

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

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut of: Vec<f64> = of.collect();
    of.sort_unstable_by(f64::total_cmp);
    of[of.len() / 2]
}

/// An operation on a server that is busy, and on one that sleeps in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) busy: Cost,
    pub(crate) one_caller: Cost,
}

impl Bench {
    pub(crate) fn new() -> Result<Self, Failure> {
        let server = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { server })
    }

    pub(crate) fn measure(
        &self,
        operation: Operation,
        ours: &Scene,
        session: &Session,
        floor: &Floor,
    ) -> Result<Measured, Failure> {
        let mounted = self.serve(auth_axum::mount(ours.provider.engine()))?;
        let bare = self.serve(floor.router())?;
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

    fn serve(&self, router: Router) -> Result<SocketAddr, Failure> {
        self.server.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            // It ends with the program; until then its failures are those of requests.
            tokio::spawn(axum::serve(listener, router).into_future());
            Ok(address)
        })
    }
}

/// The time that the process worked, but for what the callers did.
fn time(calls: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    // The kernel counts the time of another thread once that one has gone to sleep.
    let settle = || std::thread::sleep(Duration::from_millis(3));
    settle();
    let (process, thread) = (ProcessTime::now(), ThreadTime::now());
    calls()?;
    settle();
    let (process, thread) = (process.elapsed(), thread.elapsed());
    Ok(process.saturating_sub(thread))
}
