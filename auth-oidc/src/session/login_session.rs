//! [`LoginSession`]: a person is signed in at the provider, in one browser.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth_core::decision::{Asks, Cx, Facts, Need};
use auth_core::http::{CookieScope, CookieSpec, cookie};
use auth_core::record::{Found, Kind, Shadow, Tag, TypedKey, Unknown};
use auth_core::seal::{Artefact, Handle, Lineage};
use auth_core::store::{IndexEntry, Main, MainWrite};
use auth_core::{ClientId, SessionId, Subject, Tenant, Timestamp};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tracing::warn;

use crate::client::ClientRecord;
use crate::deletion::ByRelation;
use crate::session::expiry::SessionExpiry;
use crate::token::grant::SignIn;

/// A login session. The browser holds its secret in a cookie; the store holds a digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoginSession {
    #[serde(flatten)]
    pub(crate) sign_in: SignIn,
    /// Of the cookie's secret.
    pub(crate) digest: String,
    /// Whether the cookie outlives the browser.
    pub(crate) remember: bool,
    pub(crate) expires_at: Timestamp,
    /// The subject's generation when it began.
    #[serde(default)]
    pub(crate) generation: u64,
    /// The clients that were answered in it and are told of its end, with the generation that each was in:
    /// one that is registered under the same identifier later is another one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) clients: BTreeMap<ClientId, u64>,
    /// Whether one of them is to be told even if it ends by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) told: bool,
    /// The end that is waited for, to tell them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) watched_until: Option<Timestamp>,
    /// Signed out.
    #[serde(default)]
    pub(crate) ended: bool,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl LoginSession {
    pub(crate) const COOKIE: &'static str = "auth_session";

    /// For how long an ended or expired session is remembered, so that what is bound to it learns of it.
    const RETENTION: Duration = Duration::from_secs(86_400);

    /// For how long one that expired is kept for those who are still to be told of it: no worker may have run.
    const RETENTION_UNTOLD: Duration = Duration::from_secs(31 * 86_400);

    /// How many clients a session knows at most: as many as can be told by one commit.
    const MAX_CLIENTS: usize = 200;

    pub(crate) fn at(sid: &SessionId) -> TypedKey<Self> {
        Self::key(&[sid.as_bytes()])
    }

    /// The handle in a browser's cookie, if there is one that we made.
    pub(crate) fn handle(
        tenant: &Tenant,
        scope: CookieScope,
        headers: &HeaderMap,
    ) -> Option<Handle> {
        let value = cookie(headers, scope, Self::COOKIE)?;
        Handle::parse(&tenant.keys, Artefact::Session, tenant.id, &value)
    }

    /// The records by which a cookie is judged.
    pub(crate) fn asks(handle: &Handle) -> Asks {
        let mut asks = Asks::none();
        if let Some(sid) = &handle.lineage.session {
            asks = asks.read(&Self::at(sid));
        }
        if let Some(subject) = &handle.lineage.subject {
            asks = asks.read(&Shadow::at(subject));
        }
        asks
    }

    /// The session of a cookie, if it is live and its subject still in the generation it began in.
    pub(crate) fn live(
        handle: &Handle,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Option<Arc<Found<Self>>>, Need> {
        let (Some(sid), Some(subject)) = (&handle.lineage.session, &handle.lineage.subject) else {
            return Ok(None);
        };
        let shadow = facts.read(&Shadow::at(subject))?;
        let session = facts.read(&Self::at(sid))?;
        Ok(session.filter(|session| {
            let generation = session.value.generation;
            session.value.is_live(handle, now)
                && shadow.map_or(generation == 0, |shadow| shadow.value.admits(generation))
        }))
    }

    /// Whether the cookie `handle` is this session's, and it is live at `now`.
    fn is_live(&self, handle: &Handle, now: Timestamp) -> bool {
        let ours = handle.digest.to_string().as_bytes().ct_eq(self.digest.as_bytes());
        bool::from(ours) && self.is_open(now)
    }

    /// Whether it is neither ended nor expired.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        !self.ended && now < self.expires_at
    }

    /// Adds a client that is answered, and wants to be told of the end; whether that changes anything.
    pub(crate) fn join(&mut self, record: &ClientRecord) -> bool {
        let ClientRecord { client, generation, .. } = record;
        if client.backchannel_logout_uri.is_none() && client.frontchannel_logout_uri.is_none() {
            return false;
        }
        let told = self.told || client.backchannel_logout_uri.is_some();
        let known = self.clients.get(&client.client_id);
        if known == Some(generation) && told == self.told {
            return false;
        }
        if known.is_none() && self.clients.len() >= Self::MAX_CLIENTS {
            warn!(target: "oauth2", sid = %self.sign_in.sid, "a session has too many clients to tell them all");
            return false;
        }
        self.clients.insert(client.client_id.clone(), *generation);
        self.told = told;
        true
    }

    /// Waits for its end if somebody is to be told of it, and nobody waits yet.
    pub(crate) fn watch(&mut self, cx: &mut Cx<'_>) -> Option<MainWrite> {
        // Who comes earlier waits on.
        if !self.told || self.watched_until.is_some_and(|until| until <= self.expires_at) {
            return None;
        }
        self.watched_until = Some(self.expires_at);
        Some(SessionExpiry { sid: self.sign_in.sid }.write(self.expires_at, cx))
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.sign_in.subject
    }
}

impl Kind for LoginSession {
    type Class = Main;
    const NAME: &'static str = "login_session";

    fn index(&self) -> Vec<IndexEntry> {
        vec![ByRelation::SESSIONS_OF_SUBJECT.entry(self.subject().as_str())]
    }

    fn keep_until(&self) -> Option<Timestamp> {
        let retention = match self.watched_until.is_some() && !self.ended {
            true => Self::RETENTION_UNTOLD,
            false => Self::RETENTION,
        };
        Some(self.expires_at.saturating_add(retention))
    }
}

/// The writes by which a session knows a client that is answered in it: none if it does already.
pub(crate) fn join(
    session: &Found<LoginSession>,
    client: &ClientRecord,
    cx: &mut Cx<'_>,
) -> Result<Vec<MainWrite>, Need> {
    let mut joined = session.value.clone();
    if !joined.join(client) {
        return Ok(Vec::new());
    }
    let watch = joined.watch(cx);
    Ok([session.replace(&joined)?].into_iter().chain(watch).collect())
}

/// A session to begin.
pub(crate) struct NewSession<'a> {
    pub(crate) sign_in: SignIn,
    pub(crate) remember: bool,
    pub(crate) lifetime: Duration,
    pub(crate) generation: u64,
    pub(crate) subject: Tag,
    /// The session that goes on.
    pub(crate) previous: Option<&'a LoginSession>,
}

impl NewSession<'_> {
    /// The session and its cookie, whose secret is new each time, so that a cookie from before the
    /// sign-in is worth nothing after it.
    pub(crate) fn begin(self, cx: &mut Cx<'_>) -> (CookieSpec, LoginSession) {
        let mut lineage = Lineage::default();
        lineage.session = Some(self.sign_in.sid);
        lineage.subject = Some(self.subject);
        let tenant = cx.tenant;
        let artefact = Artefact::Session;
        let (secret, handle) =
            Handle::mint(&tenant.keys, &mut cx.rng, artefact, tenant.id, cx.now, lineage);
        let max_age = self.remember.then_some(self.lifetime);
        let cookie = CookieSpec::lasting(LoginSession::COOKIE, secret.expose(), max_age);
        let session = LoginSession {
            sign_in: self.sign_in,
            digest: handle.digest.to_string(),
            remember: self.remember,
            expires_at: cx.now.saturating_add(self.lifetime),
            generation: self.generation,
            clients: self.previous.map(|it| it.clients.clone()).unwrap_or_default(),
            told: self.previous.is_some_and(|it| it.told),
            watched_until: self.previous.and_then(|it| it.watched_until),
            ended: false,
            unknown: self.previous.map(|it| it.unknown.clone()).unwrap_or_default(),
        };
        (cookie, session)
    }
}
