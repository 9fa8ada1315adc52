//! Jobs: work on our own records that is too much for one commit.
//!
//! A [`Job`] is a struct with what it has to do and how far it has come. It goes in bounded steps; each
//! step's writes and its progress are one commit, made under a lease. So it survives a crash at any point,
//! and any number of replicas may run a [`JobWorker`] at once.

mod record;
mod tenant_deletion;
mod worker;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use auth_store::{Key, MainWrite, Store, TenantId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use record::enqueue;
pub use tenant_deletion::{DeleteTenant, TenantDeletion};
pub use worker::{JobWorker, JobsWorked};

use crate::decision::Unavailable;
use crate::outbox::Event;

/// A kind of work.
///
/// Its serialised form stands in the store between steps, so it changes as a record does: members of later
/// versions get a default, and those that are not known are kept in an
/// [`Unknown`](crate::record::Unknown) member.
#[async_trait]
pub trait Job: Serialize + DeserializeOwned + Send + Sync + fmt::Debug + 'static {
    /// Its name in the store, such as `delete_client`; it stays the same for ever.
    const NAME: &'static str;

    /// Does the next step: a few hundred records at most. It may be done again if its outcome could not be
    /// written down, so what it does to the store directly must be harmless when repeated; everything else
    /// it returns as writes.
    ///
    /// # Errors
    /// [`Unavailable`] if a component fails; the step is done again later.
    async fn step(&mut self, site: &Site<'_>) -> Result<Step, Unavailable>;
}

/// Where a job works.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Site<'a> {
    /// For which tenant.
    pub tenant: TenantId,
    /// On what.
    pub store: &'a dyn Store,
    /// When the step began.
    pub now: Timestamp,
    /// Where the job's own record stands.
    pub key: &'a Key,
}

/// What a step comes to. Its writes are of the class `Main`, at most 200, and none is to the job's own
/// record; they are committed together with the job's progress, and only if nobody else has taken the job.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// There is more to do.
    More(Vec<MainWrite>),
    /// There is more to do, but not before this time has passed.
    Later(Duration),
    /// All is done.
    Done {
        /// The last writes.
        writes: Vec<MainWrite>,
        /// What is told of it.
        events: Vec<Event>,
    },
}
