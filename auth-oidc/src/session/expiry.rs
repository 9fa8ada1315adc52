//! [`SessionExpiry`]: a session that nobody ends, ends by itself, and its clients are told all the same.

use auth_core::SessionId;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::outbox::Event;
use auth_core::store::{BatchBuilder, MainWrite, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::session::ending::end;
use crate::session::login_session::LoginSession;

/// A session is due to end. If it was prolonged meanwhile, that is waited for by the next message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SessionExpiry {
    pub(crate) sid: SessionId,
}

impl SessionExpiry {
    /// Of the message in the outbox.
    pub(crate) const NAME: &'static str = "session_expiry";

    pub(crate) fn write(&self, at: Timestamp, cx: &mut Cx<'_>) -> MainWrite {
        let event = Event::new(Self::NAME, json!(self));
        event.write_due(&mut cx.rng, cx.now, at)
    }
}

impl Decision for SessionExpiry {
    type Answer = ();
    type Refusal = ();

    fn prefetch(&self) -> Asks {
        Asks::none().read(&LoginSession::at(&self.sid))
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<(), ()>, Need> {
        match facts.read(&LoginSession::at(&self.sid))? {
            Some(session) if !session.value.ended && !session.value.is_open(cx.now) => {
                let ending = end(&session, facts, cx)?;
                let batch = ending.writes.into_iter().fold(cx.batch(), BatchBuilder::write);
                Ok(Outcome::commit(batch, Ok(()))?)
            }
            // It was prolonged.
            Some(session) if session.value.is_open(cx.now) => {
                let mut prolonged = LoginSession { watched_until: None, ..session.value.clone() };
                let Some(watch) = prolonged.watch(cx) else { return Ok(Outcome::answer(())) };
                let batch = cx.batch().write(session.replace(&prolonged)?).write(watch);
                Ok(Outcome::commit(batch, Ok(()))?)
            }
            _ => Ok(Outcome::answer(())),
        }
    }
}
