//! [`Handle`]: the form of every opaque value that we hand out.

use std::fmt;

use auth_store::TenantId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

use crate::decision::Rng;
use crate::id::{GrantId, SessionId};
use crate::record::Tag;
use crate::seal::data_keys::DataKeys;
use crate::secret::Secret;

/// What an opaque value is. Each has a prefix of its own, for people and secret scanners, and is never
/// accepted as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Artefact {
    /// An authorization code (RFC 6749 §1.3.1).
    AuthorizationCode,
    /// An access token (RFC 6749 §1.4).
    AccessToken,
    /// A refresh token (RFC 6749 §1.5).
    RefreshToken,
    /// The cookie of a login session.
    Session,
}

impl Artefact {
    const fn prefix(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "ac_",
            Self::AccessToken => "at_",
            Self::RefreshToken => "rt_",
            Self::Session => "se_",
        }
    }
}

/// What an opaque value descends from. It travels inside the value, sealed, so that the value's record
/// and all that it depends on are read in one round trip, and nobody else can tell whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lineage {
    /// The grant, if there is one.
    pub grant: Option<GrantId>,
    /// The login session, if it ends with one.
    pub session: Option<SessionId>,
    /// The subject's shadow.
    pub subject: Option<Tag>,
    /// The client's shadow.
    pub client: Option<Tag>,
    /// The generation in a refresh family.
    pub generation: u32,
}

impl Lineage {
    const LEN: usize = 4 * 16 + 4;

    fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let parts = [
            self.grant.map(|id| *id.as_bytes()),
            self.session.map(|id| *id.as_bytes()),
            self.subject.map(|tag| *tag.as_bytes()),
            self.client.map(|tag| *tag.as_bytes()),
        ];
        for (place, part) in bytes.chunks_exact_mut(16).zip(parts) {
            // Sixteen zero bytes stand for nothing; identifiers, of which 80 bits are random or more, do not have them.
            place.copy_from_slice(&part.unwrap_or_default());
        }
        bytes[64..].copy_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (parts, generation) = bytes.split_first_chunk::<64>()?;
        let mut parts = parts.chunks_exact(16).map(|part| {
            let part: [u8; 16] = part.try_into().ok()?;
            (part != [0; 16]).then_some(part)
        });
        Some(Self {
            grant: parts.next()?.map(GrantId::from_bytes),
            session: parts.next()?.map(SessionId::from_bytes),
            subject: parts.next()?.map(Tag::from_bytes),
            client: parts.next()?.map(Tag::from_bytes),
            generation: u32::from_be_bytes(generation.try_into().ok()?),
        })
    }
}

/// An opaque value, taken apart: prefix ‖ key id ‖ 256-bit secret ‖ sealed lineage with its tag.
///
/// The tag covers everything, so that a forgery costs no read, and the secret is stored as a digest
/// only, so that the store's contents cannot be turned into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handle {
    /// What it descends from.
    pub lineage: Lineage,
    /// By which it is found in the store.
    pub digest: HandleDigest,
}

const SECRET_LEN: usize = 32;
const TAG_LEN: usize = 16;
const RAW_LEN: usize = 1 + SECRET_LEN + Lineage::LEN + TAG_LEN;

impl Handle {
    /// Makes a value and what is kept of it.
    #[must_use]
    pub fn mint(
        keys: &DataKeys,
        rng: &mut Rng,
        artefact: Artefact,
        tenant: TenantId,
        lineage: Lineage,
    ) -> (Secret, Self) {
        let secret: [u8; SECRET_LEN] = rng.bytes();
        let mut raw = Vec::with_capacity(RAW_LEN);
        raw.push(keys.id());
        raw.extend_from_slice(&secret);
        let aad = aad(artefact, tenant, &raw);
        keys.handle.seal_onto(&mut raw, nonce(&secret), &aad, &lineage.encode());
        let digest = HandleDigest::of(artefact, tenant, &raw);
        let mut text = String::with_capacity(3 + RAW_LEN.div_ceil(3) * 4);
        text.push_str(artefact.prefix());
        URL_SAFE_NO_PAD.encode_string(&raw, &mut text);
        (Secret::new(text), Self { lineage, digest })
    }

    /// Takes a value apart; `None` if it is not an `artefact` of this tenant that we made.
    #[must_use]
    pub fn parse(
        keys: &DataKeys,
        artefact: Artefact,
        tenant: TenantId,
        text: &str,
    ) -> Option<Self> {
        let encoded = text.strip_prefix(artefact.prefix())?;
        let mut raw = [0; RAW_LEN];
        if encoded.len() > RAW_LEN.div_ceil(3) * 4
            || URL_SAFE_NO_PAD.decode_slice(encoded, &mut raw).ok()? != RAW_LEN
            || raw[0] != keys.id()
        {
            return None;
        }
        let digest = HandleDigest::of(artefact, tenant, &raw);
        let (head, sealed) = raw.split_at_mut(1 + SECRET_LEN);
        let secret: [u8; SECRET_LEN] = head[1..].try_into().ok()?;
        let opened = keys.handle.open(nonce(&secret), &aad(artefact, tenant, head), sealed).ok()?;
        Some(Self { lineage: Lineage::decode(opened)?, digest })
    }
}

/// The secret is random, so its first 96 bits repeat with a probability that is negligible for as many
/// values as one tenant makes.
fn nonce(secret: &[u8; SECRET_LEN]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&secret[..12]);
    nonce
}

fn aad(artefact: Artefact, tenant: TenantId, head: &[u8]) -> Vec<u8> {
    [artefact.prefix().as_bytes(), tenant.as_str().as_bytes(), &[0], head].concat()
}

/// SHA-256 of an opaque value under its label and tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandleDigest([u8; 32]);

impl HandleDigest {
    fn of(artefact: Artefact, tenant: TenantId, raw: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [artefact.prefix().as_bytes(), tenant.as_str().as_bytes(), &[0], raw] {
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for HandleDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for HandleDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandleDigest({self})")
    }
}
