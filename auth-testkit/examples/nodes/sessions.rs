//! [`Sessions`]: what a killed process has left at PostgreSQL.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

use super::Failure;

const PATIENCE: Duration = Duration::from_secs(30);

/// A look at the sessions of a server.
#[derive(Debug)]
pub(crate) struct Sessions(Client);

impl Sessions {
    /// Of the server at that URL.
    pub(crate) async fn at(url: &str) -> Result<Self, Failure> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self(client))
    }

    /// Waits until the server has ended every session of that name. What a killed process had sent is
    /// applied by then, or never will be: PostgreSQL finishes a commit that nobody waits for.
    pub(crate) async fn ended(&self, name: &str) -> Result<(), Failure> {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let left: i64 = self.0.query_one(count, &[&name]).await?.get(0);
            if left == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err(format!("PostgreSQL has sessions of {name} after {PATIENCE:?}").into())
    }
}
