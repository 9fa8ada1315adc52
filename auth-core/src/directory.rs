//! [`IdentityDirectory`]: accounts and claims, wherever they live.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use auth_store::TenantId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::clock::{Entropy, SystemEntropy};
use crate::decision::Unavailable;
use crate::id::Subject;
use crate::password::PasswordHasher;
use crate::secret::Secret;

/// Accounts: who somebody is, and what may be said about them.
///
/// Implement it over your own user table, or use [`MemoryDirectory`] to begin with.
#[async_trait]
pub trait IdentityDirectory: Send + Sync + fmt::Debug + 'static {
    /// Who signs in with this identifier and password. An unknown identifier must cost as much as a
    /// wrong password. Attempts are counted by the caller before this is asked.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told.
    async fn authenticate(
        &self,
        tenant: TenantId,
        identifier: &str,
        password: &Secret,
    ) -> Result<Authentication, Unavailable>;

    /// The identity of a subject; `None` if it was deleted.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told.
    async fn find(
        &self,
        tenant: TenantId,
        subject: &Subject,
    ) -> Result<Option<Identity>, Unavailable>;
}

/// The outcome of an attempt to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authentication {
    /// The person is who they say.
    Accepted(Subject),
    /// They are not, or may not sign in; which of them is not told.
    Refused,
}

/// An account as far as a provider needs it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// Who.
    pub subject: Subject,
    /// A name that the person knows themselves by, for pages.
    pub display_name: String,
    /// Whether tokens may be issued for it.
    pub active: bool,
    /// Standard claims (OpenID Connect Core §5.1) and the embedder's own, from which scopes and mappers
    /// choose.
    pub claims: Map<String, Value>,
}

impl Identity {
    /// An active identity without claims.
    #[must_use]
    pub fn new(subject: impl Into<Subject>, display_name: impl Into<String>) -> Self {
        let (subject, display_name) = (subject.into(), display_name.into());
        Self { subject, display_name, active: true, claims: Map::new() }
    }

    /// The same identity with a claim.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }
}

/// A directory in memory with argon2id password hashes: for demonstrations and tests.
#[derive(Clone)]
pub struct MemoryDirectory {
    accounts: Arc<RwLock<HashMap<String, Account>>>,
    passwords: PasswordHasher,
    /// Verified for unknown identifiers, so that they cost as much as known ones.
    dummy: Arc<RwLock<Option<String>>>,
}

#[derive(Clone)]
struct Account {
    identity: Identity,
    password: String,
}

impl MemoryDirectory {
    /// An empty directory.
    #[must_use]
    pub fn new(passwords: PasswordHasher) -> Self {
        Self { accounts: Arc::default(), passwords, dummy: Arc::default() }
    }

    /// Adds an account that signs in with `identifier` and `password`, or replaces it.
    ///
    /// # Errors
    /// [`Unavailable`] if the password cannot be hashed.
    pub async fn insert(
        &self,
        identifier: &str,
        password: &Secret,
        identity: Identity,
    ) -> Result<(), Unavailable> {
        let password = self.hash(password).await?;
        self.write().insert(identifier.to_owned(), Account { identity, password });
        Ok(())
    }

    /// Changes the identity that signs in with `identifier`, if there is one.
    pub fn update(&self, identifier: &str, change: impl FnOnce(&mut Identity)) {
        if let Some(account) = self.write().get_mut(identifier) {
            change(&mut account.identity);
        }
    }

    /// Removes the account that signs in with `identifier`.
    pub fn remove(&self, identifier: &str) {
        self.write().remove(identifier);
    }

    async fn hash(&self, password: &Secret) -> Result<String, Unavailable> {
        let mut salt = [0; 16];
        SystemEntropy::default().fill(&mut salt)?;
        self.passwords.hash(password, salt).await
    }

    async fn dummy(&self) -> Result<String, Unavailable> {
        let known = self.dummy.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(dummy) = known {
            return Ok(dummy);
        }
        // Random, so that nobody can present it: a password that verifies is remembered, and would
        // tell unknown identifiers by how fast they are refused.
        let mut nobody = [0; 32];
        SystemEntropy::default().fill(&mut nobody)?;
        let dummy = self.hash(&Secret::new(URL_SAFE_NO_PAD.encode(nobody))).await?;
        *self.dummy.write().unwrap_or_else(PoisonError::into_inner) = Some(dummy.clone());
        Ok(dummy)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<String, Account>> {
        self.accounts.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<String, Account>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryDirectory({} accounts)", self.read().len())
    }
}

#[async_trait]
impl IdentityDirectory for MemoryDirectory {
    async fn authenticate(
        &self,
        _: TenantId,
        identifier: &str,
        password: &Secret,
    ) -> Result<Authentication, Unavailable> {
        let account = self.read().get(identifier).cloned();
        let hash = match &account {
            Some(account) => account.password.clone(),
            None => self.dummy().await?,
        };
        let good = self.passwords.verify(&hash, password).await?;
        Ok(match account {
            Some(account) if good && account.identity.active => {
                Authentication::Accepted(account.identity.subject)
            }
            _ => Authentication::Refused,
        })
    }

    async fn find(&self, _: TenantId, subject: &Subject) -> Result<Option<Identity>, Unavailable> {
        let accounts = self.read();
        let account = accounts.values().find(|account| account.identity.subject == *subject);
        Ok(account.map(|account| account.identity.clone()))
    }
}
