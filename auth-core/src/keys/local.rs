//! [`LocalKeys`]: signing keys of our own, sealed in the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth_store::{Batch, CommitError, CommitId, Main, Store, TenantId, Timestamp, When, Write};
use tracing::warn;

use crate::clock::Entropy;
use crate::decision::{Rng, Signature, Unavailable, within};
use crate::id::KeyId;
use crate::keys::decryption::StoredDecryptionKey;
use crate::keys::rotation::{KeyPolicy, KeySetRecord, Plan, StoredKey, Wish, plan};
use crate::keys::{
    CompactJwe, DecryptionKey, InvalidSigningKey, JweError, KeyManagement, KeySource, PublishedKey,
    PublishedKeys, SigningAlgorithm, SigningKey, TokenDecrypter, TokenSigner,
};
use crate::record::{Found, Kind};
use crate::seal::{Purpose, SealError};
use crate::secret::Secret;
use crate::tenant::Tenant;
use crate::tombstone::Tombstone;

const PURPOSE: Purpose = Purpose::new("signing key");
const DECRYPTION: Purpose = Purpose::new("decryption key");

/// Keys that are made here, stored sealed, and rotated by a [`KeyPolicy`].
pub struct LocalKeys {
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    policy: KeyPolicy,
    /// Keys that the operator supplied, one for each algorithm at most.
    supplied: Vec<SigningKey>,
    /// The algorithms that clients may encrypt by.
    encryption: Vec<KeyManagement>,
    loaded: RwLock<HashMap<TenantId, Loaded>>,
    /// From when on the keys of a tenant may be read again, after an attempt that has not succeeded.
    attempts: Mutex<HashMap<TenantId, Instant>>,
}

#[derive(Clone)]
struct Loaded {
    at: Timestamp,
    published: Arc<PublishedKeys>,
    pairs: Arc<HashMap<KeyId, SigningKey>>,
    /// The newest of each algorithm first.
    decryption: Arc<Vec<DecryptionKey>>,
}

impl LocalKeys {
    /// How long a request waits for keys to be read again before it goes by those that it knows.
    const ATTEMPT: Duration = Duration::from_secs(1);

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
        let (loaded, attempts) = (RwLock::default(), Mutex::default());
        Self { store, entropy, policy, supplied, encryption: Vec::new(), loaded, attempts }
    }

    /// Also publishes a key for each of these, for clients to encrypt to. It takes effect when every process knows
    /// it; the one that it replaces goes on opening for [`KeyPolicy::keep_after`].
    #[must_use]
    pub fn encrypted_by(self, encryption: Vec<KeyManagement>) -> Self {
        Self { encryption, ..self }
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
        self.reload(tenant, now, &Wish::Rotate(algorithm)).await.map(drop)
    }

    /// Makes a new key for clients to encrypt to by `algorithm`, which is published once every process knows it. Does
    /// nothing while such a key waits already, nor for an algorithm that is not in use.
    ///
    /// # Errors
    /// [`KeysUnusable`].
    pub async fn rotate_decryption(
        &self,
        tenant: &Tenant,
        algorithm: KeyManagement,
        now: Timestamp,
    ) -> Result<(), KeysUnusable> {
        self.reload(tenant, now, &Wish::RotateDecryption(algorithm)).await.map(drop)
    }

    /// Withdraws a key that may be in the wrong hands: it leaves the JWK set, and nothing that it signed,
    /// or that is encrypted to it, is good any more, here at once and in every other process within
    /// [`KeyPolicy::reload_every`]. If it was the key that signs, or the newest that is encrypted to, another
    /// one takes its place. To do it again is harmless.
    ///
    /// # Errors
    /// [`KeysUnusable::Unknown`] if there is no such key. After [`KeysUnusable::Revoked`] it *is* revoked,
    /// but no successor could be made: supply one.
    pub async fn revoke(
        &self,
        tenant: &Tenant,
        kid: &KeyId,
        now: Timestamp,
    ) -> Result<(), KeysUnusable> {
        self.reload(tenant, now, &Wish::Revoke(kid.clone())).await.map(drop)
    }

    /// Reads the keys, and makes or removes what the policy says.
    ///
    /// # Errors
    /// [`KeysUnusable`].
    pub async fn load(&self, tenant: &Tenant, now: Timestamp) -> Result<(), KeysUnusable> {
        self.reload(tenant, now, &Wish::Nothing).await.map(drop)
    }

    async fn reload(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        wish: &Wish,
    ) -> Result<Loaded, KeysUnusable> {
        let key = KeySetRecord::key(&[]);
        // A replica may change the set at the same time; then what it made is there the next time.
        for _ in 0..4 {
            let tombstone = Tombstone::here().raw().clone();
            let read = self.store.get(tenant.id, &[key.raw().clone(), tombstone.clone()]).await;
            let mut read = read.map_err(Unavailable::from)?.into_iter();
            let record = read.next().flatten();
            if read.next().flatten().is_some() {
                self.loaded.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant.id);
                return Err(Unavailable::TenantDeleted(tenant.id).into());
            }
            let found = record.as_ref().map(Found::<KeySetRecord>::read).transpose();
            let found = found.map_err(Unavailable::from)?;
            let mut set = found.as_ref().map(|f| f.value.clone()).unwrap_or_default();
            if let Wish::Revoke(kid) = wish
                && !set.revoked.contains(kid)
                && !set.keys.iter().any(|key| key.kid == *kid)
                && !set.decryption.iter().any(|key| key.kid == *kid)
            {
                return Err(KeysUnusable::Unknown(kid.clone()));
            }
            let mut plan = plan(&set, &self.policy, &self.encryption, now, wish);
            self.put_supplied(&set, &mut plan, now);
            if plan.is_empty() {
                return self.keep(tenant, &set, now);
            }
            let failed = self.carry_out(tenant, &mut set, &plan, now).await.err();
            // A key is revoked even if no successor can be made.
            let failed = match failed {
                Some(error) if plan.revoke.is_none() => {
                    // What stands there is known, too: it may be that another process revoked a key.
                    let stored = found.map(|found| found.value).unwrap_or_default();
                    return self.keep(tenant, &stored, now).and(Err(error));
                }
                failed => failed,
            };
            let write = match &found {
                Some(found) => found.replace(&set).map_err(Unavailable::from)?,
                None => key.create(&set),
            };
            let mut id = [0; 16];
            self.entropy.fill(&mut id).map_err(Unavailable::from)?;
            // A tenant that is deleted meanwhile does not get new keys.
            let alive = Write::Check { key: tombstone, when: When::Absent };
            let batch =
                Batch::builder::<Main>(CommitId::from_bytes(id), now).write(write).write(alive);
            match self.store.commit(tenant.id, &batch.build().map_err(Unavailable::from)?).await {
                Ok(_) => {
                    plan.report(tenant.id, failed.is_none());
                    let kept = self.keep(tenant, &set, now);
                    return failed.map_or(kept, Err);
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
            if set.revoked.contains(key.kid()) || plan.revoke.as_ref() == Some(key.kid()) {
                continue;
            }
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
        now: Timestamp,
    ) -> Result<(), KeysUnusable> {
        set.keys.retain(|key| {
            !plan.remove.contains(&key.kid) && plan.revoke.as_ref() != Some(&key.kid)
        });
        set.decryption.retain(|key| {
            !plan.remove.contains(&key.kid) && plan.revoke.as_ref() != Some(&key.kid)
        });
        set.revoked.extend(plan.revoke.clone());
        for key in set.keys.iter_mut().filter(|key| plan.activate.contains(&key.kid)) {
            key.active_from = now;
        }
        for (algorithm, active_from) in &plan.create {
            let supplied = self.supplied.iter().find(|key| {
                key.algorithm() == *algorithm
                    && !set.revoked.contains(key.kid())
                    && !set.keys.iter().any(|k| k.kid == *key.kid())
            });
            let key = match supplied {
                Some(key) => key.clone(),
                None => generate(*algorithm, SigningKey::generate).await.map_err(|error| {
                    let revoked = |key: &&SigningKey| set.revoked.contains(key.kid());
                    let same = self.supplied.iter().filter(|key| key.algorithm() == *algorithm);
                    match same.clone().find(revoked) {
                        Some(key) => KeysUnusable::Revoked(key.kid().clone()),
                        None => error,
                    }
                })?,
            };
            set.keys.push(StoredKey {
                kid: key.kid().clone(),
                alg: *algorithm,
                sealed: self.seal(tenant, PURPOSE, key.kid(), key.pkcs8())?,
                active_from: *active_from,
            });
        }
        for alg in &plan.create_decryption {
            let key = generate(*alg, DecryptionKey::generate).await?;
            let sealed = self.seal(tenant, DECRYPTION, key.kid(), key.pkcs8())?;
            set.decryption.push(StoredDecryptionKey::new(key.kid().clone(), *alg, sealed, now));
        }
        Ok(())
    }

    fn seal(
        &self,
        tenant: &Tenant,
        purpose: Purpose,
        kid: &KeyId,
        pkcs8: &[u8],
    ) -> Result<String, Unavailable> {
        let mut seed = [0; 32];
        self.entropy.fill(&mut seed)?;
        let context = [tenant.id.as_str(), kid.as_str()];
        Ok(tenant.keys.seal(&mut Rng::from_seed(&seed), purpose, &context, pkcs8))
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
        let (mut decryption, mut jwks) = (Vec::new(), Vec::new());
        for alg in &self.encryption {
            let published = set.published_for(*alg, &self.policy, now).map(|key| &key.kid);
            for stored in set.decryption_keys(*alg) {
                let same = |key: &&DecryptionKey| *key.kid() == stored.kid;
                let known = known.as_ref().and_then(|known| known.decryption.iter().find(same));
                let key = match known {
                    Some(key) => key.clone(),
                    None => {
                        let context = [tenant.id.as_str(), stored.kid.as_str()];
                        let pkcs8 = tenant.keys.open(DECRYPTION, &context, &stored.sealed)?;
                        DecryptionKey::from_pkcs8(*alg, &pkcs8)?
                    }
                };
                if published == Some(&stored.kid) {
                    jwks.push(key.jwk().clone());
                }
                decryption.push(key);
            }
        }
        let published = Arc::new(PublishedKeys::new(keys).encrypted_to(jwks));
        let (pairs, decryption) = (Arc::new(pairs), Arc::new(decryption));
        let loaded = Loaded { at: now, published, pairs, decryption };
        let mut all = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.id, loaded.clone());
        Ok(loaded)
    }

    /// Whether it is this request that reads the keys again: one at a time does, and one a second while
    /// none succeeds.
    fn may_attempt(&self, tenant: TenantId) -> bool {
        let now = Instant::now();
        let mut attempts = self.attempts();
        let may = attempts.get(&tenant).is_none_or(|from| *from <= now);
        if may {
            attempts.insert(tenant, now + Self::ATTEMPT);
        }
        may
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<TenantId, Instant>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, tenant: TenantId) -> Option<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }
}

/// Makes a key on a thread of its own: an RSA key takes up to 0.3 seconds.
async fn generate<A, K, E>(algorithm: A, make: fn(A) -> Result<K, E>) -> Result<K, KeysUnusable>
where
    A: Send + 'static,
    K: Send + 'static,
    E: Send + 'static,
    KeysUnusable: From<E>,
{
    let (sender, receiver) = async_channel::bounded(1);
    std::thread::spawn(move || {
        let _ = sender.send_blocking(make(algorithm));
    });
    match receiver.recv().await {
        Ok(made) => Ok(made?),
        Err(_) => Err(KeysUnusable::Invalid(InvalidSigningKey::Unreadable)),
    }
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
        // In a box: it is seldom needed, and large.
        Box::pin(self.read_again(tenant, now, known)).await
    }
}

impl LocalKeys {
    /// Reads the keys. What is `known` is good for as long as they cannot be read.
    async fn read_again(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        known: Option<Loaded>,
    ) -> Result<Arc<PublishedKeys>, Unavailable> {
        let Some(known) = known else {
            return match self.reload(tenant, now, &Wish::Nothing).await {
                Ok(loaded) => Ok(loaded.published),
                Err(KeysUnusable::Unavailable(error)) => Err(error),
                Err(error) => Err(Unavailable::Defect(error.into())),
            };
        };
        // The keys that are known stay good: a store that is away, or slow, must not stop verification.
        if !self.may_attempt(tenant.id) {
            return Ok(known.published);
        }
        let reload = within(Self::ATTEMPT, self.reload(tenant, now, &Wish::Nothing)).await;
        match reload.map_err(KeysUnusable::from).and_then(|reloaded| reloaded) {
            Ok(loaded) => {
                self.attempts().remove(&tenant.id);
                Ok(loaded.published)
            }
            Err(KeysUnusable::Unavailable(error @ Unavailable::TenantDeleted(_))) => Err(error),
            Err(error) => {
                warn!(%error, "signing keys could not be read again");
                // What was read before something else failed counts, such as that a key is revoked.
                Ok(self.remembered(tenant.id).unwrap_or(known).published)
            }
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

#[async_trait]
impl TokenDecrypter for LocalKeys {
    async fn decrypt(
        &self,
        tenant: TenantId,
        jwe: &CompactJwe<'_>,
    ) -> Result<Option<Secret>, Unavailable> {
        let Some(known) = self.remembered(tenant) else { return Ok(None) };
        let mut keys = known.decryption.iter().filter(|key| key.alg() == jwe.encryption().alg);
        let opened = match jwe.kid() {
            Some(kid) => {
                keys.find(|key| key.kid().as_str() == kid).and_then(|key| key.decrypt(jwe).ok())
            }
            // The one that is published, or the one that was: each attempt may take a millisecond.
            None => keys.take(2).find_map(|key| key.decrypt(jwe).ok()),
        };
        let text = opened.and_then(|opened| String::from_utf8(opened.to_vec()).ok());
        Ok(text.map(Secret::new))
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
    #[error("a key in the store is sealed under other data keys")]
    Sealed(#[from] SealError),
    /// A key cannot be made or read.
    #[error(transparent)]
    Invalid(#[from] InvalidSigningKey),
    /// A key that is encrypted to cannot be made or read.
    #[error(transparent)]
    Decryption(#[from] JweError),
    /// The key that is supplied was revoked, and none can be made in its place.
    #[error("the signing key `{0}` that is supplied was revoked: supply another one")]
    Revoked(KeyId),
    /// There is no key of this name.
    #[error("there is no key `{0}`: the JWK set lists those that there are")]
    Unknown(KeyId),
}
