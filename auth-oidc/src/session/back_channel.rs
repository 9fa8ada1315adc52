//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0).

use std::time::Duration;

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome, Unavailable};
use auth_core::outbox::Event;
use auth_core::store::MainWrite;
use auth_core::{ClientId, Secret, SessionId, Subject};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::encryption::encrypt;
use crate::client::{Client, ClientRecord};
use crate::provider::Policy;
use crate::token::sign;

/// A client is to be told that a session ended. It waits in the outbox, and is signed when it is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogoutNotice {
    pub(crate) client_id: ClientId,
    /// The generation that the client was in.
    pub(crate) generation: u64,
    pub(crate) sid: SessionId,
    pub(crate) subject: Subject,
}

impl LogoutNotice {
    /// Of the message in the outbox.
    pub(crate) const NAME: &'static str = "backchannel_logout";

    pub(crate) fn write(&self, cx: &mut Cx<'_>) -> MainWrite {
        Event::new(Self::NAME, json!(self)).write(&mut cx.rng, cx.now)
    }
}

/// The type of a logout token (§2.4), which is no id token.
const TYP: &str = "logout+jwt";

/// What makes a JWT a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How long a logout token is good (§2.4 recommends two minutes at most).
const LIFETIME: Duration = Duration::from_secs(120);

/// Signs what tells a client.
#[derive(Debug)]
pub(crate) struct SignLogout {
    pub(crate) policy: Policy,
    pub(crate) notice: LogoutNotice,
    /// The same for each attempt, so that the client knows a repetition.
    pub(crate) jti: String,
}

/// A logout token, and where it goes.
#[derive(Debug)]
pub(crate) struct LogoutToken {
    pub(crate) uri: String,
    pub(crate) token: Secret,
}

impl SignLogout {
    /// §2.4; without a `nonce`, so that nobody takes it for an id token.
    fn claims(&self, client: &Client, cx: &Cx<'_>) -> Result<Map<String, Value>, Unavailable> {
        let LogoutNotice { client_id, sid, subject, .. } = &self.notice;
        let subject = self.policy.config.subject_for(client, subject)?;
        let sid = self.policy.config.sid_for(client, sid)?;
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", json!(cx.tenant.issuer.as_str()));
        put("aud", json!(client_id));
        put("iat", json!(cx.now.as_secs()));
        put("exp", json!(cx.now.saturating_add(LIFETIME).as_secs()));
        put("jti", json!(self.jti));
        put("sub", json!(subject));
        put("sid", json!(sid));
        put("events", json!({ EVENT: {} }));
        Ok(claims)
    }
}

impl Decision for SignLogout {
    /// `None` if the client is gone, or wants to be told no more.
    type Answer = Option<LogoutToken>;
    type Refusal = ();

    fn prefetch(&self) -> Asks {
        Asks::none().read(&ClientRecord::at(&self.notice.client_id))
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Option<LogoutToken>, ()>, Need> {
        let record = facts.read(&ClientRecord::at(&self.notice.client_id))?;
        let generation = self.notice.generation;
        let Some(record) = record.filter(|record| record.value.is_still(generation)) else {
            return Ok(Outcome::answer(None));
        };
        let client = &record.value.client;
        let Some(uri) = client.backchannel_logout_uri.clone() else {
            return Ok(Outcome::answer(None));
        };
        let default = self.policy.config.tokens.signing_algorithm;
        let algorithm = client.id_token_signed_response_alg.unwrap_or(default);
        let claims = self.claims(client, cx)?;
        let signed = sign(&self.policy.keys, algorithm, TYP, &claims, facts, cx)?;
        // A client that wants its id tokens encrypted takes no other (§2.6).
        let token = match client.id_token_encryption() {
            None => signed,
            Some(encryption) => encrypt(client, encryption, signed, facts)?,
        };
        Ok(Outcome::answer(Some(LogoutToken { uri, token })))
    }
}
