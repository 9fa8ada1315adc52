//! A new, empty database on a backend, opened as an archive.

use std::sync::Arc;

use auth_core::store::Archive;
use testbed::{Backend, Database};

use super::Failure;

/// Opens a new database, which goes with the first value.
pub(crate) async fn new(backend: Backend) -> Result<(Database, Arc<dyn Archive>), Failure> {
    let database = backend.database().await.ok_or_else(|| {
        format!("{} is not here: set {}", backend.name(), backend.variables().join(" and "))
    })?;
    let archive = database.archive().await;
    Ok((database, archive))
}
