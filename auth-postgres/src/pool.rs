//! [`Connections`]: two pools, and how a statement is sent through one of them.

use std::time::Duration;

use auth_store::within;
use deadpool_postgres::{
    BuildError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Failure;

/// A statement with the types of its parameters, which spares asking the server for them.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) types: &'static [Type],
}

/// The values of a statement's parameters.
pub(crate) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How connections are made and used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) statement: Duration,
    /// Whether statements stay prepared.
    pub(crate) cache: bool,
}

/// Connections for one purpose.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    pool: Pool,
    limits: Limits,
}

impl Connections {
    pub(crate) fn new(
        mut config: Config,
        tls: Option<MakeRustlsConnect>,
        most: usize,
        limits: Limits,
    ) -> Result<Self, BuildError> {
        config.connect_timeout(limits.connect);
        if limits.cache {
            // A pooler in between would refuse options; there the limit is kept on this side alone.
            let millis = limits.statement.as_millis();
            let before = config.get_options().unwrap_or_default().to_owned();
            config.options(format!("{before} -c statement_timeout={millis}").trim_start());
        }
        if config.get_application_name().is_none() {
            config.application_name("auth-postgres");
        }
        let manage = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match tls {
            Some(tls) => Manager::from_config(config, tls, manage),
            None => Manager::from_config(config, NoTls, manage),
        };
        let wait = Some(limits.connect);
        let builder = Pool::builder(manager)
            .max_size(most)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait, create: wait, recycle: wait });
        builder.build().map(|pool| Self { pool, limits })
    }

    /// A connection of its own, to be given back by dropping it.
    pub(crate) async fn get(&self) -> Result<Object, deadpool_postgres::PoolError> {
        self.pool.get().await
    }

    /// Sends a statement and collects its rows: one round trip, once it is prepared.
    pub(crate) async fn query(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let connection = self.get().await.map_err(|error| Failure::NotSent(error.into()))?;
        self.within(connection, async |connection| {
            self.send(connection, statement, parameters).await
        })
        .await
    }

    /// The same as [`query`](Self::query) for a read: it is sent once more if the connection turns out
    /// to have ended while it lay idle.
    pub(crate) async fn read(
        &self,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        match self.query(statement, parameters).await {
            Err(Failure::Lost(_)) => self.query(statement, parameters).await,
            answer => answer,
        }
    }

    /// Sends several reads at once: one round trip.
    pub(crate) async fn read_all(
        &self,
        reads: &[(&Statement, Vec<&(dyn ToSql + Sync)>)],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        match self.try_all(reads).await {
            Err(Failure::Lost(_)) => self.try_all(reads).await,
            answer => answer,
        }
    }

    async fn try_all(
        &self,
        reads: &[(&Statement, Vec<&(dyn ToSql + Sync)>)],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let connection = self.get().await.map_err(|error| Failure::NotSent(error.into()))?;
        self.within(connection, async |connection| {
            let sent = reads
                .iter()
                .map(|(statement, parameters)| self.send(connection, statement, parameters));
            futures_util::future::try_join_all(sent).await
        })
        .await
    }

    async fn send(
        &self,
        connection: &Object,
        statement: &Statement,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failure> {
        if !self.limits.cache {
            let typed: Vec<_> =
                parameters.iter().copied().zip(statement.types.iter().cloned()).collect();
            return Ok(connection.query_typed(&statement.text, &typed).await?);
        }
        let prepared =
            connection.prepare_typed_cached(&statement.text, statement.types).await.map_err(
                // Nothing is applied by preparing it.
                |error| Failure::NotSent(error.into()),
            )?;
        Ok(connection.query(&prepared, parameters).await?)
    }

    /// Bounds the time of `work`, and closes the connection if it was not enough: what is still running
    /// on it would hold up the next statement.
    async fn within<T>(
        &self,
        connection: Object,
        work: impl AsyncFnOnce(&Object) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // The server gives up first, so that its answer is known.
        let limit = self.limits.statement + self.limits.statement / 4;
        match within(limit, work(&connection)).await {
            Ok(answer) => answer,
            Err(elapsed) => {
                drop(Object::take(connection));
                Err(Failure::Lost(elapsed.into()))
            }
        }
    }
}
