//! [`Database`]: one database and the handles on it.

use std::sync::Arc;

use auth_store::{Archive, MemoryStore, Store};

use super::namespace::Namespace;
use super::schema::Schema;
use super::spec::TIERED;
use super::{Backend, open_archive};
use crate::folder::Folder;

/// A database of its own, which goes with the value.
#[derive(Debug)]
pub struct Database {
    backend: Backend,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Arc<MemoryStore>),
    Sqlite(Folder),
    Postgres(Schema),
    Redis(Namespace),
    Tiered(Schema, Namespace),
}

impl Database {
    #[expect(clippy::expect_used, reason = "a test has no use for a database that refuses")]
    pub(super) async fn new(backend: Backend) -> Self {
        let at = |variable: &str| std::env::var(variable).expect("the URL of the server");
        let place = match backend {
            Backend::Memory => Place::Memory(Arc::new(MemoryStore::new())),
            Backend::Sqlite => Place::Sqlite(Folder::new().expect("a temporary folder")),
            Backend::Postgres => Place::Postgres(Schema::new(at("DATABASE_URL")).await),
            Backend::Redis => Place::Redis(Namespace::new(at("REDIS_URL"))),
            Backend::RedisCluster => Place::Redis(Namespace::new(at("AUTH_TEST_REDIS_CLUSTER"))),
            Backend::Tiered => Place::Tiered(
                Schema::new(at("DATABASE_URL")).await,
                Namespace::new(at("REDIS_URL")),
            ),
        };
        Self { backend, place }
    }

    /// What kind of database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// A handle on it; once more gives a second one, as another process would have.
    ///
    /// # Panics
    /// If the database refuses.
    pub async fn open(&self) -> Arc<dyn Store> {
        self.archive().await
    }

    /// A handle on it by which it can be copied.
    ///
    /// # Panics
    /// If the database refuses.
    #[expect(clippy::panic, reason = "a test has no use for a database that refuses")]
    pub async fn archive(&self) -> Arc<dyn Archive> {
        if let Place::Memory(store) = &self.place {
            return store.clone();
        }
        match open_archive(&self.spec()).await {
            Ok(archive) => archive,
            Err(error) => panic!("no handle on {}: {error:?}", self.backend.name()),
        }
    }

    /// Where it is, in a text by which another process opens it.
    #[must_use]
    pub fn spec(&self) -> String {
        match &self.place {
            Place::Memory(_) => "memory".to_owned(),
            Place::Sqlite(folder) => format!("sqlite:{}", folder.file("auth.db").display()),
            Place::Postgres(schema) => schema.spec(),
            Place::Redis(namespace) => namespace.spec(),
            Place::Tiered(main, side) => format!("{TIERED}{} {}", main.spec(), side.spec()),
        }
    }
}
