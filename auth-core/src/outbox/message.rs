//! [`Message`]: one effect that waits to be delivered.

use std::fmt;
use std::time::Duration;

use auth_store::limits::DUE_SHARDS;
use auth_store::{Due, IndexEntry, Key, Main, MainWrite, Queue, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::Rng;
use crate::queue::{LEASE, Queued, backoff};
use crate::record::{Kind, TypedKey, Unknown};

/// An event that must not be lost, in the same commit as what it tells of.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// What happened, such as `refresh_token_reused`.
    pub name: &'static str,
    /// Whom it concerns: identifiers, never secrets.
    pub detail: Value,
}

impl Event {
    /// An event.
    #[must_use]
    pub fn new(name: &'static str, detail: Value) -> Self {
        Self { name, detail }
    }

    /// The write that puts it into the outbox, due at once.
    #[must_use]
    pub fn write(&self, rng: &mut Rng, now: Timestamp) -> MainWrite {
        self.write_due(rng, now, now)
    }

    /// The write that puts it into the outbox, due at `due`.
    #[must_use]
    pub fn write_due(&self, rng: &mut Rng, now: Timestamp, due: Timestamp) -> MainWrite {
        let id: [u8; 16] = rng.bytes();
        let shard = u16::from_be_bytes([id[0], id[1]]) % DUE_SHARDS;
        let message = Message {
            name: self.name.to_owned(),
            detail: self.detail.clone(),
            happened_at: now,
            attempts: 0,
            due: Some(due),
            shard,
            delivered: false,
            death: None,
            unknown: Unknown::default(),
        };
        Message::key(&[&now.as_millis().to_be_bytes(), &id]).create(&message)
    }
}

/// The name of a message: when it was written, and 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 24]);

impl MessageId {
    /// Reads the text form; `None` if it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    pub(super) fn of(key: &Key) -> Option<Self> {
        Some(Self(key.parts().concat().try_into().ok()?))
    }

    pub(super) fn key(&self) -> TypedKey<Message> {
        let (millis, id) = self.0.split_at(8);
        Message::key(&[millis, id])
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What happened.
    pub name: String,
    /// Whom it concerns.
    pub detail: Value,
    /// When.
    pub happened_at: Timestamp,
    /// How often its delivery was tried.
    pub attempts: u32,
    /// When it is to be tried next; `None` for a dead letter, which waits for an operator.
    due: Option<Timestamp>,
    shard: u16,
    /// Delivered; the record is only waiting to be swept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    delivered: bool,
    /// When it became a dead letter, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    death: Option<Death>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// The end of a message that could not be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Death {
    pub(super) at: Timestamp,
    pub(super) cause: CauseOfDeath,
}

/// Why a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CauseOfDeath {
    /// The last of its attempts was refused.
    Refused,
    /// The last of its attempts never ended: whoever made it died, or could not write down what came of it.
    Lost,
}

impl Message {
    /// After how many attempts a message becomes a dead letter.
    pub const MAX_ATTEMPTS: u32 = 12;
    /// For how long a worker may deliver before another may try.
    pub const LEASE: Duration = LEASE;
    /// For how long a dead letter waits for an operator: 30 days.
    pub const DEAD_LETTER_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

    /// The index in which dead letters stand, by the time of their death.
    pub(super) const DEAD_LETTERS: &'static str = "dead_letter";

    /// Whether it is a dead letter.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.due.is_none() && !self.delivered
    }

    /// Whether every attempt was used up, and none of them brought an end.
    pub(super) fn is_lost(&self) -> bool {
        self.attempts >= Self::MAX_ATTEMPTS
    }

    /// Versions of the program before this one did not write it down.
    pub(super) fn death(&self) -> Death {
        let unwritten = Death { at: self.happened_at, cause: CauseOfDeath::Refused };
        self.death.unwrap_or(unwritten)
    }

    /// The message once it is delivered: not due any more, and past its retention.
    pub(super) fn delivered(&self) -> Self {
        Self { delivered: true, due: None, ..self.clone() }
    }

    /// The message after a failed attempt: due again after 2, 4, 8, … seconds, at most an hour.
    pub(super) fn failed(&self, now: Timestamp) -> Self {
        if self.attempts >= Self::MAX_ATTEMPTS {
            return self.buried(now, CauseOfDeath::Refused);
        }
        Self { due: Some(now.saturating_add(backoff(self.attempts))), ..self.clone() }
    }

    /// The message as a dead letter.
    pub(super) fn buried(&self, at: Timestamp, cause: CauseOfDeath) -> Self {
        Self { due: None, death: Some(Death { at, cause }), ..self.clone() }
    }

    /// The message with all its attempts before it, due at once.
    pub(super) fn replayed(&self, now: Timestamp) -> Self {
        Self { due: Some(now), death: None, attempts: 0, ..self.clone() }
    }
}

impl Kind for Message {
    type Class = Main;
    const NAME: &'static str = "outbox";
    /// Of the same form as the first: workers of that version handed every message on, and leave those of a later one
    /// to workers that know which of them are a provider's own.
    const SCHEMA: u32 = 2;

    fn index(&self) -> Vec<IndexEntry> {
        let entry = || {
            let at = self.death().at.as_millis().to_be_bytes();
            IndexEntry::new(Self::DEAD_LETTERS, at)
        };
        self.is_dead().then(entry).into_iter().collect()
    }

    fn keep_until(&self) -> Option<Timestamp> {
        if self.delivered {
            return Some(self.happened_at);
        }
        self.is_dead().then(|| self.death().at.saturating_add(Self::DEAD_LETTER_RETENTION))
    }

    fn due(&self) -> Option<Due> {
        self.due.map(|at| Due { queue: Queue::Outbox, at, shard: self.shard })
    }
}

impl Queued for Message {
    const QUEUE: Queue = Queue::Outbox;

    fn leased(&self, until: Timestamp) -> Self {
        Self { attempts: self.attempts + 1, due: Some(until), ..self.clone() }
    }
}
