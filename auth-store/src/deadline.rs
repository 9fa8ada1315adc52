//! [`within`]: nobody waits for ever.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_timer::Delay;
use futures_util::FutureExt;
use futures_util::future::Shared;
use pin_project_lite::pin_project;

/// Gives `work` up after `limit`, or up to a quarter of a second later. What it was doing then may still
/// take effect, as a commit of unknown outcome may.
///
/// Work that does not wait costs no timer, and work that does shares one. It needs no runtime.
///
/// # Errors
/// [`Elapsed`].
pub fn within<W: Future>(limit: Duration, work: W) -> Within<W> {
    Within { limit, timer: None, work }
}

pin_project! {
    /// Work with a limit, made by [`within`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Within<W> {
        limit: Duration,
        timer: Option<Shared<Delay>>,
        // Where it is, and never moved: an `async fn` would hold what it is given twice.
        #[pin]
        work: W,
    }
}

impl<W: Future> Future for Within<W> {
    type Output = Result<W::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(done) = this.work.poll(cx) {
            return Poll::Ready(Ok(done));
        }
        let limit = *this.limit;
        let timer = this.timer.get_or_insert_with(|| shared(limit));
        Pin::new(timer).poll(cx).map(|()| Err(Elapsed { limit }))
    }
}

/// Something took longer than it was given. It may still take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {limit:?}")]
#[non_exhaustive]
pub struct Elapsed {
    /// How long it was waited for.
    pub limit: Duration,
}

/// How many calls begin under one timer.
const GRAIN: Duration = Duration::from_millis(250);

/// A timer that ends `limit` after its last user may have begun.
///
/// Making one, and dropping it, wakes the thread that keeps the time, which costs more than all else
/// that a call of a store does in this process: calls that begin at about the same moment share one.
fn shared(limit: Duration) -> Shared<Delay> {
    /// The newest timer for each limit, and when it was begun.
    static NEWEST: Mutex<Vec<(Duration, Instant, Shared<Delay>)>> = Mutex::new(Vec::new());
    let mut newest = NEWEST.lock().unwrap_or_else(PoisonError::into_inner);
    let known = newest.iter().position(|(of, ..)| *of == limit);
    let young = |at: &usize| newest[*at].1.elapsed() < GRAIN;
    if let Some(at) = known.filter(young) {
        return newest[at].2.clone();
    }
    let timer = Delay::new(limit.saturating_add(GRAIN)).shared();
    // A provider has a handful of limits; whoever makes up new ones has no use for the old.
    if newest.len() >= 16 {
        newest.clear();
    }
    newest.retain(|(of, ..)| *of != limit);
    newest.push((limit, Instant::now(), timer.clone()));
    timer
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::future;

    use super::*;

    /// Without a runtime, as the crate itself.
    fn run<T>(work: impl Future<Output = T>) -> T {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
        let mut cx = std::task::Context::from_waker(&waker);
        let mut work = pin!(work);
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(&mut cx) {
                return done;
            }
            std::thread::park();
        }
    }

    #[test]
    fn work_that_takes_too_long_is_given_up_and_other_work_is_not() {
        let limit = Duration::from_millis(40);
        let begun = Instant::now();
        let (quick, late, slow) = run(async {
            let slow = within(limit, future::pending::<()>());
            let late = within(limit, Delay::new(Duration::from_millis(10)));
            let (slow, late) = future::join(slow, late).await;
            (within(limit, async { 1 }).await, late, slow)
        });
        assert_eq!(quick.ok(), Some(1));
        assert!(late.is_ok());
        assert!(slow == Err(Elapsed { limit }));
        assert!(begun.elapsed() >= limit);
    }

    #[test]
    fn a_timer_is_shared_for_a_moment_and_never_ends_early() {
        let limit = Duration::from_millis(321);
        let (begun, first) = (Instant::now(), shared(limit));
        assert!(first.ptr_eq(&shared(limit)));
        assert!(!first.ptr_eq(&shared(limit * 2)));
        std::thread::sleep(GRAIN);
        assert!(!first.ptr_eq(&shared(limit)), "whoever comes later has one of their own");
        run(first);
        assert!(begun.elapsed() >= limit, "for whoever came first");
        assert!(begun.elapsed() >= GRAIN + limit, "and for whoever came last");
    }
}
