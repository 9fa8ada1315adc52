//! [`ByRelation`]: the index entries by which a client's and a subject's records are found.

use auth_core::store::{IndexEntry, ScanRange};
use ring::digest;

/// An index of records by the client or subject that they belong to. An entry holds a digest of 128 bits, so
/// that an identifier of any length fits; a record of another identifier with the same digest does not occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByRelation(&'static str);

impl ByRelation {
    pub(crate) const GRANTS_OF_CLIENT: Self = Self("grant_by_client");
    pub(crate) const GRANTS_OF_SUBJECT: Self = Self("grant_by_subject");
    pub(crate) const CODES_OF_CLIENT: Self = Self("code_by_client");
    pub(crate) const CODES_OF_SUBJECT: Self = Self("code_by_subject");
    pub(crate) const CONSENTS_OF_CLIENT: Self = Self("consent_by_client");
    pub(crate) const SESSIONS_OF_SUBJECT: Self = Self("session_by_subject");

    /// The entry of a record that belongs to `id`.
    pub(crate) fn entry(self, id: &str) -> IndexEntry {
        IndexEntry::new(self.0, name(id))
    }

    /// Where the records of `id` stand.
    pub(crate) fn range(self, id: &str) -> ScanRange {
        let start = name(id);
        // The first bytes after those.
        let end: Box<[u8]> = [&start[..], &[0]].concat().into();
        ScanRange::Index { name: self.0, start: start.into(), end }
    }
}

fn name(id: &str) -> [u8; 16] {
    let mut name = [0; 16];
    name.copy_from_slice(&digest::digest(&digest::SHA256, id.as_bytes()).as_ref()[..16]);
    name
}
