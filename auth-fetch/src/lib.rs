//! The outgoing HTTP client of the auth SDK: it sends requests to addresses that others have chosen.
//!
//! ```
//! use auth_fetch::SafeHttpClient;
//!
//! let client = SafeHttpClient::new()?;
//! # drop(client);
//! # Ok::<(), auth_fetch::Unusable>(())
//! ```
//!
//! A client of a provider registers where it is told of logouts, and where its keys are read. Whoever can
//! register one could so make the server ask its own network, in which it is trusted. [`SafeHttpClient`]:
//!
//! - speaks https, and with hosts of the public internet only. The address is looked at after the name is
//!   resolved, and is the one that is connected to, so that a name that leads elsewhere a moment later gains
//!   nothing;
//! - follows no redirect, goes by no proxy of the environment, and sends no cookies;
//! - gives up after 5 seconds, or at 1 MiB, and has 10 requests under way at most, 2 of them to one host. It
//!   undoes no compression.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
mod global;
mod lookup;
mod rule;

pub use client::{SafeHttpClient, SafeHttpClientBuilder, Unusable};
