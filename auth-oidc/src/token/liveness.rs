//! Whether what a token depends on is still good: one place, for every endpoint.

use std::sync::Arc;

use auth_core::decision::{Asks, Facts, Need};
use auth_core::record::{Found, Shadow, Tag};
use auth_core::seal::Lineage;
use auth_core::{Timestamp, store};

use crate::session::login_session::LoginSession;
use crate::token::consent::Consent;
use crate::token::grant::{Generations, Grant};

/// The records that a value of this lineage depends on, so that they come in one round trip.
pub(crate) fn asks(lineage: &Lineage) -> Asks {
    let mut asks = Asks::none();
    if let Some(grant) = &lineage.grant {
        asks = asks.read(&Grant::at(grant));
    }
    if let Some(session) = &lineage.session {
        asks = asks.read(&LoginSession::at(session));
    }
    for tag in [&lineage.subject, &lineage.client].into_iter().flatten() {
        asks = asks.read(&Shadow::at(tag));
    }
    if let (Some(subject), Some(client)) = (&lineage.subject, &lineage.client) {
        asks = asks.read(&Consent::at(subject, client));
    }
    asks
}

/// The generations that client, subject and the consent between them are in now; `None` if one is
/// revoked altogether.
pub(crate) fn generations(lineage: &Lineage, facts: &Facts) -> Result<Option<Generations>, Need> {
    let current = |tag: &Option<Tag>| -> Result<Option<u64>, Need> {
        let Some(tag) = tag else { return Ok(Some(0)) };
        Ok(match facts.read(&Shadow::at(tag))? {
            Some(shadow) if shadow.value.revoked => None,
            Some(shadow) => Some(shadow.value.generation),
            None => Some(0),
        })
    };
    let consent = match (&lineage.subject, &lineage.client) {
        (Some(subject), Some(client)) => {
            let consent = facts.read(&Consent::at(subject, client))?;
            consent.map_or(0, |consent| consent.value.generation)
        }
        _ => 0,
    };
    let (client, subject) = (current(&lineage.client)?, current(&lineage.subject)?);
    let both = client.zip(subject);
    Ok(both.map(|(client, subject)| Generations { client, subject, consent }))
}

/// Whether client, subject and consent are still in the generations that something was issued in.
pub(crate) fn generations_admit(
    lineage: &Lineage,
    issued_in: Generations,
    facts: &Facts,
) -> Result<bool, Need> {
    Ok(generations(lineage, facts)? == Some(issued_in))
}

/// The grant of a lineage, if everything that it depends on is good: it is not revoked; its client,
/// subject and consent are in the generation that it was made in; and its session was not ended. Tokens
/// of a grant without `offline_access` end with the session.
pub(crate) fn live_grant(
    lineage: &Lineage,
    facts: &Facts,
    now: Timestamp,
) -> Result<Option<Arc<Found<Grant>>>, Need> {
    let Some(id) = &lineage.grant else { return Ok(None) };
    let Some(grant) = facts.read(&Grant::at(id))? else { return Ok(None) };
    let value = &grant.value;
    let session_admits = value.is_offline() || session_is_open(lineage, facts, now)?;
    let good =
        !value.revoked && session_admits && generations_admit(lineage, value.generations, facts)?;
    Ok(good.then_some(grant))
}

/// Whether the session of a lineage is neither ended nor expired.
pub(crate) fn session_is_open(
    lineage: &Lineage,
    facts: &Facts,
    now: Timestamp,
) -> Result<bool, Need> {
    let Some(sid) = &lineage.session else { return Ok(false) };
    let session = facts.read(&LoginSession::at(sid))?;
    Ok(session.is_some_and(|session| session.value.is_open(now)))
}

/// The write that revokes a grant and with it every token that descends from it.
pub(crate) fn revoke(grant: &Found<Grant>) -> Result<store::MainWrite, Need> {
    Ok(grant.replace(&Grant { revoked: true, ..grant.value.clone() })?)
}
