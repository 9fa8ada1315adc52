//! The outbox: effects that leave the system in the same commit as their cause.
//!
//! A message is a record with a due time. A worker on any replica leases it by a commit, delivers it and
//! deletes it; a crash between the two delivers it again, so every message has an idempotency key.

mod message;
mod worker;

pub use message::{Event, Message};
pub use worker::{Deliver, DeliverToLog, DeliveryError, OutboxWorker, Worked};
