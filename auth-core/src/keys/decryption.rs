//! The keys that clients encrypt to: which there are, and which of them is published.

use auth_store::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::KeyId;
use crate::keys::KeyManagement;
use crate::keys::rotation::{KeyPolicy, KeySetRecord, Plan, Wish};
use crate::record::Unknown;

/// One of the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredDecryptionKey {
    pub(super) kid: KeyId,
    /// A later version may have one that this one does not know: it stays as it is.
    alg: String,
    /// PKCS#8, sealed under the tenant's data keys.
    pub(super) sealed: String,
    made_at: Timestamp,
    #[serde(flatten)]
    unknown: Unknown,
}

impl StoredDecryptionKey {
    pub(super) fn new(kid: KeyId, alg: KeyManagement, sealed: String, made_at: Timestamp) -> Self {
        Self { kid, alg: alg.name().to_owned(), sealed, made_at, unknown: Unknown::default() }
    }

    pub(super) fn alg(&self) -> Option<KeyManagement> {
        self.alg.parse().ok()
    }
}

/// When a key is published: once every process can open what is encrypted to it.
fn settles(key: &StoredDecryptionKey, policy: &KeyPolicy) -> Timestamp {
    key.made_at.saturating_add(policy.reload_every.saturating_mul(2))
}

impl KeySetRecord {
    /// Those for `alg`, the newest first.
    pub(super) fn decryption_keys(&self, alg: KeyManagement) -> Vec<&StoredDecryptionKey> {
        let mut keys: Vec<_> =
            self.decryption.iter().filter(|key| key.alg() == Some(alg)).collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.made_at));
        keys
    }

    /// The one that clients are to encrypt to.
    pub(super) fn published_for(
        &self,
        alg: KeyManagement,
        policy: &KeyPolicy,
        now: Timestamp,
    ) -> Option<&StoredDecryptionKey> {
        let keys = self.decryption_keys(alg);
        let settled = keys.iter().find(|key| settles(key, policy) <= now);
        settled.or(keys.last()).copied()
    }
}

/// Adds what is to be done at `now`, where a key for each of `wanted` is to be published.
pub(super) fn plan(
    set: &KeySetRecord,
    policy: &KeyPolicy,
    wanted: &[KeyManagement],
    now: Timestamp,
    wish: &Wish,
    plan: &mut Plan,
) {
    for alg in wanted {
        let create = match set.decryption_keys(*alg).first() {
            None => true,
            Some(newest) => {
                let due = policy
                    .rotate_every
                    .is_some_and(|every| newest.made_at.saturating_add(every) <= now);
                let asked = *wish == Wish::RotateDecryption(*alg);
                due || (asked && settles(newest, policy) <= now)
            }
        };
        if create {
            plan.create_decryption.push(*alg);
        }
    }
    for key in &set.decryption {
        let Some(alg) = key.alg() else { continue };
        let out_of_use = if wanted.contains(&alg) {
            let later = set.decryption_keys(alg).into_iter().map(|other| other.made_at);
            later.filter(|at| *at > key.made_at).min()
        } else {
            // Nobody publishes it here any more; another process may.
            policy.rotate_every.map(|every| key.made_at.saturating_add(every))
        };
        if out_of_use.is_some_and(|at| at.saturating_add(policy.keep_after) <= now) {
            plan.remove.push(key.kid.clone());
        }
    }
}

/// Takes a key out at once; `None` if it is none of these. The newest has a successor, if one is wanted.
pub(super) fn revocation(
    set: &KeySetRecord,
    wanted: &[KeyManagement],
    kid: &KeyId,
) -> Option<Plan> {
    let key = set.decryption.iter().find(|key| key.kid == *kid)?;
    let alg = key.alg().filter(|alg| wanted.contains(alg));
    let create =
        alg.filter(|alg| set.decryption_keys(*alg).first().is_some_and(|it| it.kid == *kid));
    Some(Plan {
        revoke: Some(kid.clone()),
        create_decryption: create.into_iter().collect(),
        ..Plan::default()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const ECDH: KeyManagement = KeyManagement::EcdhEs;

    fn at(since_start: Duration) -> Timestamp {
        Timestamp::from_secs(1_800_000_000).unwrap().saturating_add(since_start)
    }

    fn key(name: &str, made_at: Duration) -> StoredDecryptionKey {
        StoredDecryptionKey::new(name.into(), ECDH, String::new(), at(made_at))
    }

    fn set(decryption: Vec<StoredDecryptionKey>) -> KeySetRecord {
        let mut set = KeySetRecord::default();
        set.decryption = decryption;
        set
    }

    fn planned(set: &KeySetRecord, wanted: &[KeyManagement], now: Duration, wish: &Wish) -> Plan {
        let policy = KeyPolicy { keep_after: DAY, ..KeyPolicy::default() };
        let mut planned = Plan::default();
        plan(set, &policy, wanted, at(now), wish, &mut planned);
        planned
    }

    #[test]
    fn a_key_is_replaced_and_opens_what_is_under_way() {
        let now = |set: &KeySetRecord, now| planned(set, &[ECDH], now, &Wish::Nothing);
        assert_eq!(now(&set(vec![]), DAY).create_decryption, [ECDH]);
        assert!(planned(&set(vec![]), &[], DAY, &Wish::Nothing).is_empty());
        let one = set(vec![key("old", DAY)]);
        assert!(now(&one, DAY * 2).is_empty());
        assert_eq!(now(&one, DAY * 91).create_decryption, [ECDH]);
        let both = set(vec![key("old", DAY), key("new", DAY * 91)]);
        assert!(now(&both, DAY * 91).is_empty());
        assert_eq!(now(&both, DAY * 92).remove, ["old".into()]);
    }

    #[test]
    fn a_new_key_is_published_once_everybody_can_use_it() {
        let policy = KeyPolicy::default();
        let published = |set: &KeySetRecord, now: Duration| {
            set.published_for(ECDH, &policy, at(now)).map(|key| key.kid.to_string())
        };
        assert_eq!(published(&set(vec![]), DAY), None);
        assert_eq!(published(&set(vec![key("first", DAY)]), DAY), Some("first".into()));
        let both = set(vec![key("new", DAY * 91), key("old", DAY)]);
        let second = Duration::from_secs(1);
        assert_eq!(published(&both, DAY * 91 + second), Some("old".into()));
        assert_eq!(published(&both, DAY * 91 + second * 2), Some("new".into()));
    }

    #[test]
    fn a_key_is_replaced_by_hand_once_at_a_time() {
        let rotate = Wish::RotateDecryption(ECDH);
        let one = set(vec![key("old", DAY)]);
        assert_eq!(planned(&one, &[ECDH], DAY * 2, &rotate).create_decryption, [ECDH]);
        assert!(planned(&one, &[ECDH], DAY, &rotate).is_empty());
        assert!(planned(&one, &[], DAY * 2, &rotate).is_empty());
    }

    #[test]
    fn what_is_switched_off_goes_and_has_no_successor() {
        let one = set(vec![key("old", DAY)]);
        let now = |now| planned(&one, &[], now, &Wish::Nothing).remove;
        assert!(now(DAY * 91).is_empty());
        assert_eq!(now(DAY * 92), ["old".into()]);
        let revoked = |wanted: &[KeyManagement], kid: &str| {
            let both = set(vec![key("old", DAY), key("new", DAY * 2)]);
            revocation(&both, wanted, &kid.into()).map(|plan| plan.create_decryption)
        };
        assert_eq!(revoked(&[ECDH], "new"), Some(vec![ECDH]));
        assert_eq!(revoked(&[ECDH], "old"), Some(vec![]));
        assert_eq!(revoked(&[], "new"), Some(vec![]));
        assert_eq!(revoked(&[ECDH], "another"), None);
    }

    #[test]
    fn a_key_of_a_later_version_stays_as_it_is() {
        let later = r#"{"kid":"k","alg":"HPKE-0","sealed":"s","made_at":0,"info":7}"#;
        let later: StoredDecryptionKey = serde_json::from_str(later).unwrap();
        let one = set(vec![later]);
        let planned = planned(&one, &[ECDH], DAY * 900, &Wish::Nothing);
        assert_eq!(planned, Plan { create_decryption: vec![ECDH], ..Plan::default() });
        let text = serde_json::to_string(&one.decryption).unwrap();
        assert!(text.contains("HPKE-0") && text.contains(r#""info":7"#), "{text}");
    }
}
