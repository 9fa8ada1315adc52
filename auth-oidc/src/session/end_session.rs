//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

use auth_core::challenge::Pending;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome, Unavailable};
use auth_core::http::{CookieSpec, Form};
use auth_core::page::Remedy;
use auth_core::record::Found;
use auth_core::seal::Handle;
use auth_core::store::BatchBuilder;
use auth_core::{ChallengeId, ClientId};

use crate::authorize::{AuthorizeRefusal, PageError};
use crate::challenge::{
    Answer, Browser, Challenge, LogoutQuestion, Question, Settled, Verifier, pose,
};
use crate::client::{Client, ClientRecord};
use crate::explain::Explained;
use crate::provider::Policy;
use crate::refusal::ErrorCode;
use crate::session::check_session;
use crate::session::ending::end;
use crate::session::id_token_hint::{self, IdTokenHint};
use crate::session::login_session::LoginSession;
use crate::session::post_logout::PostLogoutRedirect;
use crate::stop::Stop;

/// What the browser gets.
#[derive(Debug)]
pub(crate) enum LogoutStep {
    /// Whether to sign out.
    Ask { pending: Box<Pending>, cookie: Option<CookieSpec> },
    /// On to the client's page, or to ours if it named none.
    Done {
        signed_out: bool,
        redirect: Option<PostLogoutRedirect>,
        /// Pages of clients to load before that.
        frames: Vec<String>,
        cookies: Vec<CookieSpec>,
        /// As the client asked.
        ui_locales: Option<String>,
    },
}

/// Decides a request to sign out.
#[derive(Debug)]
pub(crate) struct EndSession {
    pub(crate) policy: Policy,
    pub(crate) form: Form,
    pub(crate) session: Option<Handle>,
    pub(crate) browser: Option<Browser>,
    pub(crate) source: String,
}

type Decided = Result<Outcome<LogoutStep, AuthorizeRefusal>, Stop<AuthorizeRefusal>>;

impl EndSession {
    fn decide_request(&self, facts: &Facts, cx: &mut Cx<'_>) -> Decided {
        let hint = self.hint(facts, cx)?;
        let client = self.client(hint.as_ref(), facts)?;
        let client = client.as_ref().map(|record| &record.value.client);
        let redirect = PostLogoutRedirect::check(&self.form, client)?;
        let ui_locales = self.form.get("ui_locales").map(str::to_owned);
        let session = match &self.session {
            Some(handle) => LoginSession::live(handle, facts, cx.now)?,
            None => None,
        };
        let Some(session) = session else {
            let cookies = match self.session {
                Some(_) => removals(&self.policy),
                None => Vec::new(),
            };
            let frames = Vec::new();
            let done = LogoutStep::Done { signed_out: true, redirect, frames, cookies, ui_locales };
            return Ok(Outcome::answer(done));
        };
        let sign_in = &session.value.sign_in;
        if let Some(hint) = &hint {
            let config = &self.policy.config;
            // Of the client that it was issued to: there is one, since there is a hint.
            let seen = client.map(|client| {
                let subject = config.subject_for(client, &sign_in.subject)?;
                Ok::<_, Unavailable>((subject, config.sid_for(client, &sign_in.sid)?))
            });
            let (subject, sid) = seen.transpose()?.unwrap_or_default();
            if subject != hint.subject {
                let text =
                    "the parameter 'id_token_hint' names somebody else than who is signed in";
                return Err(self.refuse(text, "id_token_hint").into());
            }
            if hint.sid.as_deref() == Some(&*sid) {
                let ending = end(&session, facts, cx)?;
                let frames = ending.frames(&sign_in.sid, config, &cx.tenant.issuer)?;
                let done = LogoutStep::Done {
                    signed_out: true,
                    redirect,
                    frames,
                    cookies: removals(&self.policy),
                    ui_locales,
                };
                let batch = ending.writes.into_iter().fold(cx.batch(), BatchBuilder::write);
                return Ok(Outcome::commit(batch, Ok(done))?);
            }
        }
        let browser = self.browser.clone().unwrap_or_else(|| Browser::new(&mut cx.rng));
        let name = |client: &Client| match client.client_name.is_empty() {
            true => client.client_id.to_string(),
            false => client.client_name.clone(),
        };
        let question = Question::Logout(LogoutQuestion {
            sid: sign_in.sid,
            subject: sign_in.subject.clone(),
            client_name: client.map(name),
            redirect,
            ui_locales,
            logout_hint: self.form.get("logout_hint").map(str::to_owned),
        });
        let id = ChallengeId::random(&mut cx.rng);
        let lifetime = self.policy.config.sessions.challenge_lifetime;
        let challenge = Challenge::new(id, browser.id(cx.tenant), cx.now, lifetime, question);
        let (text, write) = pose(&challenge, &self.source, facts, cx)?;
        let pending = Box::new(challenge.pending(text, client));
        let step = LogoutStep::Ask { pending, cookie: browser.cookie() };
        match write {
            Some(write) => Ok(Outcome::commit(cx.batch().write(write), Ok(step))?),
            None => Ok(Outcome::answer(step)),
        }
    }

    fn hint(
        &self,
        facts: &Facts,
        cx: &Cx<'_>,
    ) -> Result<Option<IdTokenHint>, Stop<AuthorizeRefusal>> {
        let Some(hint) = self.form.get("id_token_hint") else { return Ok(None) };
        let hint =
            id_token_hint::read(hint, &self.policy.keys, facts, cx.tenant)?.map_err(|_| {
                let text = "the parameter 'id_token_hint' is not an id token of this provider";
                self.refuse(text, "id_token_hint")
            })?;
        if self.form.get("client_id").is_some_and(|id| id != hint.client_id) {
            let text = "the parameter 'client_id' is not the audience of id_token_hint";
            return Err(self.refuse(text, "client_id").into());
        }
        Ok(Some(hint))
    }

    fn refuse(&self, text: &'static str, parameter: &'static str) -> PageError {
        PageError::new(ErrorCode::InvalidRequest, text).by_parameter(
            "OpenID Connect RP-Initiated Logout §2, §4",
            parameter,
            &self.form,
        )
    }

    fn client(
        &self,
        hint: Option<&IdTokenHint>,
        facts: &Facts,
    ) -> Result<Option<std::sync::Arc<Found<ClientRecord>>>, Stop<AuthorizeRefusal>> {
        let id = hint.map(|hint| hint.client_id.as_str()).or_else(|| self.form.get("client_id"));
        let Some(id) = id else { return Ok(None) };
        let client = facts.read(&ClientRecord::at(&ClientId::from(id)))?;
        let client = client.filter(|client| !client.value.disabled).ok_or_else(|| {
            PageError::new(ErrorCode::InvalidClient, "the client is unknown or disabled")
                .by_parameter("OpenID Connect RP-Initiated Logout §2", "client_id", &self.form)
        })?;
        Ok(Some(client))
    }
}

impl Decision for EndSession {
    type Answer = LogoutStep;
    type Refusal = AuthorizeRefusal;

    fn prefetch(&self) -> Asks {
        self.session.as_ref().map(LoginSession::asks).unwrap_or_default()
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<LogoutStep, AuthorizeRefusal>, Need> {
        self.decide_request(facts, cx).or_else(Stop::outcome)
    }
}

/// What a browser forgets that is signed out.
fn removals(policy: &Policy) -> Vec<CookieSpec> {
    let mut removals = vec![CookieSpec::removal(LoginSession::COOKIE)];
    if policy.config.session_management {
        removals.extend(check_session::removals());
    }
    removals
}

/// The browser comes back from a logout question.
#[derive(Debug)]
pub(crate) struct ResumeLogout {
    pub(crate) policy: Policy,
    pub(crate) verifier: Verifier,
    pub(crate) session: Option<Handle>,
    pub(crate) browser: Option<Browser>,
}

impl ResumeLogout {
    fn resume(&self, facts: &Facts, cx: &mut Cx<'_>) -> Decided {
        let gone = || {
            let text = "the answer that the browser came for is not there, or was used before";
            PageError::new(ErrorCode::InvalidRequest, text).remedy(Remedy::StartAgain)
        };
        let settled = facts.read(&Settled::at(&self.verifier.id))?.ok_or_else(gone)?;
        Browser::require(self.browser.as_ref(), settled.value.challenge.browser, cx.tenant)?;
        let Question::Logout(question) = &settled.value.challenge.question else {
            return Err(gone().into());
        };
        if settled.value.used || cx.now >= settled.value.challenge.expires_at {
            return Err(gone().into());
        }
        let used = settled.replace(&Settled { used: true, ..settled.value.clone() })?;
        if settled.value.answer != Answer::Logout {
            let ui_locales = question.ui_locales.clone();
            let stays = LogoutStep::Done {
                signed_out: false,
                redirect: None,
                frames: Vec::new(),
                cookies: Vec::new(),
                ui_locales,
            };
            return Ok(Outcome::commit(cx.batch().write(used), Ok(stays))?);
        }
        let session = match &self.session {
            Some(handle) => LoginSession::live(handle, facts, cx.now)?,
            None => None,
        };
        let redirect = self.redirect(question, facts)?;
        let mut batch = cx.batch().write(used);
        let mut frames = Vec::new();
        if let Some(session) = session {
            if session.value.sign_in.sid != question.sid {
                let text =
                    "another session is open in this browser than the one that was asked about";
                return Err(PageError::new(ErrorCode::InvalidRequest, text).into());
            }
            let ending = end(&session, facts, cx)?;
            let (config, issuer) = (&self.policy.config, &cx.tenant.issuer);
            frames = ending.frames(&question.sid, config, issuer)?;
            ending.writes.into_iter().for_each(|write| batch.push(write));
        }
        let done = LogoutStep::Done {
            signed_out: true,
            redirect,
            frames,
            cookies: removals(&self.policy),
            ui_locales: question.ui_locales.clone(),
        };
        Ok(Outcome::commit(batch, Ok(done))?)
    }

    /// Where the browser goes after that, if the client still registers it.
    fn redirect(
        &self,
        question: &LogoutQuestion,
        facts: &Facts,
    ) -> Result<Option<PostLogoutRedirect>, Need> {
        let Some(redirect) = &question.redirect else { return Ok(None) };
        let client = facts.read(&ClientRecord::at(&redirect.client_id))?;
        let still = client.is_some_and(|record| {
            !record.value.disabled && redirect.is_registered(&record.value.client)
        });
        Ok(still.then(|| redirect.clone()))
    }
}

impl Decision for ResumeLogout {
    type Answer = LogoutStep;
    type Refusal = AuthorizeRefusal;

    fn prefetch(&self) -> Asks {
        self.session
            .as_ref()
            .map(LoginSession::asks)
            .unwrap_or_default()
            .read(&Settled::at(&self.verifier.id))
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<LogoutStep, AuthorizeRefusal>, Need> {
        self.resume(facts, cx).or_else(Stop::outcome)
    }
}
