//! [`Known`]: what a client can know of something that it asked for.

use super::tally::Tally;

/// Whether something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    /// It was not asked for, or was seen not to have happened.
    No,
    /// It was asked for, and there was no answer.
    Perhaps,
    /// It was acknowledged, or seen.
    Yes,
}

impl Known {
    /// There was no answer.
    pub(crate) fn ask(&mut self) {
        *self = (*self).max(Self::Perhaps);
    }

    /// It was seen whether it happened. What was open is settled by that, and stays so.
    pub(crate) fn settle(&mut self, happened: bool, tally: &Tally) {
        if *self == Self::Perhaps {
            if happened { &tally.applied } else { &tally.not_applied }.add(1);
        }
        *self = if happened { Self::Yes } else { Self::No };
    }
}
