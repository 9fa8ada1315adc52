//! [`Sha256`]: the digest of an archive's records.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};

/// The SHA-256 over every record line of an archive, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    pub(super) fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Counts and digests record lines.
#[derive(Clone)]
pub(super) struct Tally {
    digest: Context,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { digest: Context::new(&SHA256), records: 0, bytes: 0 }
    }

    /// Adds a line, with its newline.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.digest.update(line);
        self.records += 1;
        self.bytes += line.len() as u64;
    }

    pub(super) fn sha256(&self) -> Sha256 {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.digest.clone().finish().as_ref());
        Sha256(bytes)
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tally({} records, {} bytes)", self.records, self.bytes)
    }
}
