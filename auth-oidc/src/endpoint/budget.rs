//! [`Budget`]: how many attempts may fail in a window of time.

use std::time::Duration;

use auth_core::Timestamp;
use auth_core::decision::{Facts, Need, Work};
use auth_core::store::{Class, Key, Side, Write, WriteTo};
use ring::digest;

/// A budget of failures, counted by two counters of one window: the attempts, which are counted before they
/// are made, and those of them that were good, by which the limit of the first one grows. So attempts that
/// are made at once cannot exceed it, and whoever succeeds often has lost nothing.
///
/// Windows follow each other at fixed times. Who loses the counters gets the budget anew.
pub(super) struct Budget {
    tried: Key,
    /// The attempts that succeeded.
    pub(super) good: Key,
    limit: u64,
    keep_until: Timestamp,
}

impl Budget {
    pub(super) fn new(
        kind: &str,
        whose: &str,
        limit: u64,
        window: Duration,
        now: Timestamp,
    ) -> Self {
        let nth = now.as_secs() / window.as_secs().max(1);
        let key = |label: &str| {
            let mut context = digest::Context::new(&digest::SHA256);
            for part in [label.as_bytes(), &nth.to_be_bytes(), whose.as_bytes()] {
                context.update(part);
                context.update(&[0]);
            }
            let mut name = [0; 32];
            name.copy_from_slice(context.finish().as_ref());
            Key::digest(Class::Side, kind, &name)
        };
        let keep_until = now.saturating_add(window * 2);
        Self { tried: key("tried"), good: key("good"), limit, keep_until }
    }

    /// Takes one place.
    pub(super) fn reserve(&self, facts: &Facts, now: Timestamp) -> Result<Work, Need> {
        let below = self.limit.saturating_add(facts.counter(&self.good, now)?);
        let keep_until = self.keep_until;
        Ok(Work::Reserve { key: self.tried.clone(), below, keep_until })
    }

    /// The write that gives a place back.
    pub(super) fn give_back(&self) -> WriteTo<Side> {
        let (key, keep_until) = (self.good.clone(), self.keep_until);
        WriteTo::of(Write::Add { key, n: 1, below: None, keep_until })
    }
}
