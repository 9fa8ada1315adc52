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

/// Many short batches: one of them is not disturbed by what else the machine does.
const BATCHES: usize = 40;
/// Operations of a batch.
const CALLS: usize = 64;
/// Callers at once that keep the server busy.
pub(crate) const MANY: usize = 16;

/// One worker thread, on which the servers run. The callers are the thread of the program.
pub(crate) struct Bench {
    pub(crate) server: Runtime,
}

/// Microseconds of one operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) ours: f64,
    pub(crate) floor: f64,
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
            let (mut least, mut least_of_floor) = (Duration::MAX, Duration::MAX);
            for _ in 0..BATCHES {
                let prepared = self.server.block_on(operation.prepare(ours, session, CALLS))?;
                let prepared: Vec<_> = prepared.iter().map(encode).collect();
                least = least.min(time(|| operation.call(&mut to_ours, &prepared))?);
                let steps: Vec<_> = floor.requests().iter().map(encode).collect();
                least_of_floor = least_of_floor.min(time(|| {
                    for _ in 0..CALLS / callers {
                        for step in &steps {
                            to_floor.exchange(&vec![step.clone(); callers])?;
                        }
                    }
                    Ok(())
                })?);
            }
            let micros = |least: Duration| least.as_secs_f64() * 1e6 / CALLS as f64;
            Ok::<_, Failure>(Cost { ours: micros(least), floor: micros(least_of_floor) })
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
