//! [`ContractTest`] and [`ArchiveTest`]: one sentence of a contract as a test.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use auth_store::{Archive, Store};

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
    pub async fn run(
        &self,
        store: impl Into<UnderTest<dyn Store>>,
    ) -> Result<(), ContractViolation> {
        let UnderTest { store, kept } = store.into();
        let Some(store) = store else { return Ok(()) };
        let outcome = patiently((self.test)(store)).await;
        drop(kept);
        outcome.map_err(|finding| ContractViolation { test: self.name, finding })
    }
}

/// A test of the archive contract.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ArchiveTest {
    /// The name, which is the sentence that is tested.
    pub name: &'static str,
    /// The test, on two stores of one kind that are empty and used by nobody else.
    pub test: fn(Arc<dyn Archive>, Arc<dyn Archive>) -> Verdict,
}

impl ArchiveTest {
    /// Runs the test on two stores of one kind that are empty and used by nobody else, inside a runtime
    /// of tokio: from one into the other things are moved.
    ///
    /// # Errors
    /// [`ContractViolation`] if the stores break the contract, or take more than two minutes.
    pub async fn run(
        &self,
        from: impl Into<UnderTest<dyn Archive>>,
        into: impl Into<UnderTest<dyn Archive>>,
    ) -> Result<(), ContractViolation> {
        let (from, into) = (from.into(), into.into());
        let (Some(source), Some(target)) = (from.store, into.store) else { return Ok(()) };
        let outcome = patiently((self.test)(source, target)).await;
        drop((from.kept, into.kept));
        outcome.map_err(|finding| ContractViolation { test: self.name, finding })
    }
}

async fn patiently(verdict: Verdict) -> Result<(), Finding> {
    let ended = tokio::time::timeout(PATIENCE, verdict).await;
    ended.unwrap_or_else(|_| Err(Finding::new(format!("no end after {PATIENCE:?}"))))
}

/// A store, and what must outlive it, such as a directory that is removed afterwards.
///
/// Made `From` an `Arc` of a store, or from a pair of that and anything else, or from an `Option` of such a
/// pair: where the database is not there a test passes without a store, and whoever makes it says so.
pub struct UnderTest<S: ?Sized> {
    store: Option<Arc<S>>,
    kept: Option<Box<dyn Any + Send>>,
}

impl<S: fmt::Debug + ?Sized> fmt::Debug for UnderTest<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnderTest({:?})", self.store)
    }
}

impl<S: ?Sized> From<Arc<S>> for UnderTest<S> {
    fn from(store: Arc<S>) -> Self {
        Self { store: Some(store), kept: None }
    }
}

impl<S: ?Sized, K: Any + Send> From<(Arc<S>, K)> for UnderTest<S> {
    fn from((store, kept): (Arc<S>, K)) -> Self {
        Self { store: Some(store), kept: Some(Box::new(kept)) }
    }
}

impl<S: ?Sized, K: Any + Send> From<Option<(Arc<S>, K)>> for UnderTest<S> {
    fn from(pair: Option<(Arc<S>, K)>) -> Self {
        pair.map_or(Self { store: None, kept: None }, Self::from)
    }
}
