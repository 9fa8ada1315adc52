//! [`Clients`]: registers, changes and disables clients.

use std::sync::Arc;
use std::time::Duration;

use auth_core::decision::{Asks, Cx, Decision, Driver, Facts, Need, Outcome, Unavailable};
use auth_core::job::enqueue;
use auth_core::keys::{LocalKeys, SecretJws};
use auth_core::record::{Shadow, Tag, TypedKey};
use auth_core::store::{BatchBuilder, Main, MainWrite, When};
use auth_core::{ClientId, Fetch, HttpClient, Secret, Tenant};
use subtle::ConstantTimeEq;
use tracing::warn;
use url::Url;
use zeroize::Zeroizing;

use crate::client::record::{ClientRecord, SecretAtRest, StoredSecret, is_generated, sha256};
use crate::client::{Client, InvalidClient, TokenEndpointAuthMethod};
use crate::deletion::DeleteClient;
use crate::provider::Config;

/// The registered clients of a provider.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(crate) driver: Driver,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) http: Option<Arc<dyn HttpClient>>,
    pub(crate) config: Arc<Config>,
    pub(crate) keys: Arc<LocalKeys>,
}

/// A client could not be registered or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Its metadata is not acceptable.
    #[error(transparent)]
    Invalid(#[from] InvalidClient),
    /// There is no such client.
    #[error("there is no client `{0}`")]
    NotFound(ClientId),
    /// A client of that identifier was deleted, and what belonged to it is still being removed.
    #[error(
        "the client `{0}` was deleted a moment ago and its records are still being removed: register it \
         again in some minutes, while a worker runs, or take another identifier"
    )]
    BeingDeleted(ClientId),
    /// A component failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Clients {
    /// Registers a client, or replaces the one of that id. A secret that is not given stays as it was;
    /// a new one replaces the old ones at once. A client that was disabled stays so. If people have other
    /// identifiers for it from now on, by [`Client::subject_type`] or a sector, its tokens are worthless.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn put(&self, client: Client) -> Result<(), ClientError> {
        client.validate()?;
        client.check_outgoing(self.http.as_deref())?;
        client.check_subjects(self.config.pairwise_subjects.as_ref())?;
        client.check_encryption(self.config.encryption)?;
        client.check_signing(self.keys.policy(), &self.config.tokens)?;
        self.check_sector(&client).await?;
        let method = client.token_endpoint_auth_method;
        let secret = match &client.secret {
            Some(secret) => Some(self.given(&client.client_id, method, secret).await?),
            None => None,
        };
        if secret.is_none() && method.has_secret() {
            let known = self.record(&client.client_id).await?;
            let sealed = |stored: &StoredSecret| {
                matches!(stored.hash, SecretAtRest::Sealed(_)) && stored.until.is_none()
            };
            let fits = |known: ClientRecord| match method {
                TokenEndpointAuthMethod::ClientSecretJwt => known.secrets.iter().any(sealed),
                _ => !known.secrets.is_empty(),
            };
            if !known.is_some_and(fits) {
                return Err(about_secret(&client.client_id, "this way to authenticate needs one"));
            }
        }
        let change = Change::Put { client: Box::new(client), secret };
        self.apply(change).await
    }

    /// The client of an id, without its secrets.
    ///
    /// # Errors
    /// [`ClientError::Unavailable`].
    pub async fn get(&self, id: &ClientId) -> Result<Option<Client>, ClientError> {
        Ok(self.record(id).await?.map(|record| record.client))
    }

    /// Gives a client a new secret; the old one works for `overlap` longer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rotate_secret(
        &self,
        id: &ClientId,
        secret: &Secret,
        overlap: Duration,
    ) -> Result<(), ClientError> {
        let known = self.record(id).await?.ok_or_else(|| ClientError::NotFound(id.clone()))?;
        let method = known.client.token_endpoint_auth_method;
        let secret = self.given(id, method, secret).await?;
        self.apply(Change::Rotate { id: id.clone(), secret, overlap }).await
    }

    /// Disables a client: it cannot authenticate or be answered, and its tokens are worthless at once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn disable(&self, id: &ClientId) -> Result<(), ClientError> {
        self.apply(Change::Disable { id: id.clone() }).await
    }

    /// Deletes a client: nothing of it is good from now on, its codes, tokens, grants and consents are removed
    /// by the workers, which then tell so by the event `client_deleted`. A client that is registered under
    /// the same identifier after that is another one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete(&self, id: &ClientId) -> Result<(), ClientError> {
        self.apply(Change::Delete { id: id.clone(), unindexed: self.config.unindexed_records })
            .await
    }

    /// Reads the list of redirect URIs of the client's sector, if the client changed what it says of them.
    async fn check_sector(&self, client: &Client) -> Result<(), ClientError> {
        let Some(Ok(url)) = client.sector_identifier_uri.as_deref().map(Url::parse) else {
            return Ok(());
        };
        let refuse = |reason| {
            let (client_id, member) = (client.client_id.to_string(), "sector_identifier_uri");
            Err(InvalidClient::Metadata { client_id, member, reason }.into())
        };
        let known = self.record(&client.client_id).await?.map(|record| record.client);
        if known.is_some_and(|known| {
            known.sector_identifier_uri == client.sector_identifier_uri
                && known.redirect_uris == client.redirect_uris
        }) {
            return Ok(());
        }
        // What is there now counts, as far as the rate permits: whoever was refused mends it and comes again.
        match self.driver.ports().documents.get(&Fetch::of(url).anew()).await {
            Err(error) => {
                warn!(target: "oauth2", client = %client.client_id, %error, "a sector_identifier_uri cannot be read");
                refuse(
                    "it cannot be read, which the log explains; it is read again after ten seconds",
                )
            }
            Ok(document) if !client.is_of_sector(&document) => refuse(
                "what is there is no JSON list of strings that has each of the redirect URIs; it is read again \
                 after ten seconds",
            ),
            Ok(_) => Ok(()),
        }
    }

    /// A secret in the form in which it is kept.
    async fn given(
        &self,
        id: &ClientId,
        method: TokenEndpointAuthMethod,
        secret: &Secret,
    ) -> Result<GivenSecret, ClientError> {
        if method != TokenEndpointAuthMethod::ClientSecretJwt {
            return Ok(GivenSecret::Hashed(self.hash(id, secret).await?));
        }
        if secret.expose().len() < SecretJws::MIN_SECRET {
            let reason = "client_secret_jwt needs 32 bytes or more (RFC 7518 §3.2): take one from \
                          generate_client_secret";
            return Err(about_secret(id, reason));
        }
        Ok(GivenSecret::ToSeal(secret.clone()))
    }

    async fn hash(&self, id: &ClientId, secret: &Secret) -> Result<StoredSecret, ClientError> {
        if is_generated(secret) {
            let hash = SecretAtRest::Sha256(sha256(self.tenant.id, id, secret));
            return Ok(StoredSecret { hash, until: None });
        }
        // The same secret keeps its hash, so that putting the same client twice changes nothing.
        for known in self.record(id).await?.map(|record| record.secrets).unwrap_or_default() {
            if let (SecretAtRest::Phc(hash), None) = (&known.hash, known.until)
                && self.driver.ports().passwords.verify(hash, secret).await?
            {
                return Ok(known);
            }
        }
        let mut salt = [0; 16];
        self.driver.ports().entropy.fill(&mut salt).map_err(Unavailable::from)?;
        let hash = self.driver.ports().passwords.hash(secret, salt).await?;
        Ok(StoredSecret { hash: SecretAtRest::Phc(hash), until: None })
    }

    async fn record(&self, id: &ClientId) -> Result<Option<ClientRecord>, ClientError> {
        let key = ClientRecord::at(id);
        let read =
            self.driver.ports().store.get(self.tenant.id, std::slice::from_ref(key.raw())).await;
        let record = read.map_err(Unavailable::from)?.into_iter().next().flatten();
        let found = record.as_ref().map(auth_core::record::Found::<ClientRecord>::read).transpose();
        Ok(found.map_err(Unavailable::from)?.map(|found| found.value))
    }

    async fn apply(&self, change: Change) -> Result<(), ClientError> {
        self.driver.run(&self.tenant, &change).await?
    }
}

fn about_secret(id: &ClientId, reason: &'static str) -> ClientError {
    let (client_id, member) = (id.to_string(), "client_secret");
    InvalidClient::Metadata { client_id, member, reason }.into()
}

/// A secret that was given.
#[derive(Debug)]
enum GivenSecret {
    Hashed(StoredSecret),
    /// To be sealed by the commit that stores it.
    ToSeal(Secret),
}

impl GivenSecret {
    /// What is stored: the same as now if it is the present one.
    fn stored(&self, id: &ClientId, known: Option<&ClientRecord>, cx: &mut Cx<'_>) -> StoredSecret {
        let secret = match self {
            Self::Hashed(stored) => return stored.clone(),
            Self::ToSeal(secret) => secret,
        };
        let keys = &cx.tenant.keys;
        let same = |stored: &&StoredSecret| {
            let opened = stored.hash.open(keys, id);
            let is_it = |it: Zeroizing<Vec<u8>>| it.ct_eq(secret.expose().as_bytes()).into();
            stored.until.is_none() && opened.is_some_and(is_it)
        };
        let present = known.and_then(|known| known.secrets.iter().find(same)).cloned();
        present.unwrap_or_else(|| StoredSecret {
            hash: SecretAtRest::seal(keys, &mut cx.rng, id, secret),
            until: None,
        })
    }
}

/// A change to one client.
#[derive(Debug)]
enum Change {
    Put { client: Box<Client>, secret: Option<GivenSecret> },
    Rotate { id: ClientId, secret: GivenSecret, overlap: Duration },
    Disable { id: ClientId },
    Delete { id: ClientId, unindexed: bool },
}

impl Change {
    fn id(&self) -> &ClientId {
        match self {
            Self::Put { client, .. } => &client.client_id,
            Self::Rotate { id, .. } | Self::Disable { id } | Self::Delete { id, .. } => id,
        }
    }
}

/// What becomes of a client whose tokens end.
struct End {
    revoked: bool,
    deleting: bool,
}

impl Change {
    fn shadow(&self, cx: &Cx<'_>) -> TypedKey<Shadow> {
        Shadow::at(&Tag::client(cx.tenant.id, self.id().as_str()))
    }

    fn being_deleted(&self) -> ClientError {
        ClientError::BeingDeleted(self.id().clone())
    }

    /// The generation that a client begins in who was not there: a later one than any that was deleted under
    /// its identifier. `None` while the records of that one are still being removed.
    fn begin(
        &self,
        facts: &Facts,
        cx: &Cx<'_>,
        batch: &mut BatchBuilder<Main>,
    ) -> Result<Option<u64>, Need> {
        let Some(shadow) = facts.read(&self.shadow(cx))? else { return Ok(Some(0)) };
        if shadow.value.deleting {
            return Ok(None);
        }
        batch.push(shadow.replace(&Shadow { revoked: false, ..shadow.value.clone() })?);
        Ok(Some(shadow.value.generation))
    }

    /// The write that makes everything worthless that was issued to the client before `generation`.
    fn revoke(
        &self,
        generation: u64,
        End { revoked, deleting }: End,
        facts: &Facts,
        cx: &Cx<'_>,
    ) -> Result<MainWrite, Need> {
        let key = self.shadow(cx);
        let found = facts.read(&key)?;
        let known = found.as_ref().map(|found| found.value.clone()).unwrap_or_default();
        let shadow = Shadow { generation, revoked, deleting, ..known };
        Ok(match &found {
            Some(found) => found.replace(&shadow)?,
            None => key.create(&shadow),
        })
    }
}

impl Decision for Change {
    type Answer = ();
    type Refusal = ClientError;

    fn prefetch(&self) -> Asks {
        Asks::none().read(&ClientRecord::at(self.id()))
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<(), ClientError>, Need> {
        let key = ClientRecord::at(self.id());
        let found = facts.read(&key)?;
        let known = found.as_ref().map(|found| &found.value);
        let mut batch = cx.batch();
        let record = match (self, known) {
            (Self::Put { client, secret }, known) => {
                let generation = match known {
                    // Its tokens would suddenly name people otherwise (OpenID Connect Core §12.2).
                    Some(known) if !client.knows_people_as(&known.client) => {
                        let generation = known.generation + 1;
                        let end = End { revoked: known.disabled, deleting: false };
                        batch.push(self.revoke(generation, end, facts, cx)?);
                        generation
                    }
                    Some(known) => known.generation,
                    None => match self.begin(facts, cx, &mut batch)? {
                        Some(generation) => generation,
                        None => return Ok(Outcome::refuse(self.being_deleted())),
                    },
                };
                let secrets = match secret {
                    Some(secret) => vec![secret.stored(&client.client_id, known, cx)],
                    None => known.map(|known| known.secrets.clone()).unwrap_or_default(),
                };
                ClientRecord {
                    client: Client { secret: None, ..(**client).clone() },
                    secrets,
                    disabled: known.is_some_and(|known| known.disabled),
                    generation,
                    unknown: known.map(|known| known.unknown.clone()).unwrap_or_default(),
                }
            }
            (Self::Delete { .. }, None) => {
                let shadow = facts.read(&self.shadow(cx))?;
                return Ok(match shadow.is_some_and(|shadow| shadow.value.deleting) {
                    true => Outcome::answer(()),
                    false => Outcome::refuse(ClientError::NotFound(self.id().clone())),
                });
            }
            (Self::Delete { id, unindexed }, Some(known)) => {
                let end = End { revoked: true, deleting: true };
                batch.push(self.revoke(known.generation + 1, end, facts, cx)?);
                let job = DeleteClient::new(id.clone(), *unindexed);
                let now = cx.now;
                batch.push(enqueue(&job, &mut cx.rng, now));
                found.iter().for_each(|found| batch.push(found.delete()));
                return Outcome::commit(batch, Ok(()));
            }
            (_, None) => return Ok(Outcome::refuse(ClientError::NotFound(self.id().clone()))),
            (Self::Rotate { secret, overlap, .. }, Some(known)) => {
                let until = cx.now.saturating_add(*overlap);
                let mut old = known.secrets.clone();
                old.retain(|old| old.until.is_none_or(|until| until > cx.now));
                old.iter_mut()
                    .for_each(|old| old.until = Some(old.until.unwrap_or(until).min(until)));
                let secret = secret.stored(self.id(), None, cx);
                let secrets = std::iter::once(secret).chain(old).take(5).collect();
                ClientRecord { secrets, ..known.clone() }
            }
            (Self::Disable { .. }, Some(known)) => {
                let generation = known.generation + 1;
                let end = End { revoked: true, deleting: false };
                batch.push(self.revoke(generation, end, facts, cx)?);
                ClientRecord { disabled: true, generation, ..known.clone() }
            }
        };
        if known == Some(&record) {
            return Ok(Outcome::answer(()));
        }
        batch.push(match &found {
            Some(found) => found.replace(&record)?,
            None => key.put(&record, When::Absent),
        });
        Outcome::commit(batch, Ok(()))
    }
}
