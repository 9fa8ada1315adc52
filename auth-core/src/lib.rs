//! Vocabulary and ports of the auth SDK.
//!
//! Everything that the engines share and nothing of what they decide: identifiers and secrets, typed
//! records over the storage contract, decisions and the driver that feeds them with facts, sealing and
//! signing, the HTTP boundary, and the ports behind which the embedder's own things stand.
//!
//! ```text
//!   http::Request ─▶ Engine ─▶ Decision ── Need ──▶ Driver ──▶ Store
//!                                 │                   ├──────▶ TokenSigner
//!                                 │                   ├──────▶ IdentityDirectory
//!                                 │                   └──────▶ Hook
//!                                 └── Outcome { batch, answer } ──▶ commit ──▶ http::Response
//! ```
//!
//! The crate has no runtime, no framework and no database driver. Its features add API and change
//! nothing: `aws-lc` adds the generation of RSA keys, and halves the time of signatures by RSA and Ed25519.

pub mod challenge;
mod clock;
pub mod decision;
mod directory;
mod documents;
mod hook;
pub mod http;
mod http_client;
mod id;
pub mod job;
pub mod keys;
mod limiter;
pub mod outbox;
pub mod page;
mod password;
mod principal;
mod queue;
pub mod record;
mod scope;
pub mod seal;
mod secret;
pub mod settle;
mod sweeper;
mod tenant;
mod tombstone;
pub mod transfer;

pub use auth_store as store;
pub use auth_store::{Store, TenantId, Timestamp};

pub use clock::{Clock, Entropy, NoEntropy, SystemClock, SystemEntropy};
pub use directory::{Authentication, Identity, IdentityDirectory, MemoryDirectory};
pub use documents::{Document, DocumentError, Documents, Fetch};
pub use hook::{Hook, HookCall, NoHook};
pub use http_client::{FetchError, Forbidden, HttpClient};
pub use id::{ChallengeId, ClientId, GrantId, KeyId, RequestId, SessionId, Subject};
pub use limiter::{
    Attempt, Limited, MemoryRateLimiter, RateLimiter, StoreRateLimiter, TooManyAttempts,
};
pub use page::{PageRenderer, PageView};
pub use password::{PasswordCost, PasswordHasher};
pub use principal::{Authority, Carrier, CurrentSession, Denied, Principal, bearer_token};
pub use scope::{InvalidScope, Scopes};
pub use secret::Secret;
pub use sweeper::Sweeper;
pub use tenant::{InvalidIssuer, Issuer, Tenant};
pub use tombstone::Tombstone;
