//! What is stored of a client.

use auth_core::decision::Rng;
use auth_core::record::{Kind, TypedKey, Unknown};
use auth_core::seal::{DataKeys, Purpose};
use auth_core::store::Main;
use auth_core::{ClientId, Entropy, NoEntropy, Secret, TenantId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::client::Client;

/// A client as it stands in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClientRecord {
    #[serde(flatten)]
    pub(crate) client: Client,
    /// Its secrets, newest first; more than one only while an old one still works.
    #[serde(default)]
    pub(crate) secrets: Vec<StoredSecret>,
    #[serde(default)]
    pub(crate) disabled: bool,
    /// That of its shadow, so that issuing a token needs one record only.
    #[serde(default)]
    pub(crate) generation: u64,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl ClientRecord {
    pub(crate) fn at(id: &ClientId) -> TypedKey<Self> {
        Self::key(&[id.as_str().as_bytes()])
    }
}

impl Kind for ClientRecord {
    type Class = Main;
    const NAME: &'static str = "client";

    fn keep_until(&self) -> Option<Timestamp> {
        None
    }
}

/// A client secret at rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredSecret {
    pub(crate) hash: SecretAtRest,
    /// Until when an old secret works; `None` for the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SecretAtRest {
    /// Of 256 random bits: nothing can be guessed, so one hash suffices.
    Sha256(String),
    /// argon2id, in PHC form: of a secret that a person chose.
    Phc(String),
    /// The secret itself under the tenant's data key: who verifies a MAC must know it.
    Sealed(String),
}

const SEALED: Purpose = Purpose::new("client secret");

impl SecretAtRest {
    /// A secret that is needed again.
    pub(crate) fn seal(keys: &DataKeys, rng: &mut Rng, client: &ClientId, secret: &Secret) -> Self {
        Self::Sealed(keys.seal(rng, SEALED, &[client.as_str()], secret.expose().as_bytes()))
    }

    /// The secret, if it was sealed.
    pub(crate) fn open(&self, keys: &DataKeys, client: &ClientId) -> Option<Zeroizing<Vec<u8>>> {
        let Self::Sealed(sealed) = self else { return None };
        keys.open(SEALED, &[client.as_str()], sealed).ok().map(Zeroizing::new)
    }
}

impl ClientRecord {
    /// Whether it is enabled, and the one that was in this generation: a client that was deleted and registered
    /// anew under its identifier is another one.
    pub(crate) fn is_still(&self, generation: u64) -> bool {
        !self.disabled && self.generation == generation
    }

    /// Its secrets that work at `now`.
    pub(crate) fn live_secrets(&self, now: Timestamp) -> impl Iterator<Item = &SecretAtRest> {
        let live = move |stored: &&StoredSecret| stored.until.is_none_or(|until| now < until);
        self.secrets.iter().filter(live).map(|stored| &stored.hash)
    }
}

const PREFIX: &str = "cs_";

/// A new client secret of 256 random bits: `cs_` and 43 characters of base64url.
///
/// # Errors
/// [`NoEntropy`] if the source fails.
pub fn generate_client_secret(entropy: &dyn Entropy) -> Result<Secret, NoEntropy> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes)?;
    Ok(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

/// Whether a secret is one of ours, of 256 random bits.
pub(crate) fn is_generated(secret: &Secret) -> bool {
    let body = secret.expose().strip_prefix(PREFIX);
    body.is_some_and(|body| URL_SAFE_NO_PAD.decode(body).is_ok_and(|bytes| bytes.len() == 32))
}

/// The hash of a generated secret under its label, tenant and client.
pub(crate) fn sha256(tenant: TenantId, client: &ClientId, secret: &Secret) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in ["client secret", tenant.as_str(), client.as_str(), secret.expose()] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    URL_SAFE_NO_PAD.encode(context.finish().as_ref())
}
