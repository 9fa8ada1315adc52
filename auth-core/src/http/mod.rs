//! The HTTP boundary: `http::Request<Bytes>` in, `http::Response<Bytes>` out.
//!
//! An engine is a table of routes and a way to answer them; adapters translate and do nothing else, so
//! that every framework behaves the same.

mod body;
mod cookie;
mod cors;
mod engine;
mod form;
mod locale;
mod proxy;
mod respond;

pub use body::BodyLimit;
pub use cookie::{CookieScope, CookieSpec, cookie};
pub use cors::CorsPolicy;
pub use engine::{Engine, Listener, Request, Response, Route, dispatch, paths};
pub use form::{FORM, Form, FormError};
pub use locale::preferred_locales;
pub use proxy::{InvalidNetwork, Peer, TrustedProxies};
pub use respond::{PageResponse, empty, json, jwt, no_store, redirect, text};
