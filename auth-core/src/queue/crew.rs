//! One look at a queue, or looking at it until told to stop, with several records in hand at once.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_timer::Delay;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use futures_util::{FutureExt, Stream};
use tracing::warn;

use crate::decision::Unavailable;
use crate::queue::Worker;

/// How many records a worker has in hand at once, so that a slow one does not hold up the rest.
const IN_HAND: usize = 16;

/// What one look came to.
#[derive(Debug)]
pub(crate) struct Round<O> {
    pub(crate) outcomes: Vec<O>,
    pub(crate) unusable: u32,
}

/// Works on what is due now. A failure is told after the others were tried.
pub(crate) async fn once<W: Worker>(worker: &W) -> Result<Round<W::Outcome>, Unavailable> {
    let looked = worker.leases().look(|tenant, item| worker.knows(tenant, item)).await?;
    let work = looked.items.into_iter().map(|(tenant, found)| worker.work(tenant, found));
    let results: Vec<_> = stream::iter(work).buffer_unordered(IN_HAND).collect().await;
    let outcomes = results.into_iter().collect::<Result<_, _>>()?;
    Ok(Round { outcomes, unusable: looked.unusable })
}

enum Woken<O> {
    Stopped,
    Done(Result<O, Unavailable>),
    Rested,
}

/// Works until `stop`, looking every `interval` and at once while there is more. What is in hand then is
/// finished, within its time limit; nothing new is begun.
pub(crate) async fn until<W: Worker>(
    worker: &W,
    interval: Duration,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop.fuse());
    let mut in_hand = FuturesUnordered::new();
    let mut waiting = VecDeque::new();
    let mut rest: Option<Delay> = None;
    loop {
        if waiting.is_empty() && in_hand.len() < IN_HAND && rest.is_none() {
            let more = match worker.leases().look(|tenant, item| worker.knows(tenant, item)).await {
                Ok(looked) => {
                    waiting.extend(looked.items);
                    looked.more
                }
                Err(error) => {
                    warn!(%error, "a queue could not be read");
                    false
                }
            };
            if !more || waiting.is_empty() {
                rest = Some(Delay::new(interval));
            }
        }
        while in_hand.len() < IN_HAND {
            let Some((tenant, found)) = waiting.pop_front() else { break };
            in_hand.push(worker.work(tenant, found));
        }
        let woken = poll_fn(|cx| {
            if stop.poll_unpin(cx).is_ready() {
                return Poll::Ready(Woken::Stopped);
            }
            if let Poll::Ready(Some(done)) = pin!(&mut in_hand).poll_next(cx) {
                return Poll::Ready(Woken::Done(done));
            }
            match rest.as_mut().map(|rest| rest.poll_unpin(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(Woken::Rested),
                _ => Poll::Pending,
            }
        });
        match woken.await {
            Woken::Stopped => break,
            Woken::Rested => rest = None,
            Woken::Done(done) => report(done),
        }
    }
    while let Some(done) = in_hand.next().await {
        report(done);
    }
}

fn report<O>(done: Result<O, Unavailable>) {
    if let Err(error) = done {
        warn!(%error, "a record of a queue was left where it is; it comes again when its lease ends");
    }
}
