//! What is encrypted for a client, and by one (OpenID Connect Core §10.2, Dynamic Client Registration §2, RFC 9701 §6).

use auth_core::Secret;
use auth_core::decision::{Done, Facts, Need, Unavailable, Work};
use auth_core::keys::{CompactJwe, ContentEncryption, Encryption, KeyManagement, Recipient};

use crate::client::{Client, InvalidClient, keys};

impl Client {
    /// With id tokens that are encrypted once they are signed, to one of its [`jwks`](Self::jwks); the provider
    /// needs [encryption](crate::ProviderBuilder::encryption) for it.
    #[must_use]
    pub fn encrypted_id_token(mut self, alg: KeyManagement, enc: ContentEncryption) -> Self {
        self.id_token_encrypted_response_alg = Some(alg);
        self.id_token_encrypted_response_enc = Some(enc);
        self
    }

    /// The same with userinfo, whether it is [signed](Self::userinfo_alg) or not.
    #[must_use]
    pub fn encrypted_userinfo(mut self, alg: KeyManagement, enc: ContentEncryption) -> Self {
        self.userinfo_encrypted_response_alg = Some(alg);
        self.userinfo_encrypted_response_enc = Some(enc);
        self
    }

    /// The same with introspections that it asks for as JWTs (RFC 9701).
    #[must_use]
    pub fn encrypted_introspection(mut self, alg: KeyManagement, enc: ContentEncryption) -> Self {
        self.introspection_encrypted_response_alg = Some(alg);
        self.introspection_encrypted_response_enc = Some(enc);
        self
    }

    pub(crate) fn id_token_encryption(&self) -> Option<Encryption> {
        both(self.id_token_encrypted_response_alg, self.id_token_encrypted_response_enc)
    }

    pub(crate) fn userinfo_encryption(&self) -> Option<Encryption> {
        both(self.userinfo_encrypted_response_alg, self.userinfo_encrypted_response_enc)
    }

    pub(crate) fn introspection_encryption(&self) -> Option<Encryption> {
        both(self.introspection_encrypted_response_alg, self.introspection_encrypted_response_enc)
    }

    /// Whether there is a key for each.
    pub(crate) fn check_encrypted_responses(&self) -> Result<(), InvalidClient> {
        let members = [
            (
                "id_token_encrypted_response_alg",
                self.id_token_encryption(),
                self.id_token_encrypted_response_enc,
            ),
            (
                "userinfo_encrypted_response_alg",
                self.userinfo_encryption(),
                self.userinfo_encrypted_response_enc,
            ),
            (
                "introspection_encrypted_response_alg",
                self.introspection_encryption(),
                self.introspection_encrypted_response_enc,
            ),
        ];
        for (member, encryption, enc) in members {
            let refuse = |reason| Err(self.invalid(member, reason));
            match (encryption, &self.jwks, &self.jwks_uri) {
                (None, ..) if enc.is_some() => {
                    return refuse("it is missing, though what encrypts the content is there");
                }
                (None, ..) | (Some(_), _, Some(_)) => {}
                (Some(encryption), Some(jwks), None)
                    if Recipient::choose(encryption, &jwks.keys).is_some() => {}
                _ => {
                    return refuse(
                        "it needs a key that can be encrypted to so, in jwks or at a jwks_uri",
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether the provider encrypts, if it is to.
    pub(crate) fn check_encryption(&self, permitted: bool) -> Result<(), InvalidClient> {
        let members = [
            ("id_token_encrypted_response_alg", self.id_token_encrypted_response_alg),
            ("userinfo_encrypted_response_alg", self.userinfo_encrypted_response_alg),
            ("introspection_encrypted_response_alg", self.introspection_encrypted_response_alg),
        ];
        match members.into_iter().find(|(_, alg)| alg.is_some()) {
            Some((member, _)) if !permitted => {
                Err(self.invalid(member, "the provider does not encrypt: add `.encryption()`"))
            }
            _ => Ok(()),
        }
    }

    fn invalid(&self, member: &'static str, reason: &'static str) -> InvalidClient {
        InvalidClient::Metadata { client_id: self.client_id.to_string(), member, reason }
    }
}

fn both(alg: Option<KeyManagement>, enc: Option<ContentEncryption>) -> Option<Encryption> {
    alg.map(|alg| Encryption::new(alg, enc.unwrap_or_default()))
}

/// Encrypts a text to the client's key. If the client has none at the moment, as when its `jwks_uri` cannot be
/// read, nothing is answered: plain text would be less than it asked for.
pub(crate) fn encrypt(
    client: &Client,
    encryption: Encryption,
    plaintext: Secret,
    facts: &Facts,
) -> Result<Secret, Need> {
    let to = keys::recipient(client, encryption, facts)?
        .map_err(|cause| Unavailable::port("encryption", cause))?;
    match facts.done(&Work::Encrypt { to, plaintext })? {
        Done::Encrypted(token) => Ok(token.clone()),
        _ => Err(Unavailable::Defect("not an encrypted text".into()).into()),
    }
}

/// What a client encrypted to a key of ours, which says nothing of who did; `None` if that cannot be told.
pub(crate) fn decrypt(token: &str, facts: &Facts) -> Result<Option<Secret>, Need> {
    if CompactJwe::parse(token).is_err() {
        return Ok(None);
    }
    match facts.done(&Work::Decrypt(Secret::new(token)))? {
        Done::Decrypted(text) => Ok(text.clone()),
        _ => Err(Unavailable::Defect("not a decrypted text".into()).into()),
    }
}
