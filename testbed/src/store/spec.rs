//! [`open`]: a handle on a database that a text names.

use std::sync::Arc;
use std::time::Duration;

use auth_postgres::PostgresOptions;
use auth_redis::RedisOptions;
use auth_sqlite::SqliteStore;
use auth_store::{Archive, Store, Tiered};

/// Before the two databases of a tiered one, between which stands a space.
pub(super) const TIERED: &str = "tiered:";

/// Opens the database that `spec` names.
///
/// On PostgreSQL a handle has two connections for commits and two for reads, because a suite opens many;
/// `&connections=8` gives it 8 of each. Servers that may lose what they acknowledged, and ones elsewhere that
/// are reached without encryption, are permitted: tests hold nothing that matters.
///
/// # Errors
/// See [`OpenError`].
pub async fn open(spec: &str) -> Result<Arc<dyn Store>, OpenError> {
    open_archive(spec).await.map(|archive| archive as Arc<dyn Store>)
}

/// The same, to be copied.
///
/// # Errors
/// See [`OpenError`].
pub async fn open_archive(spec: &str) -> Result<Arc<dyn Archive>, OpenError> {
    if let Some((main, side)) = spec.strip_prefix(TIERED).and_then(|both| both.split_once(' ')) {
        let main: Arc<dyn Archive> =
            Arc::new(postgres(main)?.connect().await.map_err(OpenError::refused)?);
        let side = redis(side)?.side_only();
        let side: Arc<dyn Archive> = Arc::new(side.connect().await.map_err(OpenError::refused)?);
        return Ok(Arc::new(Tiered::shared(main, side)));
    }
    if let Some(file) = spec.strip_prefix("sqlite:") {
        return Ok(Arc::new(SqliteStore::open(file).map_err(OpenError::refused)?));
    }
    if spec.starts_with("postgres://") || spec.starts_with("postgresql://") {
        let options = postgres(spec)?;
        return Ok(Arc::new(options.connect().await.map_err(OpenError::refused)?));
    }
    if spec.starts_with("redis://") || spec.starts_with("rediss://") {
        let options = redis(spec)?.insecure_volatile_store();
        return Ok(Arc::new(options.connect().await.map_err(OpenError::refused)?));
    }
    Err(OpenError::Unreadable(spec.to_owned()))
}

/// One URL, or several of a cluster, and the namespace.
fn redis(spec: &str) -> Result<RedisOptions, OpenError> {
    let parts = spec.rsplit_once('#');
    let (urls, namespace) = parts.ok_or_else(|| OpenError::Unreadable(spec.to_owned()))?;
    Ok(RedisOptions::from_urls(urls.split(','))
        .map_err(OpenError::refused)?
        .namespace(namespace)
        .connect_timeout(PATIENCE)
        .response_timeout(PATIENCE)
        .insecure_plaintext())
}

/// Longer than a service would wait: tests share a machine with compilers.
const PATIENCE: Duration = Duration::from_secs(30);

/// A URL with parameters of ours, which the server must not see.
fn postgres(spec: &str) -> Result<PostgresOptions, OpenError> {
    let (address, parameters) = spec.split_once('?').unwrap_or((spec, ""));
    let (mut schema, mut connections, mut rest) = (None, 2, Vec::new());
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("schema", name)) => schema = Some(name.to_owned()),
            Some(("connections", count)) => {
                connections = count.parse().map_err(|_| OpenError::Unreadable(spec.to_owned()))?;
            }
            _ => rest.push(parameter),
        }
    }
    let schema = schema.ok_or_else(|| OpenError::Unreadable(spec.to_owned()))?;
    let separator = if rest.is_empty() { "" } else { "?" };
    let url = format!("{address}{separator}{}", rest.join("&"));
    Ok(PostgresOptions::from_url(&url)
        .map_err(OpenError::refused)?
        .schema(schema)
        .connections(connections, connections)
        .connect_timeout(PATIENCE)
        .statement_timeout(PATIENCE)
        .insecure_plaintext()
        .insecure_volatile_store())
}

/// Why there is no handle on a database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The text names no database that another process can reach.
    #[error(
        "`{0}` names no database: write sqlite:FILE, postgres://…?schema=NAME, redis://…#NAMESPACE, \
         redis://…,redis://…#NAMESPACE (a cluster) or `tiered:postgres://… redis://…`"
    )]
    Unreadable(String),
    /// The database refused.
    #[error("the database refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl OpenError {
    pub(super) fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Refused(Box::new(error))
    }
}
