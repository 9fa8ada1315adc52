//! [`ContractTest`]: one sentence of the contract as a test.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use auth_store::Store;

use super::violation::{ContractViolation, Finding};

/// How long one test may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a test will have found; nothing, if the store keeps the contract.
pub type Verdict = Pin<Box<dyn Future<Output = Result<(), Finding>> + Send>>;

/// A test of the store contract.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ContractTest {
    /// The name, which is the sentence that is tested.
    pub name: &'static str,
    /// The test, on a store that is empty and used by nobody else.
    pub test: fn(Arc<dyn Store>) -> Verdict,
}

impl ContractTest {
    /// Runs the test on a store that is empty and used by nobody else, inside a runtime of tokio.
    ///
    /// # Errors
    /// [`ContractViolation`] if the store breaks the contract, or takes more than two minutes.
    pub async fn run(&self, store: impl Into<StoreUnderTest>) -> Result<(), ContractViolation> {
        let StoreUnderTest { store, kept } = store.into();
        let outcome = tokio::time::timeout(PATIENCE, (self.test)(store))
            .await
            .unwrap_or_else(|_| Err(Finding::new(format!("no end after {PATIENCE:?}"))));
        drop(kept);
        outcome.map_err(|finding| ContractViolation { test: self.name, finding })
    }
}

/// A store, and what must outlive it, such as a directory that is removed afterwards.
///
/// Made `From` an `Arc` of a store, or from a pair of that and anything else.
pub struct StoreUnderTest {
    store: Arc<dyn Store>,
    kept: Option<Box<dyn Any + Send>>,
}

impl fmt::Debug for StoreUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUnderTest({:?})", self.store)
    }
}

impl From<Arc<dyn Store>> for StoreUnderTest {
    fn from(store: Arc<dyn Store>) -> Self {
        Self { store, kept: None }
    }
}

impl<K: Any + Send> From<(Arc<dyn Store>, K)> for StoreUnderTest {
    fn from((store, kept): (Arc<dyn Store>, K)) -> Self {
        Self { store, kept: Some(Box::new(kept)) }
    }
}
