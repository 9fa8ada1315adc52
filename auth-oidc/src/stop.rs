//! [`Stop`]: why a step of a decision ends it.

use auth_core::decision::{Need, Outcome, Unavailable};

/// A step needs a fact, or refuses the request.
#[derive(Debug)]
pub(crate) enum Stop<R> {
    Need(Need),
    Refuse(R),
}

impl<R> Stop<R> {
    /// The same, with another refusal.
    pub(crate) fn map<Q>(self, refusal: impl FnOnce(R) -> Q) -> Stop<Q> {
        match self {
            Self::Need(need) => Stop::Need(need),
            Self::Refuse(refused) => Stop::Refuse(refusal(refused)),
        }
    }

    /// What the decision comes to when a step stops it and nothing is to be committed.
    pub(crate) fn outcome<A>(self) -> Result<Outcome<A, R>, Need> {
        match self {
            Self::Need(need) => Err(need),
            Self::Refuse(refusal) => Ok(Outcome::refuse(refusal)),
        }
    }
}

impl<R> From<Need> for Stop<R> {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

impl<R> From<Unavailable> for Stop<R> {
    fn from(error: Unavailable) -> Self {
        Self::Need(error.into())
    }
}

impl<R> From<auth_core::record::NewerSchema> for Stop<R> {
    fn from(error: auth_core::record::NewerSchema) -> Self {
        Self::Need(error.into())
    }
}

impl From<crate::refusal::Refusal> for Stop<crate::refusal::Refusal> {
    fn from(refusal: crate::refusal::Refusal) -> Self {
        Self::Refuse(refusal)
    }
}
