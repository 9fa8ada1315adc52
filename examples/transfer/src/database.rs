//! [`Address`]: a database as it is named on the command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use auth_core::store::{Archive, Tiered};
use auth_postgres::PostgresOptions;
use auth_redis::RedisOptions;
use auth_sqlite::SqliteStore;

/// Where a database is.
#[derive(Clone)]
pub(crate) enum Address {
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `postgres://…`, with `schema=NAME` among its parameters if it is not the default.
    Postgres { url: String, schema: Option<String> },
    /// `redis://…#NAMESPACE`
    Redis { url: String, namespace: Option<String>, side_only: bool },
    /// One for the records of class Main, and after a comma a Redis for those of class Side.
    Tiered { main: Box<Self>, side: Box<Self> },
}

/// The text names no database. It is not shown: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error(
    "write sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE?schema=NAME, redis://HOST#NAMESPACE, or one of \
     the first two with a Redis for its Side: postgres://…,redis://…"
)]
pub(crate) struct UnknownAddress;

/// A database could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOpened {
    #[error("there is no database {}: correct its path", .0.display())]
    Missing(PathBuf),
    #[error(transparent)]
    Sqlite(#[from] auth_sqlite::OpenError),
    #[error(transparent)]
    Postgres(#[from] auth_postgres::OpenError),
    #[error(transparent)]
    Redis(#[from] auth_redis::OpenError),
}

impl FromStr for Address {
    type Err = UnknownAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tiered = [",redis:", ",rediss:"].into_iter().find_map(|side| text.find(side));
        if let Some(comma) = tiered.filter(|_| !text.starts_with("redis")) {
            let main = Box::new(text[..comma].parse()?);
            let side = match text[comma + 1..].parse()? {
                Self::Redis { url, namespace, .. } => {
                    Self::Redis { url, namespace, side_only: true }
                }
                _ => return Err(UnknownAddress),
            };
            return Ok(Self::Tiered { main, side: Box::new(side) });
        }
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => Ok(postgres(text)),
            Some(("redis" | "rediss", _)) => Ok(match text.split_once('#') {
                Some((url, name)) => Self::Redis {
                    url: url.to_owned(),
                    namespace: Some(name.to_owned()),
                    side_only: false,
                },
                None => Self::Redis { url: text.to_owned(), namespace: None, side_only: false },
            }),
            _ => Err(UnknownAddress),
        }
    }
}

/// Takes our parameter out of the URL: the server does not know it.
fn postgres(text: &str) -> Address {
    let (address, parameters) = text.split_once('?').unwrap_or((text, ""));
    let (ours, theirs): (Vec<&str>, Vec<&str>) = parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .partition(|parameter| parameter.starts_with("schema="));
    let schema = ours.first().and_then(|ours| ours.strip_prefix("schema=")).map(str::to_owned);
    let separator = if theirs.is_empty() { "" } else { "?" };
    Address::Postgres { url: format!("{address}{separator}{}", theirs.join("&")), schema }
}

impl Address {
    /// Opens the database, and makes it if need be.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Archive>, NotOpened> {
        self.opened(true).await
    }

    /// Opens a database that is there: one that is to be read is not to be made by a mistyped name.
    pub(crate) async fn open_existing(&self) -> Result<Arc<dyn Archive>, NotOpened> {
        match self {
            Self::Sqlite(path) if !path.exists() => Err(NotOpened::Missing(path.clone())),
            Self::Tiered { main, side } => {
                let main = Box::pin(main.open_existing()).await?;
                Ok(Arc::new(Tiered::shared(main, side.opened(false).await?)))
            }
            _ => self.opened(false).await,
        }
    }

    async fn opened(&self, make: bool) -> Result<Arc<dyn Archive>, NotOpened> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path)?),
            Self::Postgres { url, schema } => {
                let mut options = PostgresOptions::from_url(url)?.migrate(make);
                if let Some(schema) = schema {
                    options = options.schema(schema);
                }
                Arc::new(options.connect().await?)
            }
            Self::Redis { url, namespace, side_only } => {
                let mut options = RedisOptions::from_url(url)?;
                if *side_only {
                    options = options.side_only();
                }
                if let Some(namespace) = namespace {
                    options = options.namespace(namespace);
                }
                Arc::new(options.connect().await?)
            }
            Self::Tiered { main, side } => {
                let main = Box::pin(main.opened(make)).await?;
                Arc::new(Tiered::shared(main, Box::pin(side.opened(make)).await?))
            }
        })
    }
}

impl std::fmt::Debug for Address {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "Sqlite",
            Self::Postgres { .. } => "Postgres",
            Self::Redis { .. } => "Redis",
            Self::Tiered { .. } => "Tiered",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_taken_out_of_the_url() {
        let address: Address = "postgres://u:p@h/db?sslmode=require&schema=x&a=b".parse().unwrap();
        let Address::Postgres { url, schema } = &address else { panic!("{address:?}") };
        assert_eq!(url, "postgres://u:p@h/db?sslmode=require&a=b");
        assert_eq!(schema.as_deref(), Some("x"));
        assert!(!format!("{address:?}").contains("u:p"));
    }

    #[test]
    fn after_a_comma_stands_the_redis_of_the_side() {
        let address: Address = "postgres://a,b/db?schema=x,redis://c#n".parse().unwrap();
        let Address::Tiered { main, side } = &address else { panic!("{address:?}") };
        let Address::Postgres { url, .. } = &**main else { panic!("{main:?}") };
        assert_eq!(url, "postgres://a,b/db");
        let Address::Redis { url, namespace, side_only: true } = &**side else {
            panic!("{side:?}")
        };
        assert_eq!((url.as_str(), namespace.as_deref()), ("redis://c", Some("n")));
        assert!("mysql://h,redis://c".parse::<Address>().is_err());
        let cluster: Address = "redis://a,redis://b".parse().unwrap();
        assert!(matches!(cluster, Address::Redis { .. }), "the seeds of a cluster");
    }

    #[test]
    fn what_names_no_database_is_refused_without_being_shown() {
        assert!("sqlite:auth.db".parse::<Address>().is_ok());
        for other in ["", "sqlite:", "auth.db", "mysql://u:p@h"] {
            let refused = other.parse::<Address>().unwrap_err().to_string();
            assert!(!refused.contains("u:p@h"), "{refused}");
        }
    }
}
