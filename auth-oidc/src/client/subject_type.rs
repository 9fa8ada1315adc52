//! Which identifier of a person a client gets (OpenID Connect Core §8).

use std::borrow::Cow;
use std::fmt;

use auth_core::decision::Unavailable;
use auth_core::{Secret, Subject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::{Client, InvalidClient};

/// Which identifier of a person a client gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SubjectType {
    /// The directory's.
    #[default]
    Public,
    /// One that only clients of the same sector get, so that others cannot compare what they know of somebody.
    /// Its access tokens are opaque; a resource server that introspects them gets the directory's identifier.
    Pairwise,
}

impl SubjectType {
    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Pairwise => "pairwise",
        }
    }

    pub(crate) fn is_public(&self) -> bool {
        *self == Self::Public
    }
}

/// Makes the identifiers of clients that register [`SubjectType::Pairwise`].
///
/// They are the same for ever: keep the secret apart from those that are rotated, since with another one
/// everybody is somebody else to these clients.
#[derive(Clone)]
pub struct PairwiseSubjects(Method);

#[derive(Clone)]
enum Method {
    Hmac(hmac::Key),
    Hydra(Secret),
}

impl PairwiseSubjects {
    /// The fewest bytes of a secret.
    pub const MIN_SECRET: usize = 32;

    /// HMAC-SHA-256 of sector and subject by a secret of at least 32 random bytes.
    ///
    /// # Errors
    /// [`ShortSecret`].
    pub fn new(secret: &Secret) -> Result<Self, ShortSecret> {
        if secret.expose().len() < Self::MIN_SECRET {
            return Err(ShortSecret);
        }
        Ok(Self(Method::Hmac(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))))
    }

    /// Those that Ory Hydra makes with this `oidc.subject_identifiers.pairwise.salt`, for who comes from there:
    /// the hexadecimal SHA-256 of sector, subject and salt.
    #[must_use]
    pub fn of_hydra(salt: impl Into<Secret>) -> Self {
        Self(Method::Hydra(salt.into()))
    }

    fn identifier(&self, sector: &str, subject: &Subject) -> String {
        let subject = subject.as_str().as_bytes();
        match &self.0 {
            Method::Hmac(key) => {
                let mut context = hmac::Context::with_key(key);
                // No host has the byte between them.
                [sector.as_bytes(), &[0], subject].iter().for_each(|part| context.update(part));
                URL_SAFE_NO_PAD.encode(context.sign())
            }
            Method::Hydra(salt) => {
                let mut context = digest::Context::new(&digest::SHA256);
                let salt = salt.expose().as_bytes();
                [sector.as_bytes(), subject, salt].iter().for_each(|part| context.update(part));
                context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
            }
        }
    }

    /// The identifier by which `client` knows the subject.
    pub(crate) fn seen_by<'a>(
        pairwise: Option<&Self>,
        client: &Client,
        subject: &'a Subject,
    ) -> Result<Cow<'a, str>, Unavailable> {
        if client.subject_type.is_public() {
            return Ok(Cow::Borrowed(subject.as_str()));
        }
        match (pairwise, client.sector()) {
            (Some(pairwise), Some(sector)) => {
                Ok(Cow::Owned(pairwise.identifier(&sector, subject)))
            }
            // Registered at a process that is built otherwise.
            _ => Err(Unavailable::Defect(
                format!(
                    "the client `{}` has pairwise subjects, and this provider was built without them: add \
                     `.pairwise_subjects(…)`",
                    client.client_id
                )
                .into(),
            )),
        }
    }
}

impl fmt::Debug for PairwiseSubjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairwiseSubjects(…)")
    }
}

/// A secret whose identifiers could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of pairwise subjects has 32 bytes or more")]
#[non_exhaustive]
pub struct ShortSecret;

impl Client {
    /// Whom it shares the identifiers of people with: the host of its `sector_identifier_uri`, else the one of
    /// all of its redirect URIs (OpenID Connect Core §8.1).
    pub(crate) fn sector(&self) -> Option<String> {
        let host = |uri: &String| Url::parse(uri).ok()?.host_str().map(str::to_owned);
        if let Some(uri) = &self.sector_identifier_uri {
            return host(uri);
        }
        let mut hosts = self.redirect_uris.iter().map(host);
        let first = hosts.next()??;
        hosts.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// Asks whether the provider has the identifiers that it wants.
    pub(crate) fn check_subjects(
        &self,
        pairwise: Option<&PairwiseSubjects>,
    ) -> Result<(), InvalidClient> {
        if self.subject_type.is_public() || pairwise.is_some() {
            return Ok(());
        }
        let (client_id, member) = (self.client_id.to_string(), "subject_type");
        let reason = "the provider has no pairwise subjects: add \
                      `.pairwise_subjects(PairwiseSubjects::new(&secret)?)`";
        Err(InvalidClient::Metadata { client_id, member, reason })
    }

    /// Whether a document at its `sector_identifier_uri` names all of its redirect URIs (OpenID Connect Dynamic
    /// Client Registration §5).
    pub(crate) fn is_of_sector(&self, document: &[u8]) -> bool {
        let named: Vec<String> = serde_json::from_slice(document).unwrap_or_default();
        self.redirect_uris.iter().all(|uri| named.contains(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairwise() -> PairwiseSubjects {
        PairwiseSubjects::new(&"0123456789abcdef0123456789abcdef".into()).unwrap()
    }

    #[test]
    fn an_identifier_is_one_sectors_and_one_persons() {
        let [alice, bob] = ["alice", "bob"].map(Subject::from);
        let of = |sector, subject| pairwise().identifier(sector, subject);
        assert_eq!(of("app.example", &alice), of("app.example", &alice));
        assert_ne!(of("app.example", &alice), of("other.example", &alice));
        assert_ne!(of("app.example", &alice), of("app.example", &bob));
        assert!(!of("app.example", &alice).contains("alice"));
        assert_eq!(PairwiseSubjects::new(&"short".into()).unwrap_err(), ShortSecret);
    }

    #[test]
    fn identifiers_of_hydra_stay_as_they_were() {
        // printf 'app.examplealicesome-salt' | sha256sum
        let expected = "7690819414b40d61ecb4a7d0c4573d809ba58e24fae97b5decbc3c6cf30f4b68";
        let hydra = PairwiseSubjects::of_hydra("some-salt");
        assert_eq!(hydra.identifier("app.example", &Subject::from("alice")), expected);
    }

    #[test]
    fn the_sector_is_one_host() {
        let client = Client::public("app").redirect_uri("https://app.example/cb");
        assert_eq!(client.sector().as_deref(), Some("app.example"));
        let more = client.clone().redirect_uri("https://app.example:8443/cb2");
        assert_eq!(more.sector().as_deref(), Some("app.example"));
        assert_eq!(client.clone().redirect_uri("https://other.example/cb").sector(), None);
        assert_eq!(client.redirect_uri("com.example.app:/cb").sector(), None);
        assert_eq!(Client::public("none").sector(), None);
    }
}
