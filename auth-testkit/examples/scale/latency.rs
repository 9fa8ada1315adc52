//! How long one waits for an answer at a steady rate of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};

use crate::scene::{Failure, Scene, Tokens, must};

/// How many callers there are, and how often each of them asks.
const CALLERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(40);

/// How long requests took, in order.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Asks at a steady rate until it is over. Each latency counts from the moment at which the request was
    /// due, so that what waits behind a slow one is counted as slow, too.
    pub(crate) async fn measure(
        scene: &Scene,
        tokens: &[Tokens],
        over: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let begun = tokio::time::Instant::now();
        let mut running = JoinSet::new();
        for number in 0..CALLERS {
            let (scene, over) = (scene.clone(), over.clone());
            let mut tokens: Vec<Tokens> =
                tokens.iter().skip(number).step_by(CALLERS).cloned().collect();
            let session = scene.sign_in(&format!("steady-{number}")).await?;
            running.spawn(async move {
                let first = begun + PAUSE * u32::try_from(number).unwrap_or(0) / CALLERS as u32;
                let mut due = interval_at(first, PAUSE);
                due.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let (mut took, mut turn) = (Vec::new(), 0);
                while !over.load(Ordering::Relaxed) {
                    let due = due.tick().await.into_std();
                    turn += 1;
                    let at = turn % tokens.len();
                    match turn % 3 {
                        0 => tokens[at] = scene.grant(&session).await?,
                        1 => {
                            let successor = scene.refresh(&tokens[at].refresh).await?;
                            tokens[at] = successor.ok_or("a live refresh token is refused")?;
                        }
                        _ => must(scene.is_active(&tokens[at].access).await?, "tokens are live")?,
                    }
                    took.push(Instant::now().saturating_duration_since(due));
                }
                Ok::<_, Failure>(took)
            });
        }
        let mut all = Vec::new();
        while let Some(ended) = running.join_next().await {
            all.extend(ended??);
        }
        must(all.len() >= 100, "there are enough requests for a percentile")?;
        all.sort_unstable();
        Ok(Self(all))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let at = (self.0.len() as f64 * percent / 100.0) as usize;
        self.0[at.min(self.0.len() - 1)].as_secs_f64() * 1e3
    }

    /// How many in a hundred took longer.
    pub(crate) fn slower_than(&self, milliseconds: f64) -> f64 {
        let slower = self.0.iter().filter(|took| took.as_secs_f64() * 1e3 > milliseconds).count();
        slower as f64 * 100.0 / self.0.len() as f64
    }
}
