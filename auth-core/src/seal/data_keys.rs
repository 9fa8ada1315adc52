//! [`DataKeys`]: a tenant's own keys, sealed at rest by the deployment's secrets.

use std::fmt;

use auth_store::{
    Batch, CommitError, CommitId, Committed, Main, MainWrite, Store, TenantId, Timestamp, When,
    Write,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::clock::Entropy;
use crate::decision::{Rng, Unavailable};
use crate::record::{Found, Kind, Unknown};
use crate::seal::deployment::{DeploymentSecrets, derive};
use crate::seal::handle::HandleForm;
use crate::seal::{AeadKey, SealError};
use crate::tombstone::Tombstone;

/// The record of a tenant's data keys. Deleting it shreds whatever the tenant has sealed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DataKeyRecord {
    /// 32 bytes under the deployment's secrets, of which every key is derived.
    pub(super) sealed: String,
    /// The form of the tenant's handles; those of the first versions do not name it.
    #[serde(default = "DataKeyRecord::first_form")]
    form: u32,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Kind for DataKeyRecord {
    type Class = Main;
    const NAME: &'static str = "data_keys";

    fn keep_until(&self) -> Option<Timestamp> {
        None
    }
}

impl DataKeyRecord {
    const fn first_form() -> u32 {
        HandleForm::Digest.number()
    }

    /// What the keys are sealed for. A form other than the first is part of it, so that it cannot be changed in the
    /// store, and a version that knows the first one alone does not take the keys for its own.
    fn purpose(tenant: TenantId, form: HandleForm) -> String {
        match form {
            HandleForm::Digest => format!("data keys of {tenant}"),
            HandleForm::TimeAndDigest => {
                format!("data keys of {tenant}, form {}", form.number())
            }
        }
    }
}

/// A tenant's keys: `lookup` for short values that are stored as a MAC and never rotates, `seal` for
/// what goes out and comes back, `mac` for short proofs.
pub struct DataKeys {
    /// Names the generation in everything sealed.
    id: u8,
    lookup: hmac::Key,
    pub(super) seal: AeadKey,
    pub(super) handle: AeadKey,
    pub(super) handle_form: HandleForm,
    mac: hmac::Key,
}

/// What a sealed value or MAC is for. Two purposes never accept each other's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purpose(pub(super) &'static str);

impl Purpose {
    /// A purpose by its name, which stays the same for ever.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }
}

impl DataKeys {
    /// The generation of keys in use; blobs of another are not ours.
    const ID: u8 = 1;

    pub(super) fn from_root(root: &[u8], handle_form: HandleForm) -> Self {
        Self {
            handle_form,
            id: Self::ID,
            lookup: hmac::Key::new(hmac::HMAC_SHA256, &derive(root, b"lookup")),
            seal: AeadKey::new(&derive(root, b"seal")),
            handle: AeadKey::new(&derive(root, b"handle")),
            mac: hmac::Key::new(hmac::HMAC_SHA256, &derive(root, b"mac")),
        }
    }

    /// The write that removes the keys of a tenant for ever.
    pub(crate) fn shred() -> MainWrite {
        let key = DataKeyRecord::key(&[]).raw().clone();
        MainWrite::of(Write::Delete { key, when: When::Any, old_index: Vec::new() })
    }

    /// The id that sealed values begin with.
    pub(super) fn id(&self) -> u8 {
        self.id
    }

    /// Seals `plain` for `purpose` and `context` (tenant, issuer, …): URL-safe text.
    #[must_use]
    pub fn seal(&self, rng: &mut Rng, purpose: Purpose, context: &[&str], plain: &[u8]) -> String {
        let nonce: [u8; 12] = rng.bytes();
        let sealed = self.seal.seal(nonce, &aad(self.id, purpose, context), plain);
        URL_SAFE_NO_PAD.encode([&[self.id][..], &nonce, &sealed].concat())
    }

    /// Opens what [`DataKeys::seal`] made for the same purpose and context.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(
        &self,
        purpose: Purpose,
        context: &[&str],
        text: &str,
    ) -> Result<Vec<u8>, SealError> {
        let blob = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Invalid)?;
        let (id, rest) = blob.split_first().ok_or(SealError::Invalid)?;
        if *id != self.id {
            return Err(SealError::UnknownKey);
        }
        let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or(SealError::Invalid)?;
        let mut sealed = sealed.to_vec();
        let plain = self.seal.open(*nonce, &aad(*id, purpose, context), &mut sealed)?;
        Ok(plain.to_vec())
    }

    /// A MAC of 128 bits over `parts`.
    #[must_use]
    pub fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 16] {
        truncate(&self.mac, purpose, parts)
    }

    /// A name of 128 bits for a short value, by which it is looked up.
    #[must_use]
    pub fn lookup(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 16] {
        truncate(&self.lookup, purpose, parts)
    }
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKeys({})", self.id)
    }
}

fn truncate(key: &hmac::Key, purpose: Purpose, parts: &[&[u8]]) -> [u8; 16] {
    let mut context = hmac::Context::with_key(key);
    for part in std::iter::once(&purpose.0.as_bytes()).chain(parts) {
        // Each part with its length, so that no two lists give the same text.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut mac = [0; 16];
    mac.copy_from_slice(&context.sign().as_ref()[..16]);
    mac
}

fn aad(id: u8, purpose: Purpose, context: &[&str]) -> Vec<u8> {
    let mut aad = vec![id];
    for part in std::iter::once(&purpose.0).chain(context) {
        aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
        aad.extend_from_slice(part.as_bytes());
    }
    aad
}

/// Reads a tenant's data keys from the store, or makes them.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoadDataKeys<'a> {
    /// Where they stand.
    pub store: &'a dyn Store,
    /// What seals them.
    pub secrets: &'a DeploymentSecrets,
    /// What they are made of.
    pub entropy: &'a dyn Entropy,
}

impl<'a> LoadDataKeys<'a> {
    /// Loads from `store`.
    #[must_use]
    pub fn new(
        store: &'a dyn Store,
        secrets: &'a DeploymentSecrets,
        entropy: &'a dyn Entropy,
    ) -> Self {
        Self { store, secrets, entropy }
    }

    /// The tenant's keys. The first process that asks makes them; if two ask at once one wins and the
    /// other takes what it made. Keys that an older secret of the list sealed are sealed anew, if the
    /// store permits it now; if not, they are good all the same, and
    /// [`sealed_under`](crate::seal::sealed_under) shows it.
    ///
    /// # Errors
    /// [`DataKeysUnusable`].
    pub async fn load(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<DataKeys, DataKeysUnusable> {
        let key = DataKeyRecord::key(&[]);
        // Twice: after losing a race the winner's record is there.
        for _ in 0..2 {
            let tombstone = Tombstone::here().raw().clone();
            let read = self.store.get(tenant, &[key.raw().clone(), tombstone]).await;
            let mut read = read.map_err(Unavailable::from)?.into_iter();
            let record = read.next().flatten();
            if read.next().flatten().is_some() {
                return Err(Unavailable::TenantDeleted(tenant).into());
            }
            if let Some(record) = &record {
                let found = Found::<DataKeyRecord>::read(record).map_err(Unavailable::from)?;
                let blob = URL_SAFE_NO_PAD.decode(&found.value.sealed);
                let blob = blob.map_err(|_| DataKeysUnusable::Sealed(SealError::Invalid))?;
                let form = found.value.form;
                let form = HandleForm::of(form).ok_or(DataKeysUnusable::Newer { form })?;
                let purpose = DataKeyRecord::purpose(tenant, form);
                let (root, old) = self.secrets.open(&purpose, &blob)?;
                if old && let Err(error) = self.reseal(tenant, &found, form, &root, now).await {
                    warn!(%tenant, %error, "data keys stay sealed under an older secret");
                }
                return Ok(DataKeys::from_root(&root, form));
            }
            let form = HandleForm::TimeAndDigest;
            let mut root = [0; 32];
            self.entropy.fill(&mut root).map_err(Unavailable::from)?;
            let write = key.create(&self.record(tenant, form, &root, Unknown::default())?);
            match self.commit(tenant, write, now).await? {
                Ok(_) => return Ok(DataKeys::from_root(&root, form)),
                Err(CommitError::Conflict(_) | CommitError::Unknown(_)) => {}
                Err(error) => return Err(Unavailable::Store(error.into()).into()),
            }
        }
        Err(Unavailable::Contention { attempts: 2 }.into())
    }

    /// Seals a root under the first secret.
    async fn reseal(
        &self,
        tenant: TenantId,
        found: &Found<DataKeyRecord>,
        form: HandleForm,
        root: &[u8],
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let anew = self.record(tenant, form, root, found.value.unknown.clone())?;
        match self.commit(tenant, found.replace(&anew)?, now).await? {
            // On a conflict another process has sealed it anew.
            Ok(_) | Err(CommitError::Conflict(_)) => Ok(()),
            Err(error) => Err(Unavailable::Store(error.into())),
        }
    }

    async fn commit(
        &self,
        tenant: TenantId,
        write: MainWrite,
        now: Timestamp,
    ) -> Result<Result<Committed, CommitError>, Unavailable> {
        let mut id = [0; 16];
        self.entropy.fill(&mut id)?;
        // A tenant that is deleted meanwhile gets no keys.
        let alive = Write::Check { key: Tombstone::here().raw().clone(), when: When::Absent };
        let batch = Batch::builder::<Main>(CommitId::from_bytes(id), now).write(write).write(alive);
        let batch = batch.build()?;
        Ok(self.store.commit(tenant, &batch).await)
    }

    fn record(
        &self,
        tenant: TenantId,
        form: HandleForm,
        root: &[u8],
        unknown: Unknown,
    ) -> Result<DataKeyRecord, Unavailable> {
        let purpose = DataKeyRecord::purpose(tenant, form);
        let sealed = URL_SAFE_NO_PAD.encode(self.secrets.seal(self.entropy, &purpose, root)?);
        Ok(DataKeyRecord { sealed, form: form.number(), unknown })
    }
}

/// A tenant's data keys cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataKeysUnusable {
    /// The store failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// They are sealed under a secret that was not given.
    #[error(
        "the data keys in the store are sealed under another secret: give that secret, too, after the \
         new one (the first of the list seals, all open)"
    )]
    Sealed(#[from] SealError),
    /// A newer version made them.
    #[error(
        "the data keys in the store are of form {form}, which this version does not know: run the version \
         that made them, or a newer one"
    )]
    Newer {
        /// The number of the form.
        form: u32,
    },
}

#[cfg(test)]
mod tests {
    use auth_store::MemoryStore;
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::SystemEntropy;
    use crate::secret::Secret;

    const OLD: &str = "an old secret of the operator, 32+ bytes";
    const NEW: &str = "a new secret of the operator, 32+ bytes";
    const NOW: Timestamp = Timestamp::EPOCH;

    fn secrets(list: &[&str]) -> DeploymentSecrets {
        DeploymentSecrets::new(list.iter().copied().map(Secret::from)).unwrap()
    }

    fn load(store: &MemoryStore, tenant: TenantId, list: &[&str]) -> DataKeys {
        let (secrets, entropy) = (secrets(list), SystemEntropy::default());
        let loader = LoadDataKeys::new(store, &secrets, &entropy);
        loader.load(tenant, NOW).now_or_never().unwrap().unwrap()
    }

    /// The record of the default tenant as the first versions wrote it, under the old secret.
    fn of_an_earlier_version(root: &[u8]) -> MemoryStore {
        let sealed = secrets(&[OLD]).seal(&SystemEntropy::default(), "data keys of default", root);
        let sealed = URL_SAFE_NO_PAD.encode(sealed.unwrap());
        let record = DataKeyRecord { sealed, form: 1, unknown: Unknown::default() };
        let Write::Put { mut record, when, old_index } =
            DataKeyRecord::key(&[]).create(&record).into()
        else {
            unreachable!("a record is put");
        };
        let value = record.value.replace(r#","form":1"#, "");
        assert_ne!(*value, *record.value);
        record.value = value.into();
        let put = Write::Put { record, when, old_index };
        let batch = Batch::builder::<Main>(CommitId::from_bytes([1; 16]), NOW).write(put);
        let store = MemoryStore::new();
        let batch = batch.build().unwrap();
        store.commit(TenantId::DEFAULT, &batch).now_or_never().unwrap().unwrap();
        store
    }

    #[test]
    fn a_tenant_of_an_earlier_version_keeps_its_form() {
        let root = [9; 32];
        let store = of_an_earlier_version(&root);
        let name = |keys: &DataKeys| keys.lookup(Purpose::new("any"), &[b"x"]);
        let expected = name(&DataKeys::from_root(&root, HandleForm::Digest));
        // As it is, then sealed anew, then under the new secret alone.
        for list in [&[OLD][..], &[NEW, OLD], &[NEW]] {
            let keys = load(&store, TenantId::DEFAULT, list);
            assert_eq!((keys.handle_form, name(&keys)), (HandleForm::Digest, expected));
        }
        // A new tenant beside it has the new one.
        let keys = load(&store, TenantId::new("other").unwrap(), &[NEW]);
        assert_eq!(keys.handle_form, HandleForm::TimeAndDigest);
    }
}
