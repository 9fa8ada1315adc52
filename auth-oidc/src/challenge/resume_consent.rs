//! [`ResumeConsent`]: the browser comes back from a consent question.

use std::sync::Arc;
use std::time::Duration;

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::page::Remedy;
use auth_core::record::{Found, Shadow, Tag, Unknown};
use auth_core::seal::Handle;
use auth_core::store::MainWrite;
use http::StatusCode;

use crate::authorize::{AnswerRequest, Answered, AuthorizeRefusal, Next, PageError, RedirectError};
use crate::challenge::resume_login::{live_client, not_found, rejected, settled};
use crate::challenge::{Answer, Browser, ConsentQuestion, Question, Settled, Verifier};
use crate::client::ClientRecord;
use crate::provider::Policy;
use crate::refusal::ErrorCode;
use crate::session::login_session::{LoginSession, join};
use crate::stop::Stop;
use crate::token::consent::Consent;
use crate::token::liveness;

/// Gives the answer that a consent question stood before, once.
#[derive(Debug)]
pub(crate) struct ResumeConsent {
    pub(crate) policy: Policy,
    pub(crate) verifier: Verifier,
    pub(crate) session: Option<Handle>,
    pub(crate) browser: Option<Browser>,
}

impl ResumeConsent {
    fn resume(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Answered, AuthorizeRefusal>, Stop<AuthorizeRefusal>> {
        let settled = settled(facts, &self.verifier, self.browser.as_ref(), cx)?;
        let Question::Consent(question) = &settled.value.challenge.question else {
            return Err(not_found().into());
        };
        if settled.value.used {
            return Err(forbidden("the answer was used before").into());
        }
        let used = settled.replace(&Settled { used: true, ..settled.value.clone() })?;
        let request = &question.request;
        let (granted, remember, extra) = match &settled.value.answer {
            Answer::Reject { error, description } => {
                let refusal = rejected(request, error, description, facts)?;
                return Ok(Outcome::commit(cx.batch().write(used), Err(refusal.into()))?);
            }
            Answer::Consent { grant_scope, remember, remember_for, extra } => {
                (grant_scope, remember.then_some(*remember_for), extra)
            }
            _ => return Err(not_found().into()),
        };
        let subject = Tag::subject(cx.tenant.id, question.sign_in.subject.as_str());
        let client_tag = Tag::client(cx.tenant.id, request.client_id.as_str());
        facts.require(self.asks(question, &subject, &client_tag))?;
        let client = live_client(request, facts)?;
        let session = match &self.session {
            Some(handle) => LoginSession::live(handle, facts, cx.now)?,
            None => None,
        };
        let asked =
            |session: &Arc<Found<LoginSession>>| session.value.sign_in.sid == question.sign_in.sid;
        let Some(session) = session.filter(asked) else {
            return Err(forbidden("the sign-in that was asked for is over").into());
        };
        let mut relation = auth_core::seal::Lineage::default();
        relation.subject = Some(subject);
        relation.client = Some(client_tag);
        let Some(generations) = liveness::generations(&relation, facts)? else {
            let text = "the account or the client is disabled";
            return Err(RedirectError::new(&request.redirect, ErrorCode::AccessDenied, text).into());
        };
        // What the client lost since it asked is not granted any more.
        let granted = granted.intersection(&client.value.client.scope);
        let mut batch = cx.batch().write(used);
        if let Some(remember_for) = remember {
            batch.push(remember_consent(question, &granted, remember_for, facts, cx)?);
        }
        let (response, writes) = AnswerRequest {
            policy: &self.policy,
            client: &client.value.client,
            request,
            sign_in: &question.sign_in,
            granted: &granted,
            extra: extra.clone(),
            generations,
        }
        .issue(facts, cx)?;
        let answered = Answered { next: Next::Respond(response), cookies: Vec::new() };
        let joined = join(&session, &client.value, cx)?;
        writes.into_iter().chain(joined).for_each(|write| batch.push(write));
        Ok(Outcome::commit(batch, Ok(answered))?)
    }

    fn asks(&self, question: &ConsentQuestion, subject: &Tag, client: &Tag) -> Asks {
        let asks = Asks::none()
            .read(&ClientRecord::at(&question.request.client_id))
            .read(&Shadow::at(client))
            .read(&Shadow::at(subject))
            .read(&Consent::at(subject, client));
        match &self.session {
            Some(handle) => asks.and(LoginSession::asks(handle)),
            None => asks,
        }
    }
}

/// Remembers what was granted, together with what was before.
fn remember_consent(
    question: &ConsentQuestion,
    granted: &auth_core::Scopes,
    remember_for: Option<u64>,
    facts: &Facts,
    cx: &Cx<'_>,
) -> Result<MainWrite, Need> {
    let subject = Tag::subject(cx.tenant.id, question.sign_in.subject.as_str());
    let client = Tag::client(cx.tenant.id, question.request.client_id.as_str());
    let key = Consent::at(&subject, &client);
    let known = facts.read(&key)?;
    let mut scope = granted.clone();
    let mut audience = question.request.audience.clone();
    let mut expires_at = remember_for.map(|s| cx.now.saturating_add(Duration::from_secs(s)));
    if let Some(known) = &known
        && known.value.expires_at.is_none_or(|until| cx.now < until)
    {
        // What was asked about now is as it was answered now; the rest stays, for no longer than before.
        let other = known.value.audience.iter().filter(|resource| !audience.contains(resource));
        audience = other.cloned().chain(audience.iter().cloned()).collect();
        let asked = question.request.scope_to_consent();
        let rest = known.value.scope.iter().filter(|s| !asked.contains(s));
        for before in rest {
            scope.insert(before);
            expires_at = [expires_at, known.value.expires_at].into_iter().flatten().min();
        }
    }
    let consent = Consent {
        subject: question.sign_in.subject.clone(),
        client_id: question.request.client_id.clone(),
        scope,
        audience,
        expires_at,
        generation: known.as_ref().map_or(0, |known| known.value.generation),
        unknown: known.as_ref().map_or_else(Unknown::default, |k| k.value.unknown.clone()),
    };
    Ok(match known {
        Some(known) => known.replace(&consent)?,
        None => key.create(&consent),
    })
}

pub(super) fn forbidden(text: &str) -> PageError {
    PageError::new(ErrorCode::RequestForbidden, text)
        .status(StatusCode::FORBIDDEN)
        .remedy(Remedy::StartAgain)
}

impl Decision for ResumeConsent {
    type Answer = Answered;
    type Refusal = AuthorizeRefusal;

    fn prefetch(&self) -> Asks {
        Asks::none().read(&Settled::at(&self.verifier.id))
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Answered, AuthorizeRefusal>, Need> {
        self.resume(facts, cx).or_else(Stop::outcome)
    }
}
