//! The bare driver of each database.

use std::sync::Arc;

use testbed::{Backend, Database};

use crate::floor_postgres::PostgresFloor;
use crate::floor_sqlite::SqliteFloor;
use crate::scene::Failure;
use crate::served::floor::Driver;

/// One on the database that the provider uses.
pub(crate) async fn open(database: &Database) -> Result<Arc<dyn Driver>, Failure> {
    let spec = database.spec();
    Ok(match database.backend() {
        Backend::Sqlite => {
            let file = spec.strip_prefix("sqlite:").ok_or("no file")?;
            Arc::new(SqliteFloor::open(file)?)
        }
        Backend::Postgres | Backend::Tiered => {
            let spec = spec.strip_prefix("tiered:").unwrap_or(&spec);
            let postgres = spec.split(' ').next().unwrap_or(spec);
            Arc::new(PostgresFloor::open(postgres).await?)
        }
        other => return Err(format!("there is no floor for {}", other.name()).into()),
    })
}
