//! A server of its own thread, and what it takes of the CPU.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use cpu_time::{ProcessTime, ThreadTime};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::scene::Failure;

/// One worker thread, on which servers run. The callers are the thread of the program.
pub(crate) fn one_worker() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// Serves until the program ends.
pub(crate) fn serve(server: &Runtime, router: Router) -> Result<SocketAddr, Failure> {
    server.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // Until then its failures are those of requests.
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(address)
    })
}

/// The time that the process worked, but for what the callers did.
pub(crate) fn time(calls: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    settle();
    let (process, thread) = (ProcessTime::now(), ThreadTime::now());
    calls()?;
    settle();
    let (process, thread) = (process.elapsed(), thread.elapsed());
    Ok(process.saturating_sub(thread))
}

/// The kernel counts the time of another thread once that one has gone to sleep.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_millis(3));
}

pub(crate) fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut of: Vec<f64> = of.collect();
    of.sort_unstable_by(f64::total_cmp);
    of[of.len() / 2]
}
