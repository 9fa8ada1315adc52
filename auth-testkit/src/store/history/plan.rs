//! [`Plan`]: what belongs to one history, the same in every process.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use auth_store::{Class, CommitId, Key, Store, TenantId};

use super::call::Call;
use super::client::Client;
use super::operation::{Slot, Version};

/// How many clients a history has, numbered from 1.
pub const CLIENTS: u8 = 4;

/// One of the many histories of a seed.
///
/// Every even one lives in the class `Main`, every odd one in `Side`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    number: u64,
    /// The seed of this history alone.
    seed: u64,
}

impl Plan {
    /// The history `number` of a seed.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let seed = fastrand::Rng::with_seed(rng.u64(..) ^ number).u64(..);
        Self { number, seed }
    }

    /// Randomness for one purpose.
    pub(super) fn rng(&self, purpose: u8) -> fastrand::Rng {
        let mut rng = fastrand::Rng::with_seed(self.seed);
        fastrand::Rng::with_seed(rng.u64(..) ^ u64::from(purpose))
    }

    /// The tenant, which is this history's alone.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        let Self { number, seed } = self;
        // At most 1 + 16 + 1 + 8 characters, all of them permitted.
        TenantId::new(&format!("h{number:x}-{:x}", seed >> 32)).unwrap_or(TenantId::DEFAULT)
    }

    /// The keys that its clients contend for: the first few of all.
    pub(super) fn slots(&self) -> &'static [Slot] {
        let count = self.rng(0).usize(1..=Slot::ALL.len());
        &Slot::ALL[..count]
    }

    pub(super) fn class(&self) -> Class {
        if self.number.is_multiple_of(2) { Class::Main } else { Class::Side }
    }

    pub(super) fn key(&self, slot: Slot) -> Key {
        Key::digest(self.class(), "history", &[slot as u8; 32])
    }

    pub(super) fn slot(&self, key: &Key) -> Option<Slot> {
        Slot::ALL.into_iter().find(|slot| self.key(*slot) == *key)
    }

    pub(super) fn commit_id(&self, version: Version) -> CommitId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.seed.to_be_bytes());
        bytes[14] = version.client;
        bytes[15] = version.commit;
        CommitId::from_bytes(bytes)
    }

    pub(super) fn version(&self, id: CommitId) -> Option<Version> {
        let [.., client, commit] = *id.as_bytes();
        let version = Version { client, commit };
        let known = (1..=CLIENTS).contains(&client) && self.commit_id(version) == id;
        known.then_some(version)
    }

    /// Does what a client of this history does, and gives its calls.
    pub async fn run(&self, client: u8, access: &Access) -> Vec<Call> {
        Client::new(*self, client).run(access).await
    }
}

/// A client's way to the database.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "what a program that runs clients has to give")]
pub struct Access {
    /// A handle on the database.
    pub store: Arc<dyn Store>,
    /// Nanoseconds that pass in the same way for all clients of a history. [`Access::since_start`] does so
    /// for those of one process.
    pub clock: fn() -> u64,
    /// Whether others go first now and then while a call is under way. Where calls are over at once, as
    /// in memory, they would hardly ever overlap without that.
    pub interleaved: bool,
}

impl Access {
    /// Nanoseconds since the process first asked.
    #[must_use]
    pub fn since_start() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        let passed = START.get_or_init(Instant::now).elapsed();
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({:?})", self.store)
    }
}
