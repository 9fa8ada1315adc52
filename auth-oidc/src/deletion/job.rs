//! The jobs that remove what belonged to a client or a subject.

use std::time::Duration;

use async_trait::async_trait;
use auth_core::decision::Unavailable;
use auth_core::job::{Job, Site, Step};
use auth_core::outbox::Event;
use auth_core::record::{Found, Kind, Shadow, Tag, Unknown};
use auth_core::store::{Class, Key, MainWrite};
use auth_core::{ClientId, Subject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::challenge::{Settled, StoredChallenge};
use crate::deletion::ByRelation;
use crate::deletion::phase::{Phase, Progress};
use crate::session::login_session::LoginSession;
use crate::token::access::AccessToken;
use crate::token::code::AuthorizationCode;
use crate::token::consent::Consent;
use crate::token::grant::Grant;

/// After what time a deletion goes over everything once more: longer than any request takes.
const PAUSE: Duration = Duration::from_secs(60);

/// How far a deletion has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Place {
    #[serde(default)]
    second: bool,
    #[serde(default)]
    phase: usize,
    /// The last key of the page before, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl Place {
    /// The next step of `phases`; `None` once both passes are over.
    async fn step(
        &mut self,
        phases: &[Phase],
        id: &str,
        site: &Site<'_>,
    ) -> Result<Option<Step>, Unavailable> {
        let Some(phase) = phases.get(self.phase) else {
            if self.second {
                return Ok(None);
            }
            *self = Self { second: true, ..Self::default() };
            return Ok(Some(Step::Later(PAUSE)));
        };
        let after = self.after.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let after = after.and_then(|bytes| Key::from_bytes(&bytes).ok());
        let writes = match phase.step(site, id, after).await? {
            Progress::More(writes, after) => {
                self.after = after.map(|key| URL_SAFE_NO_PAD.encode(key.as_bytes()));
                writes
            }
            Progress::Over(writes) => {
                (self.phase, self.after) = (self.phase + 1, None);
                writes
            }
        };
        Ok(Some(Step::More(writes)))
    }
}

/// Removes what belonged to a client that was deleted. Until it is done the identifier cannot be registered
/// anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeleteClient {
    client_id: ClientId,
    /// Whether there may be records that stand in no index.
    #[serde(default)]
    unindexed: bool,
    #[serde(default)]
    place: Place,
    #[serde(flatten)]
    unknown: Unknown,
}

impl DeleteClient {
    pub(crate) fn new(client_id: ClientId, unindexed: bool) -> Self {
        Self { client_id, unindexed, place: Place::default(), unknown: Unknown::default() }
    }

    fn phases(&self, tag: &Tag) -> Vec<Phase> {
        let id = tag.as_bytes();
        let assertions =
            |class| Phase::Below(Key::builder(class, "client_assertion").bytes(id).range());
        let belongs = |value: &Value, id: &str| value["client_id"] == id;
        let among = |range, grants| Phase::Among { range, belongs, grants };
        let mut phases = vec![
            // Where earlier versions had them.
            assertions(Class::Side),
            Phase::Indexed { index: ByRelation::CODES_OF_CLIENT, grants: false },
            Phase::Indexed { index: ByRelation::GRANTS_OF_CLIENT, grants: true },
            Phase::Indexed { index: ByRelation::CONSENTS_OF_CLIENT, grants: false },
        ];
        phases.extend(challenges(|value, id| mentions(value, "client_id", id)));
        // One entry more for each access token would cost more than looking through those that are live.
        phases.push(among(AccessToken::range(&[]), false));
        if self.unindexed {
            phases.push(among(Grant::range(&[]), true));
            phases.push(among(Consent::range(&[]), false));
            phases.push(among(AuthorizationCode::range(&[]), false));
        }
        // Last: the number of a phase is stored, and earlier versions count without this one.
        phases.push(assertions(Class::Main));
        phases
    }
}

#[async_trait]
impl Job for DeleteClient {
    const NAME: &'static str = "delete_client";

    async fn step(&mut self, site: &Site<'_>) -> Result<Step, Unavailable> {
        let tag = Tag::client(site.tenant, self.client_id.as_str());
        let phases = self.phases(&tag);
        let id = self.client_id.as_str();
        if let Some(step) = self.place.step(&phases, id, site).await? {
            return Ok(step);
        }
        let event = Event::new("client_deleted", json!({"client_id": self.client_id}));
        Ok(Step::Done { writes: finished(&tag, site).await?, events: vec![event] })
    }
}

/// Removes what belonged to a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeleteSubject {
    subject: Subject,
    /// Whether there may be records that stand in no index.
    #[serde(default)]
    unindexed: bool,
    #[serde(default)]
    place: Place,
    #[serde(flatten)]
    unknown: Unknown,
}

impl DeleteSubject {
    pub(crate) fn new(subject: Subject, unindexed: bool) -> Self {
        Self { subject, unindexed, place: Place::default(), unknown: Unknown::default() }
    }

    fn phases(&self, tag: &Tag) -> Vec<Phase> {
        let belongs = |value: &Value, id: &str| value["subject"] == id;
        let among = |range, grants| Phase::Among { range, belongs, grants };
        let mut phases = vec![
            Phase::Indexed { index: ByRelation::SESSIONS_OF_SUBJECT, grants: false },
            Phase::Indexed { index: ByRelation::CODES_OF_SUBJECT, grants: false },
            Phase::Indexed { index: ByRelation::GRANTS_OF_SUBJECT, grants: true },
            Phase::Below(Consent::range(&[tag.as_bytes()])),
        ];
        phases.extend(challenges(|value, id| {
            mentions(value, "subject", id) || mentions(value, "hinted_subject", id)
        }));
        phases.push(among(AccessToken::range(&[]), false));
        if self.unindexed {
            phases.push(among(LoginSession::range(&[]), false));
            phases.push(among(Grant::range(&[]), true));
            phases.push(among(AuthorizationCode::range(&[]), false));
        }
        phases
    }
}

#[async_trait]
impl Job for DeleteSubject {
    const NAME: &'static str = "delete_subject";

    async fn step(&mut self, site: &Site<'_>) -> Result<Step, Unavailable> {
        let tag = Tag::subject(site.tenant, self.subject.as_str());
        let phases = self.phases(&tag);
        let id = self.subject.as_str();
        if let Some(step) = self.place.step(&phases, id, site).await? {
            return Ok(step);
        }
        let event = Event::new("subject_deleted", json!({"subject": self.subject}));
        Ok(Step::Done { writes: finished(&tag, site).await?, events: vec![event] })
    }
}

/// Challenges and their answers are short-lived and stand in no index: they are looked through.
fn challenges(belongs: fn(&Value, &str) -> bool) -> [Phase; 2] {
    [StoredChallenge::range(&[]), Settled::range(&[])].map(|range| Phase::Among {
        range,
        belongs,
        grants: false,
    })
}

/// Whether a member `name` with the text `id` stands anywhere in `value`.
fn mentions(value: &Value, name: &str, id: &str) -> bool {
    match value {
        Value::Object(members) => {
            members.get(name).is_some_and(|member| member == id)
                || members.values().any(|member| mentions(member, name, id))
        }
        Value::Array(items) => items.iter().any(|item| mentions(item, name, id)),
        _ => false,
    }
}

/// The shadow once the job is done: still revoked, and free to be taken by a new registration.
async fn finished(tag: &Tag, site: &Site<'_>) -> Result<Vec<MainWrite>, Unavailable> {
    let key = Shadow::at(tag).raw().clone();
    let read = site.store.get(site.tenant, std::slice::from_ref(&key)).await?;
    let Some(record) = read.into_iter().next().flatten() else { return Ok(Vec::new()) };
    let found = Found::<Shadow>::read(&record)?;
    let shadow = Shadow { deleting: false, ..found.value.clone() };
    Ok(vec![found.replace(&shadow)?])
}
