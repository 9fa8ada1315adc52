//! [`LocalKeys`]: signing keys of our own, sealed in the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use auth_store::{Batch, CommitError, CommitId, Main, Store, TenantId, Timestamp};
use tracing::{info, warn};

use crate::clock::Entropy;
use crate::decision::{Rng, Signature, Unavailable};
use crate::id::KeyId;
use crate::keys::rotation::{KeyPolicy, KeySetRecord, Plan, StoredKey, plan};
use crate::keys::{
    InvalidSigningKey, KeySource, PublishedKey, PublishedKeys, SigningAlgorithm, SigningKey,
    TokenSigner,
};
use crate::record::{Found, Kind};
use crate::seal::{Purpose, SealError};
use crate::tenant::Tenant;

const PURPOSE: Purpose = Purpose::new("signing key");

/// Keys that are made here, stored sealed, and rotated by a [`KeyPolicy`].
pub struct LocalKeys {
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    policy: KeyPolicy,
    /// Keys that the operator supplied, one for each algorithm at most.
    supplied: Vec<SigningKey>,
    loaded: RwLock<HashMap<TenantId, Loaded>>,
}

#[derive(Clone)]
struct Loaded {
    at: Timestamp,
    published: Arc<PublishedKeys>,
    pairs: Arc<HashMap<KeyId, SigningKey>>,
}

impl LocalKeys {
    /// Keys in `store`. A `supplied` key is taken instead of a new one for its algorithm, and is
    /// replaced by supplying another one only; of several for one algorithm the last counts.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        entropy: Arc<dyn Entropy>,
        policy: KeyPolicy,
        mut supplied: Vec<SigningKey>,
    ) -> Self {
        let mut seen = Vec::new();
        supplied.reverse();
        supplied.retain(|key| {
            let first = !seen.contains(&key.algorithm());
            seen.push(key.algorithm());
            first
        });
        Self { store, entropy, policy, supplied, loaded: RwLock::default() }
    }

    /// How long new keys are published before they sign, and so on.
    #[must_use]
    pub fn policy(&self) -> &KeyPolicy {
        &self.policy
    }

    /// Publishes a new key for `algorithm`, which begins to sign after
    /// [`KeyPolicy::publish_before`]. Does nothing while such a key waits already, nor for an algorithm
    /// whose key is supplied.
    ///
    /// # Errors
    /// [`KeysUnusable`].
    pub async fn rotate(
        &self,
        tenant: &Tenant,
        algorithm: SigningAlgorithm,
        now: Timestamp,
    ) -> Result<(), KeysUnusable> {
        self.reload(tenant, now, Some(algorithm)).await.map(drop)
    }

    /// Reads the keys, and makes or removes what the policy says.
    ///
    /// # Errors
    /// [`KeysUnusable`].
    pub async fn load(&self, tenant: &Tenant, now: Timestamp) -> Result<(), KeysUnusable> {
        self.reload(tenant, now, None).await.map(drop)
    }

    async fn reload(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        rotate: Option<SigningAlgorithm>,
    ) -> Result<Loaded, KeysUnusable> {
        let key = KeySetRecord::key(&[]);
        // A replica may change the set at the same time; then what it made is there the next time.
        for _ in 0..4 {
            let read = self.store.get(tenant.id, std::slice::from_ref(key.raw())).await;
            let record = read.map_err(Unavailable::from)?.into_iter().next().flatten();
            let found = record.as_ref().map(Found::<KeySetRecord>::read).transpose();
            let found = found.map_err(Unavailable::from)?;
            let mut set = found.as_ref().map(|f| f.value.clone()).unwrap_or_default();
            let mut plan = plan(&set, &self.policy, now, rotate);
            self.put_supplied(&set, &mut plan, now);
            if plan.is_empty() {
                return self.keep(tenant, &set, now);
            }
            self.carry_out(tenant, &mut set, &plan).await?;
            let write = match &found {
                Some(found) => found.replace(&set).map_err(Unavailable::from)?,
                None => key.create(&set),
            };
            let mut id = [0; 16];
            self.entropy.fill(&mut id).map_err(Unavailable::from)?;
            let batch = Batch::builder::<Main>(CommitId::from_bytes(id), now).write(write);
            match self.store.commit(tenant.id, &batch.build().map_err(Unavailable::from)?).await {
                Ok(_) => {
                    for (algorithm, from) in &plan.create {
                        info!(target: "audit", tenant = %tenant.id, %algorithm, %from, "signing_key_published");
                    }
                    return self.keep(tenant, &set, now);
                }
                Err(CommitError::Conflict(_) | CommitError::Unknown(_)) => {}
                Err(error) => return Err(Unavailable::Store(error.into()).into()),
            }
        }
        Err(Unavailable::Contention { attempts: 4 }.into())
    }

    /// A supplied key that is not in the set yet goes in: at once if there is none for its algorithm.
    /// No other is made in its place, not even when it is old: it would come back once it is retired.
    fn put_supplied(&self, set: &KeySetRecord, plan: &mut Plan, now: Timestamp) {
        for key in &self.supplied {
            plan.create.retain(|(algorithm, _)| *algorithm != key.algorithm());
            if !set.keys.iter().any(|stored| stored.kid == *key.kid()) {
                let first = !set.keys.iter().any(|stored| stored.alg == key.algorithm());
                let from = if first { now } else { now.saturating_add(self.policy.publish_before) };
                plan.create.push((key.algorithm(), from));
            }
        }
    }

    async fn carry_out(
        &self,
        tenant: &Tenant,
        set: &mut KeySetRecord,
        plan: &Plan,
    ) -> Result<(), KeysUnusable> {
        set.keys.retain(|key| !plan.remove.contains(&key.kid));
        for (algorithm, active_from) in &plan.create {
            let supplied = self.supplied.iter().find(|key| {
                key.algorithm() == *algorithm && !set.keys.iter().any(|k| k.kid == *key.kid())
            });
            let key = match supplied {
                Some(key) => key.clone(),
                None => generate(*algorithm).await?,
            };
            let mut seed = [0; 32];
            self.entropy.fill(&mut seed).map_err(Unavailable::from)?;
            let context = [tenant.id.as_str(), key.kid().as_str()];
            let mut rng = Rng::from_seed(&seed);
            set.keys.push(StoredKey {
                kid: key.kid().clone(),
                alg: *algorithm,
                sealed: tenant.keys.seal(&mut rng, PURPOSE, &context, key.pkcs8()),
                active_from: *active_from,
            });
        }
        Ok(())
    }

    /// Opens the keys of a set and remembers them.
    fn keep(
        &self,
        tenant: &Tenant,
        set: &KeySetRecord,
        now: Timestamp,
    ) -> Result<Loaded, KeysUnusable> {
        let known = self.remembered(tenant.id);
        let mut pairs = HashMap::new();
        let mut keys = Vec::new();
        for stored in &set.keys {
            let pair = match known.as_ref().and_then(|known| known.pairs.get(&stored.kid)) {
                Some(pair) => pair.clone(),
                None => {
                    let context = [tenant.id.as_str(), stored.kid.as_str()];
                    let pkcs8 = tenant.keys.open(PURPOSE, &context, &stored.sealed)?;
                    SigningKey::from_pkcs8(stored.alg, &pkcs8)?
                }
            };
            keys.push(PublishedKey::new(
                stored.kid.clone(),
                stored.alg,
                pair.jwk().clone(),
                stored.active_from,
            ));
            pairs.insert(stored.kid.clone(), pair);
        }
        let published = Arc::new(PublishedKeys::new(keys));
        let loaded = Loaded { at: now, published, pairs: Arc::new(pairs) };
        let mut all = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.id, loaded.clone());
        Ok(loaded)
    }

    fn remembered(&self, tenant: TenantId) -> Option<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }
}

/// Makes a key on a thread of its own: an RSA key takes up to 0.3 seconds.
async fn generate(algorithm: SigningAlgorithm) -> Result<SigningKey, KeysUnusable> {
    let (sender, receiver) = async_channel::bounded(1);
    std::thread::spawn(move || {
        let _ = sender.send_blocking(SigningKey::generate(algorithm));
    });
    let made = receiver.recv().await.unwrap_or(Err(InvalidSigningKey::Unreadable));
    Ok(made?)
}

#[async_trait]
impl KeySource for LocalKeys {
    async fn keys(
        &self,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Result<Arc<PublishedKeys>, Unavailable> {
        let known = self.remembered(tenant.id);
        if let Some(known) = &known
            && now.since(known.at) < self.policy.reload_every
            && known.at <= now
        {
            return Ok(known.published.clone());
        }
        match (self.reload(tenant, now, None).await, known) {
            (Ok(loaded), _) => Ok(loaded.published),
            // The keys that are known stay good: a store that is away must not stop verification.
            (Err(error), Some(known)) => {
                warn!(%error, "signing keys could not be read again");
                Ok(known.published)
            }
            (Err(KeysUnusable::Unavailable(error)), None) => Err(error),
            (Err(error), None) => Err(Unavailable::Defect(error.into())),
        }
    }
}

#[async_trait]
impl TokenSigner for LocalKeys {
    async fn sign(
        &self,
        tenant: TenantId,
        kid: &KeyId,
        input: &[u8],
    ) -> Result<Signature, Unavailable> {
        let known = self.remembered(tenant);
        let pair = known.as_ref().and_then(|known| known.pairs.get(kid));
        pair.ok_or_else(|| Unavailable::NoKey(kid.clone()))?.sign(input)
    }
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKeys({:?})", self.policy.algorithms)
    }
}

/// A tenant's signing keys cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysUnusable {
    /// The store failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A stored key cannot be opened.
    #[error("a signing key in the store is sealed under other data keys")]
    Sealed(#[from] SealError),
    /// A key cannot be made or read.
    #[error(transparent)]
    Invalid(#[from] InvalidSigningKey),
}
