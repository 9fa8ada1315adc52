//! [`PREVIOUS`]: the versions that this one must work beside during a rolling update.

use std::path::{Path, PathBuf};

/// An earlier version: one of its examples, built from the repository's history.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a row of the table")]
pub struct Previous {
    /// Its commit.
    pub commit: &'static str,
    /// The example, which is a package and a program of this name. It listens on `PORT`.
    pub example: &'static str,
    /// The newest form of data keys that it knows: it stays away from tenants of a newer one.
    pub data_keys: u32,
    /// Whether it tells clients of a logout.
    pub tells_logouts: bool,
    /// The names of the backends that it is run on: `sqlite` is the file `quickstart.db` in the working
    /// directory, `postgres` is what `DATABASE_URL` names, `tiered` is that with what `REDIS_URL` names.
    pub backends: &'static [&'static str],
}

/// All of them, oldest first. The first that has a backend gets a line, and each that stores otherwise
/// than the one before it.
pub const PREVIOUS: &[Previous] = &[
    Previous {
        commit: "72f06eaa8c3d0f30fc05ffd362f7beb5abf1e24d",
        example: "quickstart",
        data_keys: 1,
        tells_logouts: false,
        backends: &["sqlite"],
    },
    Previous {
        commit: "dc2c0b72a21bf92a5475b928bc2104c5e2072895",
        example: "replicas",
        data_keys: 1,
        tells_logouts: false,
        backends: &["postgres", "tiered"],
    },
    Previous {
        commit: "6474c73898c37e5f204f079250dacd1eb2e9a581",
        example: "quickstart",
        data_keys: Previous::DATA_KEYS,
        tells_logouts: true,
        backends: &["sqlite"],
    },
    Previous {
        commit: "6474c73898c37e5f204f079250dacd1eb2e9a581",
        example: "replicas",
        data_keys: Previous::DATA_KEYS,
        tells_logouts: true,
        backends: &["postgres", "tiered"],
    },
];

impl Previous {
    /// The form of the data keys that this version makes.
    pub const DATA_KEYS: u32 = 2;

    /// Its program in the folder that `AUTH_TEST_PREVIOUS` names.
    #[must_use]
    pub fn program(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-{}", self.example, self.commit))
    }
}
