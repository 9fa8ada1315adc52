//! [`SealedUnder`]: which of the operator's secrets still seals what.

use auth_store::{Archive, Class, Key, Place, Store, TenantId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::decision::Unavailable;
use crate::record::{Found, Kind};
use crate::seal::data_keys::DataKeyRecord;
use crate::seal::deployment::DeploymentSecrets;

/// The secret under which a tenant's data keys are sealed.
///
/// A secret may be dropped from the list when no tenant's data keys are sealed under it, which are all
/// that the operator's secrets seal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealedUnder {
    /// Whose data keys.
    pub tenant: TenantId,
    /// The name of the secret, as [`DeploymentSecrets::names`] gives it.
    pub name: String,
    /// The place of the secret in the list, from 1; `None` if it was not given.
    pub place: Option<usize>,
}

impl SealedUnder {
    /// Whether it is the first secret of the list, so that the others are not needed for this tenant.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.place == Some(1)
    }
}

/// Under which secret a tenant's data keys are sealed; `None` if it has none.
///
/// # Errors
/// [`Unavailable`] if the store fails or the record is damaged.
pub async fn sealed_under(
    store: &dyn Store,
    secrets: &DeploymentSecrets,
    tenant: TenantId,
) -> Result<Option<SealedUnder>, Unavailable> {
    let key = DataKeyRecord::key(&[]);
    let read = store.get(tenant, std::slice::from_ref(key.raw())).await?;
    let Some(record) = read.into_iter().next().flatten() else { return Ok(None) };
    let found = Found::<DataKeyRecord>::read(&record)?;
    let blob = URL_SAFE_NO_PAD.decode(&found.value.sealed).unwrap_or_default();
    let (name, place) = secrets.sealed_by(&blob).unwrap_or_default();
    Ok(Some(SealedUnder { tenant, name, place }))
}

/// Under which secret the data keys of each tenant of a store are sealed: two reads a tenant.
///
/// # Errors
/// As [`sealed_under`].
pub async fn secret_usage(
    archive: &dyn Archive,
    secrets: &DeploymentSecrets,
) -> Result<Vec<SealedUnder>, Unavailable> {
    let mut usage = Vec::new();
    let mut after: Option<Place> = None;
    while let Some(first) = archive.archived(after.as_ref(), 1).await?.into_iter().next() {
        let tenant = first.tenant;
        usage.extend(sealed_under(archive, secrets, tenant).await?);
        after = Some(Place { tenant, key: last_key()? });
    }
    Ok(usage)
}

/// A key after every key of a tenant: what follows the tag of a class is smaller than this.
fn last_key() -> Result<Key, Unavailable> {
    let tag = Class::Main.tag().max(Class::Side.tag());
    Key::from_bytes(&[tag, 0xFF]).map_err(|error| Unavailable::Defect(error.into()))
}
