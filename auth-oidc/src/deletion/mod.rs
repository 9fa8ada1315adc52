//! Deleting clients, subjects and the tenant itself: a mark first, by which everything is worthless at once,
//! then a job that removes the records.
//!
//! ```text
//!   delete ─▶ one commit: shadow revoked, generation raised, job enqueued ─▶ nothing of it is good
//!   job    ─▶ by key range and index: codes, tokens, grants, families, consents, sessions
//!          ─▶ once more a minute later: what a request wrote that had begun before
//!          ─▶ an event
//! ```

mod index;
mod job;
mod phase;
mod request;

use auth_core::decision::Unavailable;
use auth_core::job::DeleteTenant;
use auth_core::{Subject, Tenant};

pub(crate) use index::ByRelation;
pub(crate) use job::{DeleteClient, DeleteSubject};

use crate::deletion::request::RequestDeletion;
use crate::provider::Provider;

impl Provider {
    /// Deletes all that the provider has of a person: sessions, consents, codes, grants and tokens are
    /// worthless at once and everywhere, and are removed by the workers, which then tell so by the event
    /// `subject_deleted`. What stays is a mark without the identifier, so that nobody is ever taken for them
    /// again: a subject identifier is not reassigned.
    ///
    /// Their account is the directory's: delete it there first.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be committed; nothing is deleted then.
    pub async fn delete_subject(&self, subject: &Subject) -> Result<(), Unavailable> {
        let unindexed = self.config().unindexed_records;
        let request = RequestDeletion { subject: subject.clone(), unindexed };
        let decided = self.driver().run(self.tenant(), &request).await?;
        decided.unwrap_or_else(|never| match never {});
        Ok(())
    }

    /// Deletes this provider's tenant. Every request is refused from now on, by other processes within the
    /// five seconds for which they may remember that it was there; what it sealed cannot be opened any more;
    /// and its records are removed by the workers of whichever provider shares the store, which then tell so
    /// by the event `tenant_deleted`. There is no way back, and the name is not to be had again.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be committed; nothing is deleted then.
    pub async fn delete_tenant(&self) -> Result<(), Unavailable> {
        let tenant: &Tenant = self.tenant();
        match self.driver().run(tenant, &DeleteTenant::default()).await {
            Ok(decided) => decided.unwrap_or_else(|never| match never {}),
            // By somebody else, or before.
            Err(Unavailable::TenantDeleted(_)) => {}
            Err(error) => return Err(error),
        }
        self.forget_keys().await;
        Ok(())
    }
}
