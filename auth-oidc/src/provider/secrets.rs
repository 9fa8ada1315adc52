//! The operator's secrets while the provider runs: what is sealed under which.

use auth_core::decision::Unavailable;
use auth_core::seal::{DataKeysUnusable, LoadDataKeys, SealedUnder, sealed_under};

use crate::provider::Provider;

impl Provider {
    /// Under which of the operator's secrets this tenant's data keys are sealed. An older secret may be
    /// dropped from the list once this [is the first](SealedUnder::is_first) for every tenant; for all
    /// tenants of a store at once see [`secret_usage`](auth_core::seal::secret_usage).
    ///
    /// # Errors
    /// [`Unavailable`] if the store fails.
    pub async fn secret_usage(&self) -> Result<SealedUnder, Unavailable> {
        let store = &*self.driver().ports().store;
        let found = sealed_under(store, &self.inner.secrets, self.tenant().id).await?;
        found.ok_or_else(|| Unavailable::Defect("the tenant has no data keys any more".into()))
    }

    /// Seals this tenant's data keys under the first secret of the list, if another one seals them: what
    /// happens at every start, for when the store was away then or a process with an older list started
    /// later. [`secret_usage`](Self::secret_usage) tells whether it did.
    ///
    /// # Errors
    /// [`DataKeysUnusable`].
    pub async fn reseal(&self) -> Result<(), DataKeysUnusable> {
        let ports = self.driver().ports();
        let loader = LoadDataKeys::new(&*ports.store, &self.inner.secrets, &*ports.entropy);
        loader.load(self.tenant().id, ports.clock.now()).await.map(drop)
    }
}
