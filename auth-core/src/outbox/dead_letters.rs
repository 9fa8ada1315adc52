//! [`DeadLetters`]: what could not be delivered, in the hands of an operator.

use std::sync::Arc;

use auth_store::{Cursor, Direction, Scan, ScanRange, Timestamp, Want};
use serde_json::{Value, json};
use tracing::warn;

use crate::decision::{Asks, Cx, Decision, Driver, Facts, Need, Outcome, Unavailable};
use crate::outbox::message::{CauseOfDeath, Event, Message, MessageId};
use crate::record::Found;
use crate::tenant::Tenant;

/// The dead letters of one tenant.
///
/// They stand in an index of their own, so that listing them costs as much as there are. A message that died
/// before this index was there is not listed; it can be replayed by its id, and goes after
/// [`Message::DEAD_LETTER_RETENTION`] like any other.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    driver: Driver,
    tenant: Arc<Tenant>,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its name.
    pub id: MessageId,
    /// What happened.
    pub name: String,
    /// Whom it concerns: identifiers, never secrets.
    pub detail: Value,
    /// When it happened.
    pub happened_at: Timestamp,
    /// When it was given up.
    pub died_at: Timestamp,
    /// Why.
    pub cause: CauseOfDeath,
    /// After how many attempts.
    pub attempts: u32,
}

/// A page of dead letters, the oldest first.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeadLetterPage {
    /// The letters.
    pub letters: Vec<DeadLetter>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<DeadLetterCursor>,
}

/// The end of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterCursor(Cursor);

/// A dead letter could not be replayed or discarded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// There is no such message: it was delivered, discarded, or is past its retention.
    #[error("there is no message `{0}`")]
    NotFound(MessageId),
    /// It was delivered, or waits to be: somebody else replayed it.
    #[error("the message `{0}` is not a dead letter any more: it was replayed before")]
    NotDead(MessageId),
    /// A component failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl DeadLetters {
    /// The dead letters of `tenant`.
    #[must_use]
    pub fn new(driver: Driver, tenant: Arc<Tenant>) -> Self {
        Self { driver, tenant }
    }

    /// A page of at most `limit` dead letters, 1 to 1000, after where the last page ended.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn list(
        &self,
        after: Option<&DeadLetterCursor>,
        limit: u16,
    ) -> Result<DeadLetterPage, Unavailable> {
        let scan = Scan {
            range: ScanRange::Index {
                name: Message::DEAD_LETTERS,
                start: Box::default(),
                // No time has so many milliseconds.
                end: Box::new([0xff; 8]),
            },
            direction: Direction::Ascending,
            limit,
            after: after.map(|cursor| cursor.0.clone()),
            skip: 0,
            want: Want::Records,
        };
        let pages = self.driver.ports().store.scan(self.tenant.id, &[scan]).await?;
        let Some(page) = pages.into_iter().next() else { return Ok(DeadLetterPage::default()) };
        let mut letters = Vec::with_capacity(page.records.len());
        for record in &page.records {
            // One that cannot be read must not hide the others.
            match Found::<Message>::read(record) {
                Ok(found) => letters.extend(letter(&found)),
                Err(error) => warn!(key = ?record.key, %error, "a dead letter is damaged"),
            }
        }
        Ok(DeadLetterPage { letters, next: page.next.map(DeadLetterCursor) })
    }

    /// Makes a dead letter due at once, with all its attempts before it, and tells so by the event
    /// `dead_letter_replayed`. Whoever receives it knows it again by its idempotency key.
    ///
    /// # Errors
    /// [`DeadLetterError`]. Of several who replay the same letter one succeeds.
    pub async fn replay(&self, id: &MessageId) -> Result<(), DeadLetterError> {
        self.driver.run(&self.tenant, &Change { id: *id, what: What::Replay }).await?
    }

    /// Replays every message that is a dead letter now, and says how many that were.
    ///
    /// # Errors
    /// [`Unavailable`]; some may be replayed then.
    pub async fn replay_all(&self) -> Result<u64, Unavailable> {
        let now = self.driver.ports().clock.now();
        let mut replayed = 0;
        let mut after = None;
        loop {
            let page = self.list(after.as_ref(), 100).await?;
            for letter in page.letters {
                if letter.died_at > now {
                    return Ok(replayed);
                }
                match self.replay(&letter.id).await {
                    Ok(()) => replayed += 1,
                    Err(DeadLetterError::Unavailable(error)) => return Err(error),
                    // Somebody else was faster.
                    Err(_) => {}
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(replayed);
            }
        }
    }

    /// Removes a dead letter, and tells so by the event `dead_letter_discarded`.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    pub async fn discard(&self, id: &MessageId) -> Result<(), DeadLetterError> {
        self.driver.run(&self.tenant, &Change { id: *id, what: What::Discard }).await?
    }
}

fn letter(found: &Found<Message>) -> Option<DeadLetter> {
    let message = &found.value;
    let death = message.death();
    Some(DeadLetter {
        id: MessageId::of(found.key().raw())?,
        name: message.name.clone(),
        detail: message.detail.clone(),
        happened_at: message.happened_at,
        died_at: death.at,
        cause: death.cause,
        attempts: message.attempts,
    })
}

/// What an operator does with one letter.
#[derive(Debug)]
struct Change {
    id: MessageId,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Replay,
    Discard,
}

impl Decision for Change {
    type Answer = ();
    type Refusal = DeadLetterError;

    fn prefetch(&self) -> Asks {
        Asks::none().read(&self.id.key())
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<(), DeadLetterError>, Need> {
        let Some(found) = facts.read(&self.id.key())? else {
            return Ok(Outcome::refuse(DeadLetterError::NotFound(self.id)));
        };
        if !found.value.is_dead() {
            return Ok(Outcome::refuse(DeadLetterError::NotDead(self.id)));
        }
        let (name, write) = match self.what {
            What::Replay => ("dead_letter_replayed", found.replace(&found.value.replayed(cx.now))?),
            What::Discard => ("dead_letter_discarded", found.delete()),
        };
        let detail = json!({"id": self.id.to_string(), "event": found.value.name});
        let now = cx.now;
        let event = Event::new(name, detail).write(&mut cx.rng, now);
        Outcome::commit(cx.batch().write(write).write(event), Ok(()))
    }
}
