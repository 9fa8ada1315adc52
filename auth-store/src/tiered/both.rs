//! Two things at the same time.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// What both futures give, when both have.
pub(super) async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut from_a, mut from_b) = (None, None);
    poll_fn(|cx| {
        // The second first: the side is a server, and may work while a file is read on this thread.
        if from_b.is_none()
            && let Poll::Ready(given) = b.as_mut().poll(cx)
        {
            from_b = Some(given);
        }
        if from_a.is_none()
            && let Poll::Ready(given) = a.as_mut().poll(cx)
        {
            from_a = Some(given);
        }
        match (from_a.take(), from_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (from_a, from_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};

    use super::*;

    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Is ready when it is asked for the `after`th time, and counts.
    async fn ready(after: usize, asked: &AtomicUsize) -> usize {
        poll_fn(|cx| {
            let times = asked.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(times <= after, "a future was asked after it was ready");
            if times == after {
                return Poll::Ready(after);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    #[test]
    fn both_are_asked_until_both_are_ready() {
        for (a, b) in [(1, 1), (1, 3), (3, 1), (2, 5)] {
            let (asked_a, asked_b) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut joined = pin!(both(ready(a, &asked_a), ready(b, &asked_b)));
            let woken = Arc::new(Woken(AtomicUsize::new(0)));
            let waker = Waker::from(woken.clone());
            let mut turns = 0;
            let given = loop {
                turns += 1;
                match joined.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(given) => break given,
                    Poll::Pending => assert!(woken.0.load(Ordering::Relaxed) >= turns),
                }
            };
            assert_eq!(given, (a, b));
            assert_eq!(turns, a.max(b), "they were asked one after the other");
        }
    }
}
