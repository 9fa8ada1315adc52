//! Revoking by generation: one record changes, and everything issued before is worthless.

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome, Unavailable};
use auth_core::record::{Shadow, Tag, Unknown};
use auth_core::{ClientId, Scopes, Subject, Tenant};

use crate::provider::Provider;
use crate::token::consent::Consent;

impl Provider {
    /// Ends every login session of a person and revokes every token that was issued for them, at once
    /// and everywhere: call it when an account is disabled or deleted, or its password changed. Whether
    /// they may sign in again is for the directory to say.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be committed; nothing is revoked then.
    pub async fn revoke_subject(&self, subject: &Subject) -> Result<(), Unavailable> {
        let decision = Revoke::Subject(Tag::subject(self.tenant().id, subject.as_str()));
        self.revoke(&decision).await
    }

    /// Takes back what a person let a client have: every grant between the two is revoked, and the
    /// person is asked again the next time.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be committed; nothing is revoked then.
    pub async fn revoke_consent(
        &self,
        subject: &Subject,
        client_id: &ClientId,
    ) -> Result<(), Unavailable> {
        let (subject, client_id) = (subject.clone(), client_id.clone());
        self.revoke(&Revoke::Consent { subject, client_id }).await
    }

    async fn revoke(&self, decision: &Revoke) -> Result<(), Unavailable> {
        let tenant: &Tenant = self.tenant();
        let decided = self.driver().run(tenant, decision).await?;
        decided.unwrap_or_else(|never| match never {});
        Ok(())
    }
}

/// What is revoked.
#[derive(Debug)]
enum Revoke {
    Subject(Tag),
    Consent { subject: Subject, client_id: ClientId },
}

impl Decision for Revoke {
    type Answer = ();
    type Refusal = std::convert::Infallible;

    fn prefetch(&self) -> Asks {
        match self {
            Self::Subject(tag) => Asks::none().read(&Shadow::at(tag)),
            Self::Consent { .. } => Asks::none(),
        }
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<(), Self::Refusal>, Need> {
        let write = match self {
            Self::Subject(tag) => {
                let key = Shadow::at(tag);
                match facts.read(&key)? {
                    Some(found) => {
                        let generation = found.value.generation + 1;
                        found.replace(&Shadow { generation, ..found.value.clone() })?
                    }
                    None => key.create(&Shadow { generation: 1, ..Shadow::default() }),
                }
            }
            Self::Consent { subject, client_id } => {
                let tags = (
                    Tag::subject(cx.tenant.id, subject.as_str()),
                    Tag::client(cx.tenant.id, client_id.as_str()),
                );
                let key = Consent::at(&tags.0, &tags.1);
                let found = facts.read(&key)?;
                let known = found.as_ref().map(|found| &found.value);
                let revoked = Consent {
                    subject: subject.clone(),
                    client_id: client_id.clone(),
                    scope: Scopes::default(),
                    audience: Vec::new(),
                    expires_at: None,
                    generation: known.map_or(0, |known| known.generation) + 1,
                    unknown: known.map_or_else(Unknown::default, |known| known.unknown.clone()),
                };
                match &found {
                    Some(found) => found.replace(&revoked)?,
                    None => key.create(&revoked),
                }
            }
        };
        Outcome::commit(cx.batch().write(write), Ok(()))
    }
}
