//! The outbox: effects that leave the system in the same commit as their cause.
//!
//! A message is a record with a due time. A worker on any replica leases it by a commit, delivers it and
//! marks it as delivered, so that the next sweep removes it; a crash between the two delivers it again, so
//! every message has an idempotency key. What cannot be delivered, or takes its worker along, is a dead
//! letter after [`Message::MAX_ATTEMPTS`], and waits for an operator: [`DeadLetters`] lists them, and sends
//! them again or drops them.

mod dead_letters;
mod deliver;
mod message;
mod worker;

pub use dead_letters::{
    DeadLetter, DeadLetterCursor, DeadLetterError, DeadLetterPage, DeadLetters,
};
pub use deliver::{Deliver, DeliverToLog, DeliveryError};
pub use message::{CauseOfDeath, Event, Message, MessageId};
pub use worker::{OutboxWorker, Worked};
