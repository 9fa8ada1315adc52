//! [`Program`]: where the programs of the servers are.

use std::path::{Path, PathBuf};

use crate::error::StartError;

/// A program that a server is made of.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the tasks list more of them")]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Debian's package.
    pub package: &'static str,
    /// The variable that names its path, or the folder it is in.
    pub variable: &'static str,
}

impl Program {
    /// The server of PostgreSQL.
    pub const POSTGRES: Self =
        Self { name: "postgres", package: "postgresql", variable: "AUTH_TEST_POSTGRES" };
    /// What makes the data folder of PostgreSQL.
    pub const INITDB: Self =
        Self { name: "initdb", package: "postgresql", variable: "AUTH_TEST_POSTGRES" };
    /// The server of Redis.
    pub const REDIS: Self =
        Self { name: "redis-server", package: "redis-server", variable: "AUTH_TEST_REDIS_SERVER" };
    /// nginx.
    pub const NGINX: Self =
        Self { name: "nginx", package: "nginx-light", variable: "AUTH_TEST_NGINX" };
    /// PgBouncer.
    pub const PGBOUNCER: Self =
        Self { name: "pgbouncer", package: "pgbouncer", variable: "AUTH_TEST_PGBOUNCER" };

    /// Its path: what the variable says, else the first in Debian's folders and in the `PATH`.
    ///
    /// # Errors
    /// [`StartError::NoProgram`].
    pub fn find(self) -> Result<PathBuf, StartError> {
        let given = std::env::var_os(self.variable).map(PathBuf::from);
        let given = given.map(|path| if path.is_dir() { path.join(self.name) } else { path });
        given
            .into_iter()
            .chain(folders().into_iter().map(|folder| folder.join(self.name)))
            .find(|candidate| candidate.is_file())
            .ok_or(StartError::NoProgram { program: self.name, package: self.package })
    }
}

/// Where to look. PostgreSQL's own folders come first, newest version first, because its programs find each
/// other by their folder.
fn folders() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let mut folders: Vec<PathBuf> = versions.into_iter().rev().map(|(_, path)| path).collect();
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders
}

fn version(folder: &Path) -> Option<u32> {
    folder.file_name()?.to_str()?.parse().ok()
}
