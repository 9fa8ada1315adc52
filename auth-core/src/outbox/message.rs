//! [`Message`]: one effect that waits to be delivered.

use std::time::Duration;

use auth_store::limits::DUE_SHARDS;
use auth_store::{Due, Main, Queue, Timestamp, Write};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::Rng;
use crate::record::{Kind, Unknown};

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
    pub fn write(&self, rng: &mut Rng, now: Timestamp) -> Write {
        let id: [u8; 16] = rng.bytes();
        let shard = u16::from_be_bytes([id[0], id[1]]) % DUE_SHARDS;
        let message = Message {
            name: self.name.to_owned(),
            detail: self.detail.clone(),
            happened_at: now,
            attempts: 0,
            due: Some(now),
            shard,
            delivered: false,
            unknown: Unknown::default(),
        };
        Message::key(&[&now.as_millis().to_be_bytes(), &id]).create(&message)
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
    #[serde(flatten)]
    unknown: Unknown,
}

impl Message {
    /// After how many attempts a message becomes a dead letter.
    pub const MAX_ATTEMPTS: u32 = 12;
    /// For how long a worker may deliver before another may try.
    pub const LEASE: Duration = Duration::from_secs(60);

    /// Whether it is a dead letter.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.due.is_none() && !self.delivered
    }

    /// The message once it is delivered: not due any more, and past its retention.
    pub(super) fn delivered(&self) -> Self {
        Self { delivered: true, due: None, ..self.clone() }
    }

    /// The message while a worker has it.
    pub(super) fn leased(&self, now: Timestamp) -> Self {
        let due = Some(now.saturating_add(Self::LEASE));
        Self { attempts: self.attempts + 1, due, ..self.clone() }
    }

    /// The message after a failed attempt: due again after 2, 4, 8, … seconds, at most an hour.
    pub(super) fn failed(&self, now: Timestamp) -> Self {
        let wait = 2_u64.saturating_pow(self.attempts).min(3600);
        let again = now.saturating_add(Duration::from_secs(wait));
        let due = (self.attempts < Self::MAX_ATTEMPTS).then_some(again);
        Self { due, ..self.clone() }
    }
}

impl Kind for Message {
    type Class = Main;
    const NAME: &'static str = "outbox";

    /// Dead letters wait for an operator for 30 days.
    fn keep_until(&self) -> Option<Timestamp> {
        if self.delivered {
            return Some(self.happened_at);
        }
        let month = Duration::from_secs(30 * 24 * 3600);
        self.is_dead().then(|| self.happened_at.saturating_add(month))
    }

    fn due(&self) -> Option<Due> {
        self.due.map(|at| Due { queue: Queue::Outbox, at, shard: self.shard })
    }
}
