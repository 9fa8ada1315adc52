//! The life of signing keys as a pure function: publish before use, retire after expiry.

use std::time::Duration;

use auth_store::{Main, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::id::KeyId;
use crate::keys::decryption::{self, StoredDecryptionKey};
use crate::keys::{KeyManagement, SigningAlgorithm};
use crate::record::{Kind, Unknown};

/// Which keys a tenant has, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPolicy {
    /// An active key is kept for each of these. Add one some hours before a client is signed by it: the first key of
    /// an algorithm signs at once, and verifiers may keep the set of before.
    pub algorithms: Vec<SigningAlgorithm>,
    /// How long a new key is published before it signs, so that every verifier which follows the cache
    /// headers of the JWK set knows it: at least the five minutes that these permit, and twice `reload_every`.
    /// Default: one hour.
    pub publish_before: Duration,
    /// After what time a key is replaced; `None` rotates by hand only. Default: 90 days.
    pub rotate_every: Option<Duration>,
    /// How long a replaced key stays published: as long as anything that it signed may come back, which
    /// for id tokens as logout hints is the longest login session; at least as long as that and as any token.
    /// Default: 31 days.
    pub keep_after: Duration,
    /// How long a process goes by what it read: for as long it may sign with a key that another one
    /// revoked. At most half of `publish_before`. Default: one second, which is one read a second.
    pub reload_every: Duration,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            algorithms: vec![SigningAlgorithm::Es256, SigningAlgorithm::Rs256],
            publish_before: HOUR,
            rotate_every: Some(HOUR * 24 * 90),
            keep_after: HOUR * 24 * 31,
            reload_every: Duration::from_secs(1),
        }
    }
}

/// A tenant's signing keys, all in one record, so that a rotation is one atomic change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct KeySetRecord {
    pub(super) keys: Vec<StoredKey>,
    /// Those that clients encrypt to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) decryption: Vec<StoredDecryptionKey>,
    /// Keys that are never to come back, not even if the operator still supplies them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) revoked: Vec<KeyId>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// One key of the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredKey {
    pub(super) kid: KeyId,
    pub(super) alg: SigningAlgorithm,
    /// PKCS#8, sealed under the tenant's data keys.
    pub(super) sealed: String,
    pub(super) active_from: Timestamp,
}

impl Kind for KeySetRecord {
    type Class = Main;
    const NAME: &'static str = "signing_keys";

    fn keep_until(&self) -> Option<Timestamp> {
        None
    }
}

/// What is to be done to a key set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Make a key for the algorithm that signs from this moment on.
    pub(super) create: Vec<(SigningAlgorithm, Timestamp)>,
    /// Make a key for clients to encrypt to.
    pub(super) create_decryption: Vec<KeyManagement>,
    /// Remove these, which can have signed nothing that is still good.
    pub(super) remove: Vec<KeyId>,
    /// Remove this one, whatever it signed, and never take it again.
    pub(super) revoke: Option<KeyId>,
    /// Let these sign at once.
    pub(super) activate: Vec<KeyId>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Says what was done; `made` is whether new keys could be made.
    pub(super) fn report(&self, tenant: TenantId, made: bool) {
        if let Some(kid) = &self.revoke {
            info!(target: "audit", %tenant, %kid, "key_revoked");
        }
        if !made {
            return;
        }
        for (algorithm, from) in &self.create {
            info!(target: "audit", %tenant, %algorithm, %from, "signing_key_published");
        }
        for algorithm in &self.create_decryption {
            info!(target: "audit", %tenant, %algorithm, "encryption_key_published");
        }
    }
}

/// What an operator asks of a key set besides what its policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    /// A new key, whatever the age of the old one.
    Rotate(SigningAlgorithm),
    /// The same of a key that clients encrypt to.
    RotateDecryption(KeyManagement),
    /// That nothing which this key signed is good any more, or nothing that is encrypted to it.
    Revoke(KeyId),
}

/// Decides what a key set needs at `now`; `wanted` are the algorithms that clients may encrypt by.
pub(super) fn plan(
    set: &KeySetRecord,
    policy: &KeyPolicy,
    wanted: &[KeyManagement],
    now: Timestamp,
    wish: &Wish,
) -> Plan {
    if let Wish::Revoke(kid) = wish
        && let Some(key) = set.keys.iter().find(|key| key.kid == *kid)
    {
        return revocation(set, key, now);
    }
    if let Wish::Revoke(kid) = wish
        && let Some(plan) = decryption::revocation(set, wanted, kid)
    {
        return plan;
    }
    let rotate = match wish {
        Wish::Rotate(algorithm) => Some(*algorithm),
        _ => None,
    };
    let mut plan = Plan::default();
    for algorithm in &policy.algorithms {
        let newest =
            set.keys.iter().filter(|key| key.alg == *algorithm).map(|key| key.active_from).max();
        match newest {
            None => plan.create.push((*algorithm, now)),
            Some(newest) => {
                let due = policy.rotate_every.is_some_and(|every| {
                    newest.saturating_add(every) <= now.saturating_add(policy.publish_before)
                });
                let pending = newest > now;
                if (due || rotate == Some(*algorithm)) && !pending {
                    plan.create.push((*algorithm, now.saturating_add(policy.publish_before)));
                }
            }
        }
    }
    for key in &set.keys {
        let replaced_at = set
            .keys
            .iter()
            .filter(|other| other.alg == key.alg && other.active_from > key.active_from)
            .map(|other| other.active_from)
            .min();
        if replaced_at.is_some_and(|at| at.saturating_add(policy.keep_after) <= now) {
            plan.remove.push(key.kid.clone());
        }
    }
    decryption::plan(set, policy, wanted, now, wish, &mut plan);
    plan
}

/// Takes a key out at once. If it was the one that signs, its successor signs at once, too: the one that
/// was published already, or a new one that verifiers have yet to fetch.
fn revocation(set: &KeySetRecord, revoked: &StoredKey, now: Timestamp) -> Plan {
    let others = || set.keys.iter().filter(|key| key.alg == revoked.alg && key.kid != revoked.kid);
    let signs = revoked.active_from <= now
        && !others().any(|key| revoked.active_from < key.active_from && key.active_from <= now);
    let mut plan = Plan { revoke: Some(revoked.kid.clone()), ..Plan::default() };
    if signs {
        match others().filter(|key| key.active_from > now).min_by_key(|key| key.active_from) {
            Some(pending) => plan.activate.push(pending.kid.clone()),
            None => plan.create.push((revoked.alg, now)),
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(set: &KeySetRecord, policy: &KeyPolicy, now: Timestamp, wish: &Wish) -> Plan {
        super::plan(set, policy, &[], now, wish)
    }

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(86_400);

    fn at(since_start: Duration) -> Timestamp {
        Timestamp::from_secs(1_800_000_000).unwrap().saturating_add(since_start)
    }

    fn set(active_from: &[Timestamp]) -> KeySetRecord {
        let key = |active_from: &Timestamp| StoredKey {
            kid: active_from.to_string().into(),
            alg: SigningAlgorithm::Es256,
            sealed: String::new(),
            active_from: *active_from,
        };
        KeySetRecord { keys: active_from.iter().map(key).collect(), ..KeySetRecord::default() }
    }

    fn policy() -> KeyPolicy {
        let algorithms = vec![SigningAlgorithm::Es256];
        KeyPolicy { algorithms, keep_after: DAY, ..KeyPolicy::default() }
    }

    #[test]
    fn the_first_key_signs_at_once() {
        let plan = plan(&set(&[]), &policy(), at(DAY), &Wish::Nothing);
        assert_eq!(plan.create, [(SigningAlgorithm::Es256, at(DAY))]);
    }

    #[test]
    fn a_new_key_is_published_before_it_signs() {
        let first = at(Duration::ZERO);
        assert!(plan(&set(&[first]), &policy(), at(DAY * 89), &Wish::Nothing).is_empty());
        let now = at(DAY * 90 - HOUR);
        let due = plan(&set(&[first]), &policy(), now, &Wish::Nothing);
        assert_eq!(due.create, [(SigningAlgorithm::Es256, at(DAY * 90))]);
        let pending = set(&[first, at(DAY * 90)]);
        assert!(plan(&pending, &policy(), now, &Wish::Rotate(SigningAlgorithm::Es256)).is_empty());
    }

    #[test]
    fn a_replaced_key_stays_until_its_tokens_are_expired() {
        let both = set(&[at(Duration::ZERO), at(DAY)]);
        assert!(plan(&both, &policy(), at(DAY * 2 - HOUR), &Wish::Nothing).remove.is_empty());
        let gone = plan(&both, &policy(), at(DAY * 2), &Wish::Nothing);
        assert_eq!(gone.remove, [both.keys[0].kid.clone()]);
    }

    #[test]
    fn a_revoked_key_has_a_successor_that_signs_at_once() {
        let revoke = |set: &KeySetRecord, place: usize, now| {
            plan(set, &policy(), now, &Wish::Revoke(set.keys[place].kid.clone()))
        };
        let alone = set(&[at(Duration::ZERO)]);
        let made = revoke(&alone, 0, at(DAY));
        assert_eq!(made.create, [(SigningAlgorithm::Es256, at(DAY))]);
        assert_eq!(made.revoke, Some(alone.keys[0].kid.clone()));

        // One is published already, and one is long replaced: the first takes over.
        let three = set(&[at(Duration::ZERO), at(DAY), at(DAY * 3)]);
        let taken = revoke(&three, 1, at(DAY * 2));
        assert_eq!(taken.activate, [three.keys[2].kid.clone()]);
        assert!(taken.create.is_empty());
        // Who does not sign needs no successor.
        for place in [0, 2] {
            let plan = revoke(&three, place, at(DAY * 2));
            assert!(plan.create.is_empty() && plan.activate.is_empty());
            assert!(plan.revoke.is_some());
        }
    }
}
