//! Challenges as text: sealed, deflated, bound to purpose, tenant and issuer.

use std::time::Duration;

use auth_core::challenge::DeskError;
use auth_core::decision::{Cx, Done, Facts, Need, Reservation, Unavailable, Work};
use auth_core::page::Remedy;
use auth_core::record::{Kind, TypedKey};
use auth_core::seal::{Purpose, SealError};
use auth_core::store::{Class, Key, Main, MainWrite};
use auth_core::{ChallengeId, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use crate::authorize::{AuthorizeRefusal, PageError};
use crate::challenge::deflate::{deflate, inflate};
use crate::challenge::{Challenge, Question};
use crate::refusal::ErrorCode;
use crate::stop::Stop;

/// The longest challenge that travels in a URL, in bytes; a longer one is stored.
const MAX_IN_URL: usize = 1800;
/// How many challenges and pushed requests of one source are stored in a minute.
const STORED_PER_MINUTE: u64 = 30;

/// Which family of questions a challenge belongs to; one is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kindred {
    Login,
    Consent,
    Logout,
}

impl Kindred {
    pub(crate) const ALL: [Self; 3] = [Self::Login, Self::Consent, Self::Logout];

    fn of(question: &Question) -> Self {
        match question {
            Question::Login(_) => Self::Login,
            Question::Consent(_) => Self::Consent,
            Question::Logout(_) => Self::Logout,
        }
    }

    const fn purpose(self) -> Purpose {
        match self {
            Self::Login => Purpose::new("login challenge"),
            Self::Consent => Purpose::new("consent challenge"),
            Self::Logout => Purpose::new("logout challenge"),
        }
    }
}

/// What is under the seal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sealed {
    Whole(Box<Challenge>),
    /// It stands in the store, since it is too long for a URL.
    Stored(ChallengeId),
}

/// A challenge that is too long for a URL.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredChallenge {
    challenge: Challenge,
}

impl StoredChallenge {
    fn at(id: &ChallengeId) -> TypedKey<Self> {
        Self::key(&[id.as_bytes()])
    }
}

impl Kind for StoredChallenge {
    type Class = Main;
    const NAME: &'static str = "challenge";

    fn keep_until(&self) -> Option<Timestamp> {
        Some(self.challenge.expires_at)
    }
}

/// The text of a challenge, and what must be committed for it: nothing, unless it is too long for a URL,
/// which is limited for each `source` and fails closed.
pub(crate) fn pose(
    challenge: &Challenge,
    source: &str,
    facts: &Facts,
    cx: &mut Cx<'_>,
) -> Result<(String, Option<MainWrite>), Stop<AuthorizeRefusal>> {
    let purpose = Kindred::of(&challenge.question).purpose();
    let text = seal(cx, purpose, &Sealed::Whole(Box::new(challenge.clone())));
    if text.len() <= MAX_IN_URL {
        return Ok((text, None));
    }
    if reserve_storage(source, facts, cx)?.is_none() {
        let text = "too many long requests; try again in a minute";
        let error = PageError::new(ErrorCode::TemporarilyUnavailable, text);
        return Err(error.remedy(Remedy::TryLater).into());
    }
    let write = StoredChallenge::at(&challenge.id)
        .create(&StoredChallenge { challenge: challenge.clone() });
    Ok((seal(cx, purpose, &Sealed::Stored(challenge.id)), Some(write)))
}

/// Takes one of the places that a source has for what is stored before anybody has proved anything; `None` if it
/// has none left.
pub(crate) fn reserve_storage(
    source: &str,
    facts: &Facts,
    cx: &Cx<'_>,
) -> Result<Option<()>, Need> {
    let minute = cx.now.as_secs() / 60;
    let key = Key::builder(Class::Side, "stored_challenges")
        .number(minute)
        .text(source)
        .build()
        .map_err(|error| Unavailable::Defect(error.into()))?;
    let keep_until = cx.now.saturating_add(Duration::from_secs(120));
    let work = Work::Reserve { key, below: STORED_PER_MINUTE, keep_until };
    let granted = matches!(facts.done(&work)?, Done::Reserved(Reservation::Granted(_)));
    Ok(granted.then_some(()))
}

fn seal(cx: &mut Cx<'_>, purpose: Purpose, sealed: &Sealed) -> String {
    let json = serde_json::to_vec(sealed).unwrap_or_default();
    let deflated = deflate(&json);
    let context = [cx.tenant.id.as_str(), cx.tenant.issuer.as_str()];
    cx.tenant.keys.seal(&mut cx.rng, purpose, &context, &deflated)
}

/// What is under the seal of a challenge: itself, or the key under which it stands.
pub(crate) enum Opened {
    Whole(Box<Challenge>),
    Stored(Key),
}

/// Opens the text of a challenge of one of `kindred`.
pub(crate) fn open_sealed(
    tenant: &Tenant,
    kindred: &[Kindred],
    text: &str,
) -> Result<Opened, DeskError> {
    let context = [tenant.id.as_str(), tenant.issuer.as_str()];
    let mut last = SealError::Invalid;
    for kindred in kindred {
        let deflated = match tenant.keys.open(kindred.purpose(), &context, text) {
            Ok(deflated) => deflated,
            Err(error) => {
                last = error;
                continue;
            }
        };
        let sealed = inflate(&deflated).and_then(|json| serde_json::from_slice(&json).ok());
        return match sealed {
            Some(Sealed::Whole(challenge)) => Ok(Opened::Whole(challenge)),
            Some(Sealed::Stored(id)) => Ok(Opened::Stored(StoredChallenge::at(&id).raw().clone())),
            None => Err(DeskError::NotFound),
        };
    }
    Err(match last {
        SealError::UnknownKey => DeskError::UnknownKey,
        _ => DeskError::NotFound,
    })
}

/// The challenge in a record that [`Opened::Stored`] named.
pub(crate) fn read_stored(record: &auth_core::store::Record) -> Result<Challenge, DeskError> {
    let found = auth_core::record::Found::<StoredChallenge>::read(record);
    let found = found.map_err(auth_core::decision::Unavailable::from)?;
    Ok(found.value.challenge)
}
