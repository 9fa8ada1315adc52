//! [`Readiness`]: whether a provider can do its work now.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use auth_core::decision::{Unavailable, within};
use auth_core::record::Kind;
use auth_core::store::{Class, Key};
use futures_util::lock::Mutex;
use tracing::warn;

use crate::client::ClientRecord;
use crate::provider::Provider;

/// What keeps a provider from its work. The details are in the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Readiness {
    /// What is not there: `store`, `keys`, each with a text for operators that tells nothing of why.
    pub errors: BTreeMap<&'static str, &'static str>,
}

impl Readiness {
    /// Whether requests can be answered.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.errors.is_empty()
    }
}

/// The last look, so that probes are no load: one look at a time, and the same answer for a moment.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<(Instant, Readiness)>>);

impl Provider {
    /// How long an answer is good.
    const FRESH: Duration = Duration::from_millis(500);
    /// How long the store may take to answer a look.
    const LOOK: Duration = Duration::from_secs(1);

    /// Looks whether the store answers a read, of both classes of records, and whether there is a key to
    /// sign with: what `GET /health/ready` answers by. An answer is at most half a second old.
    pub async fn readiness(&self) -> Readiness {
        let mut last = self.inner.health.0.lock().await;
        if let Some((at, readiness)) = &*last
            && at.elapsed() < Self::FRESH
        {
            return readiness.clone();
        }
        let readiness = self.look().await;
        *last = Some((Instant::now(), readiness.clone()));
        readiness
    }

    async fn look(&self) -> Readiness {
        let mut readiness = Readiness::default();
        let mut report = |what, text, result: Result<(), Unavailable>| {
            if let Err(cause) = result {
                let error = &cause as &dyn std::error::Error;
                warn!(target: "oauth2", error, what, "the provider is not ready");
                readiness.errors.insert(what, text);
            }
        };
        let store = within(Self::LOOK, self.read()).await.and_then(|read| read);
        report("store", "the store does not answer", store);
        let keys = within(Self::LOOK, self.has_key()).await.and_then(|has| has);
        report("keys", "there is no key to sign with", keys);
        readiness
    }

    async fn read(&self) -> Result<(), Unavailable> {
        // Whether there is anything does not matter.
        let main = ClientRecord::key(&[]);
        let side = Key::builder(Class::Side, "health").build();
        let side = side.map_err(|error| Unavailable::Defect(error.into()))?;
        let keys = [main.raw().clone(), side];
        self.driver().ports().store.get(self.tenant().id, &keys).await?;
        Ok(())
    }

    async fn has_key(&self) -> Result<(), Unavailable> {
        let policy = self.policy().await?;
        let (algorithm, now) =
            (policy.config.tokens.signing_algorithm, self.driver().ports().clock.now());
        match policy.keys.active(algorithm, now) {
            Some(_) => Ok(()),
            None => Err(Unavailable::NoKey(algorithm.name().into())),
        }
    }
}
