//! [`PREVIOUS`]: the versions that this one must work beside during a rolling update.

use std::path::{Path, PathBuf};

/// An earlier version: its example `quickstart`, built from the repository's history.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a row of the table")]
pub struct Previous {
    /// Its commit.
    pub commit: &'static str,
    /// The names of the backends that its `quickstart` runs on. `sqlite` is the file
    /// `quickstart.db` in the working directory.
    pub backends: &'static [&'static str],
}

/// All of them, oldest first. A version that stores otherwise than the one before it gets a line.
pub const PREVIOUS: &[Previous] =
    &[Previous { commit: "72f06eaa8c3d0f30fc05ffd362f7beb5abf1e24d", backends: &["sqlite"] }];

impl Previous {
    /// Its program in the folder that `AUTH_TEST_PREVIOUS` names.
    #[must_use]
    pub fn program(&self, folder: &Path) -> PathBuf {
        folder.join(format!("quickstart-{}", self.commit))
    }
}
