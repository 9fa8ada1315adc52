//! Which identifier of a person a client gets (OpenID Connect Core §8).

use std::borrow::Cow;
use std::fmt;

use auth_core::decision::Unavailable;
use auth_core::{Secret, SessionId, Subject};
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
pub struct PairwiseSubjects {
    key: hmac::Key,
    /// Of an Ory Hydra.
    salt: Option<Secret>,
}

impl PairwiseSubjects {
    /// The fewest bytes of a secret.
    pub const MIN_SECRET: usize = 32;
    /// The fewest bytes of a salt of Hydra's, as it demands.
    pub const MIN_SALT: usize = 8;

    /// HMAC-SHA-256 of sector and subject by a secret of at least 32 random bytes.
    ///
    /// # Errors
    /// [`ShortSecret`].
    pub fn new(secret: &Secret) -> Result<Self, ShortSecret> {
        Self::keyed(secret, Self::MIN_SECRET)
    }

    /// Those that Ory Hydra makes with this `oidc.subject_identifiers.pairwise.salt`, for who comes from there:
    /// the hexadecimal SHA-256 of sector, subject and salt, where the sector is the whole
    /// `sector_identifier_uri`, else host and port of the redirect URI.
    ///
    /// # Errors
    /// [`ShortSecret`] for fewer than 8 bytes.
    pub fn of_hydra(salt: &Secret) -> Result<Self, ShortSecret> {
        Ok(Self { salt: Some(salt.clone()), ..Self::keyed(salt, Self::MIN_SALT)? })
    }

    fn keyed(secret: &Secret, least: usize) -> Result<Self, ShortSecret> {
        let secret = secret.expose().as_bytes();
        if secret.len() < least {
            return Err(ShortSecret { least });
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), salt: None })
    }

    fn subject(&self, client: &Client, subject: &Subject) -> Option<String> {
        let Some(salt) = &self.salt else {
            return Some(self.mac(&[client.sector()?.as_bytes(), subject.as_str().as_bytes()]));
        };
        let mut context = digest::Context::new(&digest::SHA256);
        let sector = client.sector_of_hydra()?;
        let parts = [sector.as_bytes(), subject.as_str().as_bytes(), salt.expose().as_bytes()];
        parts.iter().for_each(|part| context.update(part));
        Some(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn session(&self, client: &Client, sid: &SessionId) -> Option<String> {
        Some(self.mac(&[b"sid", client.sector()?.as_bytes(), sid.to_string().as_bytes()]))
    }

    /// No part has the byte between them.
    fn mac(&self, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(part);
            context.update(&[0]);
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }

    /// The identifier by which `client` knows the subject.
    pub(crate) fn subject_for<'a>(
        pairwise: Option<&Self>,
        client: &Client,
        subject: &'a Subject,
    ) -> Result<Cow<'a, str>, Unavailable> {
        match client.subject_type {
            SubjectType::Public => Ok(Cow::Borrowed(subject.as_str())),
            SubjectType::Pairwise => made(pairwise.map(|it| it.subject(client, subject)), client),
        }
    }

    /// The `sid` by which `client` knows the session, which would tell as much.
    pub(crate) fn sid_for(
        pairwise: Option<&Self>,
        client: &Client,
        sid: &SessionId,
    ) -> Result<Cow<'static, str>, Unavailable> {
        match client.subject_type {
            SubjectType::Public => Ok(Cow::Owned(sid.to_string())),
            SubjectType::Pairwise => made(pairwise.map(|it| it.session(client, sid)), client),
        }
    }
}

/// A defect, if a client is there that could not have been registered at this process.
fn made(
    identifier: Option<Option<String>>,
    client: &Client,
) -> Result<Cow<'static, str>, Unavailable> {
    let reason = match identifier {
        Some(Some(identifier)) => return Ok(Cow::Owned(identifier)),
        Some(None) => "its redirect URIs have no sector: register it again",
        None => "this provider was built without them: add `.pairwise_subjects(…)`",
    };
    let id = &client.client_id;
    let text = format!("the client `{id}` has pairwise subjects, and {reason}");
    Err(Unavailable::Defect(text.into()))
}

impl fmt::Debug for PairwiseSubjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairwiseSubjects(…)")
    }
}

/// A secret whose identifiers could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of pairwise subjects has {least} bytes or more")]
#[non_exhaustive]
pub struct ShortSecret {
    /// How many it has at least.
    pub least: usize,
}

impl Client {
    /// Whom it shares the identifiers of people with: the host of its `sector_identifier_uri`, else the one of
    /// all of its redirect URIs (OpenID Connect Core §8.1). What leads to a device is nobody's own.
    pub(crate) fn sector(&self) -> Option<String> {
        let host = |uri: &String| {
            let url = Url::parse(uri).ok().filter(|url| url.scheme() == "https")?;
            url.host_str().map(str::to_owned)
        };
        if let Some(uri) = &self.sector_identifier_uri {
            return Url::parse(uri).ok()?.host_str().map(str::to_owned);
        }
        let mut hosts = self.redirect_uris.iter().map(host);
        let first = hosts.next()??;
        hosts.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// The same, as Hydra has it.
    fn sector_of_hydra(&self) -> Option<String> {
        if let Some(uri) = &self.sector_identifier_uri {
            return Some(uri.clone());
        }
        let uri = self.redirect_uris.first()?;
        let (_, rest) = uri.split_once("://")?;
        Some(rest.split(['/', '?', '#']).next()?.to_owned())
    }

    /// Whether people have the same identifiers for it as for `other`.
    pub(crate) fn knows_people_as(&self, other: &Self) -> bool {
        let by = |client: &Self| (client.sector(), client.sector_of_hydra());
        self.subject_type == other.subject_type
            && (self.subject_type.is_public() || by(self) == by(other))
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

    fn at(callback: &str) -> Client {
        Client::public("app").redirect_uri(callback).pairwise()
    }

    #[test]
    fn an_identifier_is_one_sectors_and_one_persons() {
        let pairwise = PairwiseSubjects::new(&"0123456789abcdef0123456789abcdef".into()).unwrap();
        let [alice, bob] = ["alice", "bob"].map(Subject::from);
        let [app, other] = ["https://app.example/cb", "https://other.example/cb"].map(at);
        let same = at("https://app.example/cb2");
        let of = |client, subject| pairwise.subject(client, subject).unwrap();
        assert_eq!(of(&app, &alice), of(&same, &alice));
        assert_ne!(of(&app, &alice), of(&other, &alice));
        assert_ne!(of(&app, &alice), of(&app, &bob));
        assert!(!of(&app, &alice).contains("alice"));
        assert_eq!(PairwiseSubjects::new(&"short".into()).unwrap_err().least, 32);
    }

    #[test]
    fn identifiers_of_hydra_stay_as_they_were() {
        // printf 'app.examplealicesome-salt' | sha256sum
        let hydra = PairwiseSubjects::of_hydra(&"some-salt".into()).unwrap();
        let of = |client| hydra.subject(&client, &Subject::from("alice")).unwrap();
        let app = at("https://app.example/cb");
        assert_eq!(
            of(app.clone()),
            "7690819414b40d61ecb4a7d0c4573d809ba58e24fae97b5decbc3c6cf30f4b68"
        );
        let port = at("https://app.example:8443/cb");
        assert_eq!(of(port), "989d9f8637455d48c22a253cbf98bc1c451d107958b13a9b61c727cc99ae10b0");
        let wide = app.sector_identifier_uri("https://app.example/sector.json");
        assert_eq!(of(wide), "22bd2beb929e4e376c3a98095db95a52801da12d28acb0c8142b18b25252e0fb");
        PairwiseSubjects::of_hydra(&"short".into()).unwrap_err();
    }

    #[test]
    fn the_sector_is_one_host() {
        let client = Client::public("app").redirect_uri("https://app.example/cb");
        assert_eq!(client.sector().as_deref(), Some("app.example"));
        let more = client.clone().redirect_uri("https://app.example:8443/cb2");
        assert_eq!(more.sector().as_deref(), Some("app.example"));
        assert_eq!(client.clone().redirect_uri("https://other.example/cb").sector(), None);
        assert_eq!(client.clone().redirect_uri("com.example.app:/cb").sector(), None);
        for of_a_device in ["com.example.app://cb/", "http://127.0.0.1/cb", "http://localhost/cb"] {
            assert_eq!(at(of_a_device).sector(), None, "{of_a_device}");
        }
        assert_eq!(Client::public("none").sector(), None);
    }
}
