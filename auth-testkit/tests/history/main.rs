//! The check of histories: what it accepts and refuses, and what it finds in stores.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, and so may what it is made of"
)]

mod arbitrary;
mod broken;
mod known;
mod processes;
mod stores;
