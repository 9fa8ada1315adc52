//! [`ResumeLogin`]: the browser comes back from a login question.

use std::sync::Arc;
use std::time::Duration;

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::http::CookieSpec;
use auth_core::page::Remedy;
use auth_core::record::{Found, Shadow, Tag};
use auth_core::seal::Handle;
use auth_core::store::{BatchBuilder, Main, MainWrite};
use serde_json::Value;

use crate::authorize::{
    Answered, AuthorizationRequest, AuthorizeRefusal, Next, PageError, Proceed, RedirectError,
    after_login, check,
};
use crate::challenge::resume_consent::forbidden;
use crate::challenge::{Answer, Browser, Question, Settled, Verifier};
use crate::client::ClientRecord;
use crate::provider::Policy;
use crate::refusal::ErrorCode;
use crate::session::check_session;
use crate::session::ending::end;
use crate::session::login_session::{LoginSession, NewSession, join};
use crate::stop::Stop;
use crate::token::consent::Consent;
use crate::token::grant::SignIn;

/// Goes on with the authorization request that a login question belongs to.
#[derive(Debug)]
pub(crate) struct ResumeLogin {
    pub(crate) policy: Policy,
    pub(crate) verifier: Verifier,
    /// The session that the browser has now.
    pub(crate) session: Option<Handle>,
    pub(crate) browser: Option<Browser>,
    pub(crate) source: String,
}

/// The login's answer, unpacked.
struct Login<'a> {
    remember: bool,
    remember_for: Option<u64>,
    continued: bool,
    /// The browser came for it before.
    replayed: bool,
    context: &'a Value,
    sign_in: SignIn,
}

impl ResumeLogin {
    fn resume(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Answered, AuthorizeRefusal>, Stop<AuthorizeRefusal>> {
        let settled = settled(facts, &self.verifier, self.browser.as_ref(), cx)?;
        let Question::Login(question) = &settled.value.challenge.question else {
            return Err(not_found().into());
        };
        let request = &question.request;
        let login = login(&settled.value, question.signed_in.as_ref(), facts)?;
        let subject = Tag::subject(cx.tenant.id, login.sign_in.subject.as_str());
        facts.require(self.asks(request, &login, &subject, cx))?;
        let record = live_client(request, facts)?;
        let client = &record.value.client;
        let seen = self.policy.config.subject_for(client, &login.sign_in.subject)?;
        after_login(request, &login.sign_in, &seen, settled.value.challenge.asked_at)?;
        let Some(browser) = &self.browser else { return Err(not_found().into()) };

        let mut batch = cx.batch();
        let mut sign_in = login.sign_in.clone();
        let at = self.establish(&login, &mut sign_in, &subject, facts, cx, &mut batch)?;
        if !settled.value.used {
            // With the session that was really begun, which a replay finds, live or ended.
            let (used, sid) = (true, sign_in.sid);
            batch.push(settled.replace(&Settled { used, sid, ..settled.value.clone() })?);
        }
        let proceed =
            Proceed { policy: &self.policy, client, request, browser, source: &self.source };
        let (next, writes) = proceed.consent_or_answer(&sign_in, login.context, facts, cx)?;
        if settled.value.used && matches!(next, Next::Respond(_)) {
            // A reload may bring the question of consent again, but never a second answer.
            return Err(forbidden("the answer was used before").into());
        }
        let responds = matches!(next, Next::Respond(_));
        let (mut cookies, session_writes) = match at {
            At::Present(session) if responds => (Vec::new(), join(&session, &record.value, cx)?),
            At::Present(_) => (Vec::new(), Vec::new()),
            At::Begun(begun) => begun.write(responds.then_some(&record.value), cx)?,
        };
        writes.into_iter().chain(session_writes).for_each(|write| batch.push(write));
        if !self.policy.config.session_management {
            cookies.retain(|cookie| !cookie.in_frames);
        }
        let answered = Answered { next, cookies };
        Ok(Outcome::commit(batch, Ok(answered))?)
    }

    fn asks(
        &self,
        request: &AuthorizationRequest,
        login: &Login<'_>,
        subject: &Tag,
        cx: &Cx<'_>,
    ) -> Asks {
        let client = Tag::client(cx.tenant.id, request.client_id.as_str());
        let mut asks = Asks::none()
            .read(&ClientRecord::at(&request.client_id))
            .read(&Shadow::at(&client))
            .read(&Shadow::at(subject))
            .read(&Consent::at(subject, &client))
            .read(&LoginSession::at(&login.sign_in.sid));
        if let Some(handle) = &self.session {
            asks = asks.and(LoginSession::asks(handle));
        }
        asks
    }

    /// The session that the sign-in deserves: it continues one of the same person in this browser, ends one
    /// of somebody else, and never revives one that was ended.
    fn establish(
        &self,
        login: &Login<'_>,
        sign_in: &mut SignIn,
        subject: &Tag,
        facts: &Facts,
        cx: &mut Cx<'_>,
        batch: &mut BatchBuilder<Main>,
    ) -> Result<At, Stop<AuthorizeRefusal>> {
        let current = match &self.session {
            Some(handle) => LoginSession::live(handle, facts, cx.now)?,
            None => None,
        };
        let same = current.as_ref().filter(|found| *found.value.subject() == sign_in.subject);
        if login.continued {
            let goes_on = same.filter(|found| found.value.sign_in.sid == sign_in.sid);
            return Ok(At::Present(goes_on.ok_or_else(signed_out)?.clone()));
        }
        let generation = facts.read(&Shadow::at(subject))?.map_or(0, |s| s.value.generation);
        let begun = facts.read(&LoginSession::at(&sign_in.sid))?;
        let alive = begun.as_ref().is_some_and(|begun| {
            begun.value.is_open(cx.now) && begun.value.generation == generation
        });
        if (login.replayed || begun.is_some()) && !alive {
            return Err(signed_out().into());
        }
        if let (Some(current), None) = (&current, same) {
            // Without frames: the browser is on its way to a client.
            end(current, facts, cx)?.writes.into_iter().for_each(|write| batch.push(write));
        }
        // A replay finds the session that the first one began; else the one that is there goes on.
        let previous = begun.as_ref().or(same);
        if let Some(previous) = previous {
            sign_in.sid = previous.value.sign_in.sid;
        }
        let sessions = &self.policy.config.sessions;
        let lifetime = match (login.remember, login.remember_for) {
            (false, _) => sessions.lifetime,
            (true, None) => sessions.remembered_lifetime,
            (true, Some(s)) => Duration::from_secs(s).min(sessions.remembered_lifetime),
        };
        let new = NewSession {
            sign_in: sign_in.clone(),
            remember: login.remember,
            lifetime,
            generation,
            subject: *subject,
            previous: previous.map(|found| &found.value),
        };
        let (cookie, session) = new.begin(cx);
        Ok(At::Begun(Box::new(Begun { cookie, session, previous: previous.cloned() })))
    }
}

/// Where the sign-in stands.
enum At {
    /// In the session that the browser has.
    Present(Arc<Found<LoginSession>>),
    /// In one that begins, or goes on with another cookie.
    Begun(Box<Begun>),
}

struct Begun {
    cookie: CookieSpec,
    session: LoginSession,
    previous: Option<Arc<Found<LoginSession>>>,
}

impl Begun {
    /// The session's cookies and writes, with the client that is answered in it.
    fn write(
        self,
        answered: Option<&ClientRecord>,
        cx: &mut Cx<'_>,
    ) -> Result<(Vec<CookieSpec>, Vec<MainWrite>), Need> {
        let Self { cookie, mut session, previous } = self;
        if let Some(client) = answered {
            session.join(client);
        }
        let watch = session.watch(cx);
        let cookies =
            [cookie].into_iter().chain(check_session::cookies(&session, cx.now)).collect();
        let write = match previous {
            Some(previous) => previous.replace(&session)?,
            None => LoginSession::at(&session.sign_in.sid).create(&session),
        };
        Ok((cookies, [write].into_iter().chain(watch).collect()))
    }
}

/// Unpacks an answer; a no goes to the client at once.
fn login<'a>(
    settled: &'a Settled,
    signed_in: Option<&SignIn>,
    facts: &Facts,
) -> Result<Login<'a>, Stop<AuthorizeRefusal>> {
    match &settled.answer {
        Answer::Reject { error, description } => {
            let request = settled.challenge.request().ok_or_else(not_found)?;
            Err(rejected(request, error, description, facts)?.into())
        }
        Answer::Login {
            subject,
            remember,
            remember_for,
            acr,
            amr,
            context,
            continued,
            answered_at,
        } => {
            let fresh = SignIn {
                subject: subject.clone(),
                sid: settled.sid,
                auth_time: *answered_at,
                acr: acr.clone(),
                amr: amr.clone(),
            };
            let sign_in = match signed_in {
                Some(signed_in) if *continued => signed_in.clone(),
                _ => fresh,
            };
            let (remember, remember_for) = (*remember, *remember_for);
            let (continued, replayed) = (*continued, settled.used);
            Ok(Login { remember, remember_for, continued, replayed, context, sign_in })
        }
        _ => Err(not_found().into()),
    }
}

/// The error by which a client learns that a question was answered with no, if the redirect URI is
/// still its own.
pub(super) fn rejected(
    request: &AuthorizationRequest,
    error: &str,
    description: &str,
    facts: &Facts,
) -> Result<RedirectError, Stop<AuthorizeRefusal>> {
    live_client(request, facts)?;
    let (to, error) = (request.redirect.clone(), error.to_owned());
    Ok(RedirectError { to, error, description: description.to_owned(), rule: None })
}

/// The answer to a question of this browser that has not expired.
pub(super) fn settled(
    facts: &Facts,
    verifier: &Verifier,
    browser: Option<&Browser>,
    cx: &Cx<'_>,
) -> Result<Arc<Found<Settled>>, Stop<AuthorizeRefusal>> {
    let settled = facts.read(&Settled::at(&verifier.id))?.ok_or_else(not_found)?;
    Browser::require(browser, settled.value.challenge.browser, cx.tenant)?;
    if cx.now >= settled.value.challenge.expires_at {
        let text = "the question expired before it was answered";
        let error = PageError::new(ErrorCode::InvalidRequest, text);
        return Err(error.remedy(Remedy::StartAgain).into());
    }
    Ok(settled)
}

/// The client as it is now: what was sealed with the question is not believed any more.
pub(super) fn live_client(
    request: &AuthorizationRequest,
    facts: &Facts,
) -> Result<Arc<Found<ClientRecord>>, Stop<AuthorizeRefusal>> {
    let client = facts.read(&ClientRecord::at(&request.client_id))?;
    let client = client.filter(|client| !client.value.disabled).ok_or_else(|| {
        PageError::new(ErrorCode::InvalidClient, "the client was removed or disabled meanwhile")
    })?;
    if !check::still_registered(&client.value.client, request.redirect.uri()) {
        let text = "the redirect URI is not registered any more";
        return Err(PageError::new(ErrorCode::InvalidRequest, text).into());
    }
    Ok(client)
}

pub(super) fn not_found() -> PageError {
    let text =
        "the answer that the browser came for is not there: it is too old, or was never given";
    PageError::new(ErrorCode::InvalidRequest, text).remedy(Remedy::StartAgain)
}

fn signed_out() -> PageError {
    let text = "the sign-in is over: somebody signed out meanwhile";
    PageError::new(ErrorCode::RequestForbidden, text).remedy(Remedy::StartAgain)
}

impl Decision for ResumeLogin {
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
