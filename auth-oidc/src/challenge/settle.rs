//! [`Settle`]: stores an answer; [`Verifier`]: how the browser comes for it.

use std::time::Duration;

use auth_core::challenge::{Accept, DeskError, Reject};
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::record::{Kind, TypedKey};
use auth_core::seal::Purpose;
use auth_core::store::Main;
use auth_core::{ChallengeId, SessionId, Tenant, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::challenge::{Answer, Challenge, Question};
use crate::token::grant::ExtraClaims;

/// A challenge with its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) challenge: Challenge,
    pub(crate) answer: Answer,
    /// The session that a login's answer begins, so that a replay begins the same one.
    pub(crate) sid: SessionId,
    /// The browser came for it: the answer cannot be changed any more, and a consent's not used again.
    #[serde(default)]
    pub(crate) used: bool,
}

impl Settled {
    /// For how long an answer is remembered past its challenge, to say that it was used.
    const RETENTION: Duration = Duration::from_secs(3600);

    pub(crate) fn at(id: &ChallengeId) -> TypedKey<Self> {
        Self::key(&[id.as_bytes()])
    }
}

impl Kind for Settled {
    type Class = Main;
    const NAME: &'static str = "settled_challenge";

    fn keep_until(&self) -> Option<Timestamp> {
        Some(self.challenge.expires_at.saturating_add(Self::RETENTION))
    }
}

/// The proof that we sent a browser to come for the answer to a challenge: its id and a MAC, short, so
/// that the URL stays short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verifier {
    pub(crate) id: ChallengeId,
}

const VERIFIER: Purpose = Purpose::new("challenge verifier");

impl Verifier {
    /// The name of the parameter that carries it.
    pub(crate) const fn parameter(question: &Question) -> &'static str {
        match question {
            Question::Login(_) => "login_verifier",
            Question::Consent(_) => "consent_verifier",
            Question::Logout(_) => "logout_verifier",
        }
    }

    pub(crate) fn text(id: &ChallengeId, parameter: &str, tenant: &Tenant) -> String {
        let mac = tenant.keys.mac(VERIFIER, &[parameter.as_bytes(), id.as_bytes()]);
        URL_SAFE_NO_PAD.encode([*id.as_bytes(), mac].concat())
    }

    /// Reads the value of `parameter`; `None` if we did not make it.
    pub(crate) fn parse(text: &str, parameter: &str, tenant: &Tenant) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, mac) = bytes.split_first_chunk::<16>()?;
        let expected = tenant.keys.mac(VERIFIER, &[parameter.as_bytes(), id]);
        bool::from(expected.ct_eq(mac)).then(|| Self { id: ChallengeId::from_bytes(*id) })
    }
}

/// Stores the answer to a challenge.
#[derive(Debug)]
pub(crate) struct Settle {
    pub(crate) challenge: Challenge,
    pub(crate) answer: Result<Accept, Reject>,
}

impl Settle {
    fn answer(&self, now: Timestamp) -> Result<Answer, DeskError> {
        let seconds = |duration: Option<Duration>| duration.map(|d| d.as_secs());
        Ok(match (&self.challenge.question, &self.answer) {
            (_, Err(reject)) => Answer::Reject {
                error: error_text(&reject.error),
                description: error_text(&reject.error_description),
            },
            (Question::Login(login), Ok(Accept::Login(accept))) => {
                let length = accept.subject.as_str().len();
                if length == 0 || length > 255 {
                    return Err(DeskError::Unfit("the subject has 1 to 255 bytes"));
                }
                let may_continue =
                    login.signed_in.as_ref().is_some_and(|s| s.subject == accept.subject);
                if accept.continued && !may_continue {
                    return Err(DeskError::Unfit(
                        "there is no session of that subject to continue",
                    ));
                }
                Answer::Login {
                    subject: accept.subject.clone(),
                    remember: accept.remember,
                    remember_for: seconds(accept.remember_for),
                    acr: accept.acr.clone(),
                    amr: accept.amr.clone(),
                    context: accept.context.clone(),
                    continued: accept.continued,
                    answered_at: now,
                }
            }
            (Question::Consent(consent), Ok(Accept::Consent(accept))) => {
                if !accept.grant_scope.is_subset(&consent.request.scope_to_consent()) {
                    return Err(DeskError::Unfit("grant_scope goes beyond what was asked for"));
                }
                Answer::Consent {
                    grant_scope: accept.grant_scope.clone(),
                    remember: accept.remember,
                    remember_for: seconds(accept.remember_for),
                    extra: ExtraClaims {
                        id_token: accept.id_token.clone(),
                        access_token: accept.access_token.clone(),
                    },
                }
            }
            (Question::Logout(_), Ok(Accept::Logout)) => Answer::Logout,
            _ => return Err(DeskError::Unfit("it answers another kind of question")),
        })
    }
}

/// The characters that RFC 6749 §4.1.2.1 permits in an error and its description.
fn error_text(text: &str) -> String {
    let permitted = |c: &char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    text.chars().filter(permitted).take(500).collect()
}

impl Decision for Settle {
    type Answer = String;
    type Refusal = DeskError;

    fn prefetch(&self) -> Asks {
        Asks::none().read(&Settled::at(&self.challenge.id))
    }

    /// Gives the verifier's parameter and value, as in a query.
    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<String, DeskError>, Need> {
        let id = self.challenge.id;
        if cx.now >= self.challenge.expires_at {
            return Ok(Outcome::refuse(DeskError::Expired));
        }
        let answer = match self.answer(cx.now) {
            Ok(answer) => answer,
            Err(error) => return Ok(Outcome::refuse(error)),
        };
        let parameter = Verifier::parameter(&self.challenge.question);
        let verifier = format!("{parameter}={}", Verifier::text(&id, parameter, cx.tenant));
        let known = facts.read(&Settled::at(&id))?;
        let sid = known.as_ref().map_or_else(|| SessionId::random(&mut cx.rng), |k| k.value.sid);
        let settled = Settled { challenge: self.challenge.clone(), answer, sid, used: false };
        let write = match known {
            Some(known) if known.value.used => return Ok(Outcome::refuse(DeskError::Used)),
            Some(known) => known.replace(&settled)?,
            None => Settled::at(&id).create(&settled),
        };
        Outcome::commit(cx.batch().write(write), Ok(verifier))
    }
}
