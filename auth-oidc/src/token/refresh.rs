//! Refresh families: every token is used once and has one successor.

use std::time::Duration;

use auth_core::decision::Cx;
use auth_core::record::{Kind, TypedKey, Unknown};
use auth_core::seal::{Artefact, Handle, Lineage, Purpose};
use auth_core::store::Main;
use auth_core::{GrantId, Secret, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use crate::provider::RefreshPolicy;

/// The refresh tokens of one grant: the head, and those used a moment ago.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RefreshFamily {
    /// The generation of the head, from 1.
    pub(crate) generation: u32,
    /// Of the head.
    pub(crate) head: String,
    /// Used tokens whose grace window may be open, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) used: Vec<UsedToken>,
    /// Without use, the family ends here.
    pub(crate) idle_until: Timestamp,
    /// However often it is used, the family ends here: set once, and copied at each rotation.
    pub(crate) ends_at: Timestamp,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

/// A token that was used, and its successor: sealed under a key that only the used token gives, so that
/// whoever raced with the same token gets the same successor, and the store alone gives nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct UsedToken {
    pub(crate) digest: String,
    pub(crate) used_at: Timestamp,
    pub(crate) successor: String,
}

/// What a presented token is to its family.
#[derive(Debug)]
pub(crate) enum Standing {
    /// The head: it may be used.
    Head,
    /// Used within the grace window; this is its successor.
    Grace(Secret),
    /// Used before, and the window is over: somebody has a copy.
    Reused,
}

const SUCCESSOR: Purpose = Purpose::new("refresh successor");

impl RefreshFamily {
    /// How many used tokens are remembered.
    const MAX_USED: usize = 16;

    pub(crate) fn at(grant: &GrantId) -> TypedKey<Self> {
        Self::key(&[grant.as_bytes()])
    }

    /// The first token of a family.
    pub(crate) fn begin(
        policy: &RefreshPolicy,
        lineage: Lineage,
        cx: &mut Cx<'_>,
    ) -> (Secret, Self) {
        let (token, handle) = mint(cx, lineage, 1);
        let ends_at = cx.now.saturating_add(policy.absolute_lifetime);
        let family = Self {
            generation: 1,
            head: handle.digest.to_string(),
            used: Vec::new(),
            idle_until: cx.now.saturating_add(policy.idle_lifetime).min(ends_at),
            ends_at,
            unknown: Unknown::default(),
        };
        (token, family)
    }

    /// Whether the family is over, for want of use or of age.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.idle_until || now >= self.ends_at
    }

    /// What a genuine token of this family is at `now`.
    pub(crate) fn standing(
        &self,
        tenant: &Tenant,
        token: &Secret,
        handle: &Handle,
        grace: Duration,
        now: Timestamp,
    ) -> Standing {
        let digest = handle.digest.to_string();
        if self.head == digest {
            return Standing::Head;
        }
        self.successor(tenant, token, &digest, grace, now).map_or(Standing::Reused, Standing::Grace)
    }

    /// The head, for whoever presents a token that was used a moment ago: from successor to successor, as
    /// long as the windows are open, so that nobody is left with one that was used meanwhile.
    fn successor(
        &self,
        tenant: &Tenant,
        token: &Secret,
        digest: &str,
        grace: Duration,
        now: Timestamp,
    ) -> Option<Secret> {
        let (mut token, mut digest) = (token.clone(), digest.to_owned());
        for _ in 0..=self.used.len() {
            let used = self.used.iter().find(|used| used.digest == digest)?;
            if now >= used.used_at.saturating_add(grace) {
                return None;
            }
            let opened = tenant.keys.open(SUCCESSOR, &[token.expose()], &used.successor).ok()?;
            token = Secret::new(String::from_utf8(opened).ok()?);
            let next = Artefact::RefreshToken;
            digest =
                Handle::parse(&tenant.keys, next, tenant.id, token.expose())?.digest.to_string();
            if digest == self.head {
                return Some(token);
            }
        }
        None
    }

    /// Uses the head `token`: gives its successor and the family after that.
    pub(crate) fn rotate(
        &self,
        policy: &RefreshPolicy,
        token: &Secret,
        handle: &Handle,
        cx: &mut Cx<'_>,
    ) -> (Secret, Self) {
        let generation = self.generation.saturating_add(1);
        let (successor, next) = mint(cx, handle.lineage, generation);
        let sealed = cx.tenant.keys.seal(
            &mut cx.rng,
            SUCCESSOR,
            &[token.expose()],
            successor.expose().as_bytes(),
        );
        let mut used = self.used.clone();
        used.retain(|used| cx.now < used.used_at.saturating_add(policy.grace));
        // A client that refreshes without end keeps the newest only.
        used.drain(..used.len().saturating_sub(Self::MAX_USED - 1));
        used.push(UsedToken {
            digest: handle.digest.to_string(),
            used_at: cx.now,
            successor: sealed,
        });
        let family = Self {
            generation,
            head: next.digest.to_string(),
            used,
            idle_until: cx.now.saturating_add(policy.idle_lifetime).min(self.ends_at),
            ..self.clone()
        };
        (successor, family)
    }
}

fn mint(cx: &mut Cx<'_>, lineage: Lineage, generation: u32) -> (Secret, Handle) {
    let mut lineage = lineage;
    lineage.generation = generation;
    let (tenant, artefact) = (cx.tenant, Artefact::RefreshToken);
    Handle::mint(&tenant.keys, &mut cx.rng, artefact, tenant.id, cx.now, lineage)
}

impl Kind for RefreshFamily {
    type Class = Main;
    const NAME: &'static str = "refresh_family";

    fn keep_until(&self) -> Option<Timestamp> {
        Some(self.ends_at)
    }
}
