//! [`Keys`]: the signing keys of ours and the peer.

use std::path::PathBuf;
use std::process::Command;

use auth_core::Secret;
use auth_core::keys::SigningAlgorithm;

use crate::scene::Failure;
use crate::scene::folder::Folder;

/// One of each algorithm.
pub(crate) struct Keys {
    folder: Folder,
}

impl Keys {
    pub(crate) const ALGORITHMS: [SigningAlgorithm; 3] =
        [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];

    pub(crate) fn make() -> Result<Self, Failure> {
        let folder = Folder::new("bench")?;
        let mut command = Command::new(node()?);
        command.arg(directory().join("keys.mjs")).arg(folder.file(""));
        match command.status()?.success() {
            true => Ok(Self { folder }),
            false => Err("interop/peer/keys.mjs made no keys".into()),
        }
    }

    /// For ours.
    pub(crate) fn pem(&self, algorithm: SigningAlgorithm) -> Result<Secret, Failure> {
        let file = self.folder.file(&format!("{}.pem", algorithm.name()));
        Ok(Secret::new(std::fs::read_to_string(file)?))
    }

    /// For the peer.
    pub(crate) fn jwks(&self) -> PathBuf {
        self.folder.file("keys.json")
    }
}

/// The Node.js of the peer.
pub(crate) fn node() -> Result<PathBuf, Failure> {
    let node = std::env::var_os("AUTH_BENCH_PEER");
    let node =
        node.ok_or("AUTH_BENCH_PEER is not set: run `cargo xtask bench`, which installs the peer")?;
    Ok(node.into())
}

pub(crate) fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../interop/peer")
}
