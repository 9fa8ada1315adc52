//! How many operations a second a database serves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_core::store::Archive;
use tokio::task::JoinSet;

use crate::scene::bulk::Fresh;
use crate::scene::{Failure, Scene, Session, Tokens, must};

/// How many callers there are at the same time.
const CALLERS: usize = 16;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Introspection,
    Refresh,
    CodeFlow,
}

impl Operation {
    pub(crate) const ALL: [Self; 3] = [Self::Introspection, Self::Refresh, Self::CodeFlow];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            Self::Refresh => "refresh",
            Self::CodeFlow => "code flow",
        }
    }
}

/// A provider on a database, with callers that hold tokens of its grants.
pub(crate) struct Served {
    pub(crate) scene: Scene,
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) fresh: Fresh,
    callers: Vec<Caller>,
}

struct Caller {
    session: Session,
    tokens: Vec<Tokens>,
    next: usize,
}

impl Served {
    /// Deals the tokens out to the callers and signs each of them in.
    pub(crate) async fn new(
        scene: Scene,
        archive: Arc<dyn Archive>,
        fresh: Fresh,
        tokens: Vec<Tokens>,
    ) -> Result<Self, Failure> {
        let mut callers = Vec::new();
        for number in 0..CALLERS {
            let session = scene.sign_in(&format!("caller-{number}")).await?;
            let tokens: Vec<Tokens> =
                tokens.iter().skip(number).step_by(CALLERS).cloned().collect();
            must(!tokens.is_empty(), "there is a token for each caller")?;
            callers.push(Caller { session, tokens, next: 0 });
        }
        Ok(Self { scene, archive, fresh, callers })
    }

    /// Operations a second, of all callers together.
    pub(crate) async fn rate(
        &mut self,
        operation: Operation,
        during: Duration,
    ) -> Result<f64, Failure> {
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for mut caller in self.callers.drain(..) {
            let scene = self.scene.clone();
            running.spawn(async move {
                let mut done = 0_u64;
                while begun.elapsed() < during {
                    caller.call(&scene, operation).await?;
                    done += 1;
                    // A read of SQLite never waits: others would have no turn.
                    tokio::task::yield_now().await;
                }
                Ok::<_, Failure>((caller, done))
            });
        }
        let mut all = 0;
        while let Some(ended) = running.join_next().await {
            let (caller, done) = ended??;
            self.callers.push(caller);
            all += done;
        }
        Ok(all as f64 / begun.elapsed().as_secs_f64())
    }
}

impl Caller {
    async fn call(&mut self, scene: &Scene, operation: Operation) -> Result<(), Failure> {
        self.next = (self.next + 1) % self.tokens.len();
        let tokens = &mut self.tokens[self.next];
        match operation {
            Operation::Introspection => {
                must(scene.is_active(&tokens.access).await?, "a live token is active")
            }
            Operation::Refresh => {
                let successor = scene.refresh(&tokens.refresh).await?;
                *tokens = successor.ok_or("a live refresh token is refused")?;
                Ok(())
            }
            Operation::CodeFlow => {
                *tokens = scene.grant(&self.session).await?;
                Ok(())
            }
        }
    }
}
