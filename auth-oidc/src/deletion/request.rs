//! [`RequestDeletion`]: the commit by which a subject's deletion begins.

use auth_core::Subject;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::job::enqueue;
use auth_core::record::{Shadow, Tag};

use crate::deletion::DeleteSubject;

/// Revokes a subject for ever, and enqueues the job that removes what belonged to it.
#[derive(Debug)]
pub(super) struct RequestDeletion {
    pub(super) subject: Subject,
    pub(super) unindexed: bool,
}

impl Decision for RequestDeletion {
    type Answer = ();
    type Refusal = std::convert::Infallible;

    fn prefetch(&self) -> Asks {
        Asks::none()
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<(), Self::Refusal>, Need> {
        let key = Shadow::at(&Tag::subject(cx.tenant.id, self.subject.as_str()));
        let found = facts.read(&key)?;
        let known = found.as_ref().map(|found| found.value.clone()).unwrap_or_default();
        if known.deleting {
            return Ok(Outcome::answer(()));
        }
        let generation = known.generation + 1;
        let revoked = Shadow { generation, revoked: true, deleting: true, ..known };
        let write = match &found {
            Some(found) => found.replace(&revoked)?,
            None => key.create(&revoked),
        };
        let job = DeleteSubject::new(self.subject.clone(), self.unindexed);
        let now = cx.now;
        let job = enqueue(&job, &mut cx.rng, now);
        Outcome::commit(cx.batch().write(write).write(job), Ok(()))
    }
}
