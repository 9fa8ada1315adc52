//! [`Backend`]: the kinds of database that the suites and proofs run on.

use super::Database;
use crate::component::skipped;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a table of backends is complete, or does not compile")]
pub enum Backend {
    /// In the memory of this process.
    Memory,
    /// A file.
    Sqlite,
    /// A schema of the database at `DATABASE_URL`.
    Postgres,
    /// A namespace of the server at `REDIS_URL`.
    Redis,
    /// A namespace of the cluster at `AUTH_TEST_REDIS_CLUSTER`.
    RedisCluster,
    /// What must last on PostgreSQL, what may be lost on Redis.
    Tiered,
}

impl Backend {
    /// Every one of them.
    pub const ALL: [Self; 6] =
        [Self::Memory, Self::Sqlite, Self::Postgres, Self::Redis, Self::RedisCluster, Self::Tiered];

    /// Its name in tables and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::RedisCluster => "redis-cluster",
            Self::Tiered => "tiered",
        }
    }

    /// The backend of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// A new, empty database; `None`, and a line in the list of what was left out, when the server is not
    /// there.
    ///
    /// # Panics
    /// If the server is there and refuses.
    pub async fn database(self) -> Option<Database> {
        if self.is_here() { Some(Database::new(self).await) } else { None }
    }

    /// Whether its servers are there; a line in the list of what was left out, when they are not.
    #[must_use]
    pub fn is_here(self) -> bool {
        let missing = self.variables().iter().find(|name| std::env::var_os(name).is_none());
        if let Some(variable) = missing {
            skipped(&format!("tests on {}", self.name()), &format!("{variable} is not set"));
            return false;
        }
        true
    }

    /// The variables that say where its servers are.
    #[must_use]
    pub fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Memory | Self::Sqlite => &[],
            Self::Postgres => &["DATABASE_URL"],
            Self::Redis => &["REDIS_URL"],
            Self::RedisCluster => &["AUTH_TEST_REDIS_CLUSTER"],
            Self::Tiered => &["DATABASE_URL", "REDIS_URL"],
        }
    }
}
