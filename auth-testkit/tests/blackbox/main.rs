//! The black-box suite: one body of tests, run against every combination of adapter and store.
//!
//! A test is a function of a [`Setup`](world::Setup); `blackbox!` makes one test of it for each
//! combination. Tests that carry the id of a row of docs/security/attacks.md begin with it.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[macro_use]
mod world;
mod flow;

mod authz;
mod authz_session;
mod back_channel;
mod bombs;
mod budgets;
mod build;
mod caut;
mod caut_assertion;
mod caut_secret_jwt;
mod challenge;
mod claims;
mod code;
mod conformance;
mod deletion;
mod dosr;
mod encrypted_requests;
mod encryption;
mod everywhere;
mod explain;
mod forgery;
mod front;
mod front_channel;
mod headless;
mod health;
mod in_chromium;
mod interop;
mod intr;
mod jars;
mod jwks_uri;
mod jwtv;
mod keym;
mod limits;
mod logout;
mod logout_session;
mod ored;
mod outage;
mod pairwise;
mod par;
mod pkce;
mod ports;
mod refr;
mod replicas;
mod request_uri;
mod requested_claims;
mod response_types;
mod revocation;
mod rotation;
mod rp;
mod ruri;
mod ruri_flow;
mod scenarios;
mod secrets;
mod session_management;
mod signed;
mod smoke;
mod stor;
mod surface;
mod tokn;
