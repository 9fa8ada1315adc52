//! [`Handle`]: the form of every opaque value that we hand out.

use std::fmt;

use auth_store::{TenantId, Timestamp};
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

/// How a tenant's values are made and found, from its first one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandleForm {
    /// Found by a digest alone.
    Digest,
    /// Found by the time at which it was made and a digest, so that what is made together stands together. The
    /// time travels inside the value, sealed after the lineage.
    TimeAndDigest,
}

impl HandleForm {
    /// The form by its number.
    pub(super) const fn of(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Digest),
            2 => Some(Self::TimeAndDigest),
            _ => None,
        }
    }

    /// By which the store knows it.
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Digest => 1,
            Self::TimeAndDigest => 2,
        }
    }

    /// Bytes of time: milliseconds.
    const TIME_LEN: usize = 6;

    const fn time_len(self) -> usize {
        match self {
            Self::Digest => 0,
            Self::TimeAndDigest => Self::TIME_LEN,
        }
    }

    fn time(self, now: Timestamp) -> Option<[u8; Self::TIME_LEN]> {
        let [_, _, time @ ..] = now.as_millis().to_be_bytes();
        matches!(self, Self::TimeAndDigest).then_some(time)
    }

    /// Of a value, in bytes.
    const fn raw_len(self) -> usize {
        1 + SECRET_LEN + Lineage::LEN + self.time_len() + TAG_LEN
    }
}

/// An opaque value, taken apart: prefix ‖ key id ‖ 256-bit secret ‖ sealed lineage and time with their tag.
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
/// Of the longest form.
const MAX_RAW_LEN: usize = HandleForm::TimeAndDigest.raw_len();

impl Handle {
    /// Makes a value at `now`, and what is kept of it.
    #[must_use]
    pub fn mint(
        keys: &DataKeys,
        rng: &mut Rng,
        artefact: Artefact,
        tenant: TenantId,
        now: Timestamp,
        lineage: Lineage,
    ) -> (Secret, Self) {
        let form = keys.handle_form;
        let time = form.time(now);
        let secret: [u8; SECRET_LEN] = rng.bytes();
        let mut raw = Vec::with_capacity(form.raw_len());
        raw.push(keys.id());
        raw.extend_from_slice(&secret);
        let aad = aad(artefact, tenant, &raw);
        let mut sealed = [0; Lineage::LEN + HandleForm::TIME_LEN];
        sealed[..Lineage::LEN].copy_from_slice(&lineage.encode());
        sealed[Lineage::LEN..].copy_from_slice(&time.unwrap_or_default());
        let sealed = &sealed[..Lineage::LEN + form.time_len()];
        keys.handle.seal_onto(&mut raw, nonce(&secret), &aad, sealed);
        let digest = HandleDigest::of(artefact, tenant, &raw).at(time);
        let mut text = String::with_capacity(3 + raw.len().div_ceil(3) * 4);
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
        let len = keys.handle_form.raw_len();
        let mut raw = [0; MAX_RAW_LEN];
        if encoded.len() > len.div_ceil(3) * 4
            || URL_SAFE_NO_PAD.decode_slice(encoded, &mut raw).ok()? != len
            || raw[0] != keys.id()
        {
            return None;
        }
        let raw = &mut raw[..len];
        let digest = HandleDigest::of(artefact, tenant, raw);
        let (head, sealed) = raw.split_at_mut(1 + SECRET_LEN);
        let secret: [u8; SECRET_LEN] = head[1..].try_into().ok()?;
        let opened = keys.handle.open(nonce(&secret), &aad(artefact, tenant, head), sealed).ok()?;
        let (lineage, time) = opened.split_at_checked(Lineage::LEN)?;
        // The length was that of the form, so the time is whole or not there.
        let digest = digest.at(time.try_into().ok());
        Some(Self { lineage: Lineage::decode(lineage)?, digest })
    }
}

/// The secret is random, so its first 96 bits repeat with a probability that is negligible for as many
/// values as one tenant makes. A decision that runs again without a conflict makes the same value again.
fn nonce(secret: &[u8; SECRET_LEN]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&secret[..12]);
    nonce
}

fn aad(artefact: Artefact, tenant: TenantId, head: &[u8]) -> Vec<u8> {
    [artefact.prefix().as_bytes(), tenant.as_str().as_bytes(), &[0], head].concat()
}

/// What a value is known by in the store: SHA-256 of it under its label and tenant. In the form with the time: the 48
/// bits of the time, then the first 208 bits of that hash.
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

    /// The same after a time, in as many bytes.
    fn at(self, time: Option<[u8; HandleForm::TIME_LEN]>) -> Self {
        let Some(time) = time else { return self };
        let mut bytes = self.0;
        bytes.copy_within(..32 - HandleForm::TIME_LEN, HandleForm::TIME_LEN);
        bytes[..HandleForm::TIME_LEN].copy_from_slice(&time);
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

#[cfg(test)]
mod tests {
    use auth_store::{TenantId, Timestamp};

    use super::{Artefact, Handle, HandleForm, Lineage};
    use crate::decision::Rng;
    use crate::seal::data_keys::DataKeys;

    const FORMS: [HandleForm; 2] = [HandleForm::Digest, HandleForm::TimeAndDigest];

    fn keys(form: HandleForm) -> DataKeys {
        DataKeys::from_root(&[9; 32], form)
    }

    fn mint(form: HandleForm, rng: &mut Rng, millis: u64) -> (String, Handle) {
        let now = Timestamp::from_millis(millis).unwrap();
        let lineage = Lineage { generation: 7, ..Lineage::default() };
        let artefact = Artefact::AccessToken;
        let (text, handle) =
            Handle::mint(&keys(form), rng, artefact, TenantId::DEFAULT, now, lineage);
        (text.expose().to_owned(), handle)
    }

    fn parse(form: HandleForm, text: &str) -> Option<Handle> {
        Handle::parse(&keys(form), Artefact::AccessToken, TenantId::DEFAULT, text)
    }

    #[test]
    fn a_value_is_of_the_form_of_its_tenant() {
        let mut rng = Rng::from_seed(&[3; 32]);
        for form in FORMS {
            let (text, made) = mint(form, &mut rng, 1_800_000_000_000);
            assert_eq!(parse(form, &text), Some(made));
            for other in FORMS.into_iter().filter(|other| *other != form) {
                assert_eq!(parse(other, &text), None);
            }
            assert_eq!(HandleForm::of(form.number()), Some(form));
        }
        assert_eq!(HandleForm::of(3), None);
    }

    /// Versions that know this form alone read what is made by it.
    #[test]
    fn the_first_form_stays_as_it_is() {
        let mut rng = Rng::from_seed(&[3; 32]);
        let (text, made) = mint(HandleForm::Digest, &mut rng, 1_800_000_000_000);
        assert_eq!(
            text,
            "at_ASIbS_IALiwrI1NoEFRCegt76HNMDJIfq323VV-p5cX_QBE73KDDAQTWNcWtikaw-5JnxE3vzaoS\
             Alk4I8nspRBV49KkTCZjqO38nAHj2hJhY1Qc0GIxyJXVBUpsqQQKuRuWd_EB-oHYOsimfEDzkTq96Vp9"
        );
        assert_eq!(made.digest.to_string(), "lV5XcMHG48Q3eKB6k1vLGd2EU1APhrs-C5xeaSybVfs");
    }

    #[test]
    fn what_is_made_later_is_found_after_what_was_made_before() {
        let mut rng = Rng::from_seed(&[3; 32]);
        let millis = 1_800_000_000_000;
        let mut digests = Vec::new();
        for later in 0..100 {
            let (_, handle) = mint(HandleForm::TimeAndDigest, &mut rng, millis + later);
            digests.push(*handle.digest.as_bytes());
        }
        assert!(digests.is_sorted());
        // Those of one moment differ all the same, and nothing but the time is alike.
        assert_eq!(digests[0][..6], millis.to_be_bytes()[2..]);
        let [one, other] =
            [0, 0].map(|_| mint(HandleForm::TimeAndDigest, &mut rng, millis).1.digest);
        assert_eq!(one.as_bytes()[..6], other.as_bytes()[..6]);
        assert_ne!(one.as_bytes()[6..12], other.as_bytes()[6..12]);
    }
}
