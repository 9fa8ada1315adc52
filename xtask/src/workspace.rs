//! [`Workspace`]: where the repository and its build directory are.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::metadata::Metadata;

/// The repository that the task works on.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    metadata: Metadata,
}

impl Workspace {
    /// The workspace that this program was built from.
    pub(crate) fn open() -> Outcome<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or_else(|| Failure::new("xtask must lie in a directory of the workspace"))?
            .to_owned();
        let metadata = Metadata::read(&root)?;
        Ok(Self { root, metadata })
    }

    /// The directory of the workspace's Cargo.toml.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> &Path {
        &self.metadata.target_directory
    }

    /// The packages and how they depend on each other, with all features.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// `path` as it is written from the root, for messages.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}
