//! [`Authorize`]: the decision of the authorization endpoint.

use auth_core::challenge::Pending;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::http::{CookieSpec, Form};
use auth_core::record::{Shadow, Tag};
use auth_core::seal::Handle;
use auth_core::store::{BatchBuilder, MainWrite};
use auth_core::{ChallengeId, ClientId, Tenant};
use serde_json::Value;

use crate::authorize::answer::relation;
use crate::authorize::{
    AnswerRequest, AuthorizationRequest, AuthorizationResponse, AuthorizeRefusal, Interaction,
    PageError, PushedRequest, RedirectError, Reference, before_login, consent_needed,
};
use crate::challenge::{Browser, Challenge, ConsentQuestion, LoginQuestion, Question, pose};
use crate::client::{Client, ClientRecord};
use crate::explain::Explained;
use crate::provider::Policy;
use crate::refusal::ErrorCode;
use crate::session::check_session;
use crate::session::login_session::{LoginSession, join};
use crate::stop::Stop;
use crate::token::consent::Consent;
use crate::token::grant::{ExtraClaims, SignIn};
use crate::token::liveness;

/// What the browser gets.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) next: Next,
    pub(crate) cookies: Vec<CookieSpec>,
}

#[derive(Debug)]
pub(crate) enum Next {
    /// A question.
    Ask(Box<Pending>),
    /// The answer to the client.
    Respond(AuthorizationResponse),
}

/// Decides a request that comes from a client.
#[derive(Debug)]
pub(crate) struct Authorize {
    pub(crate) policy: Policy,
    pub(crate) form: Form,
    /// Of a request that was pushed.
    reference: Option<Reference>,
    /// The browser's login session, as its cookie says.
    pub(crate) session: Option<Handle>,
    pub(crate) browser: Option<Browser>,
    /// Where the request comes from, for limits.
    pub(crate) source: String,
    asks: Asks,
}

impl Authorize {
    pub(crate) fn new(
        tenant: &Tenant,
        policy: Policy,
        form: Form,
        session: Option<Handle>,
        browser: Option<Browser>,
        source: String,
    ) -> Self {
        let reference = form.get("request_uri").and_then(Reference::parse);
        let client_id = ClientId::from(form.get("client_id").unwrap_or_default());
        let client_tag = Tag::client(tenant.id, client_id.as_str());
        let mut asks = Asks::none().read_cached(&ClientRecord::at(&client_id));
        if let Some(reference) = &reference {
            asks = asks.read(&PushedRequest::at(reference));
        }
        if let Some(handle) = &session {
            asks = asks.and(LoginSession::asks(handle)).read(&Shadow::at(&client_tag));
            if let Some(subject) = &handle.lineage.subject {
                asks = asks.read(&Consent::at(subject, &client_tag));
            }
        }
        Self { policy, form, reference, session, browser, source, asks }
    }

    fn authorize(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Answered, AuthorizeRefusal>, Stop<AuthorizeRefusal>> {
        let record = self.client(facts)?;
        let client = &record.value.client;
        let pushed = self.pushed(client, facts, cx)?;
        let form = pushed.as_ref().unwrap_or(&self.form);
        let reference = pushed.as_ref().and(self.reference);
        let request =
            AuthorizationRequest::validate(form, client, &self.policy, reference, facts, cx)?;
        let session = match &self.session {
            Some(handle) => LoginSession::live(handle, facts, cx.now)?,
            None => None,
        };
        let signed_in = session.as_ref().map(|session| &session.value.sign_in);
        let seen = signed_in.map(|it| self.policy.config.subject_for(client, &it.subject));
        let seen = seen.transpose()?;
        let interaction = before_login(&request, signed_in.zip(seen.as_deref()), cx.now)?;
        let browser = self.browser.clone().unwrap_or_else(|| Browser::new(&mut cx.rng));
        let proceed = Proceed {
            policy: &self.policy,
            client,
            request: &request,
            browser: &browser,
            source: &self.source,
        };
        let (next, mut writes) = match (interaction, signed_in) {
            (Interaction::None, Some(sign_in)) => {
                proceed.consent_or_answer(sign_in, &Value::Null, facts, cx)?
            }
            (Interaction::SelectAccount, signed_in) => {
                proceed.login(signed_in.cloned(), facts, cx)?
            }
            _ => proceed.login(None, facts, cx)?,
        };
        if let (Next::Respond(_), Some(session)) = (&next, &session) {
            writes.extend(join(session, &record.value, cx)?);
        }
        let mut cookies: Vec<CookieSpec> = browser.cookie().into_iter().collect();
        if let (true, Some(session)) = (self.policy.config.session_management, &session) {
            // Of one that began when nobody could ask for it, too.
            cookies.extend(check_session::cookies(&session.value, cx.now));
        }
        let answered = Answered { next, cookies };
        if writes.is_empty() {
            return Ok(Outcome::answer(answered));
        }
        let batch = writes.into_iter().fold(cx.batch(), BatchBuilder::write);
        Ok(Outcome::commit(batch, Ok(answered))?)
    }

    fn client(
        &self,
        facts: &Facts,
    ) -> Result<std::sync::Arc<auth_core::record::Found<ClientRecord>>, Stop<AuthorizeRefusal>>
    {
        let id = self.form.get("client_id").ok_or_else(|| {
            PageError::new(ErrorCode::InvalidRequest, "the parameter 'client_id' is missing")
                .by_parameter("RFC 6749 §4.1.1", "client_id", &self.form)
        })?;
        let record = facts.read(&ClientRecord::at(&ClientId::from(id)))?;
        let unknown = || {
            PageError::new(
                ErrorCode::InvalidClient,
                "the parameter 'client_id' names no client of this provider, or one that is disabled",
            )
            .by_parameter("RFC 6749 §4.1.2.1", "client_id", &self.form)
        };
        Ok(record.filter(|record| !record.value.disabled).ok_or_else(unknown)?)
    }

    /// The parameters that the client pushed, in place of all that came with the browser (RFC 9126 §4).
    fn pushed(
        &self,
        client: &Client,
        facts: &Facts,
        cx: &Cx<'_>,
    ) -> Result<Option<Form>, Stop<AuthorizeRefusal>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        let pushed = facts.read(&PushedRequest::at(reference))?;
        let good = |pushed: &&PushedRequest| {
            pushed.client_id == client.client_id && cx.now < pushed.expires_at
        };
        match pushed.as_ref().map(|found| &found.value).filter(good) {
            Some(pushed) => Ok(Some(pushed.form())),
            None => Err(gone().by("RFC 9126 §4").into()),
        }
    }
}

impl Decision for Authorize {
    type Answer = Answered;
    type Refusal = AuthorizeRefusal;

    fn prefetch(&self) -> Asks {
        self.asks.clone()
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Answered, AuthorizeRefusal>, Need> {
        self.authorize(facts, cx).or_else(Stop::outcome)
    }
}

/// The error of a `request_uri` that leads to nothing.
pub(super) fn gone() -> PageError {
    let text = "the parameter 'request_uri' names no request of this client: it is answered once, and is \
                good for a minute";
    PageError::new(ErrorCode::InvalidRequestUri, text)
}

/// The way on from a validated request; the same whether somebody was signed in or has just signed in.
pub(crate) struct Proceed<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) client: &'a Client,
    pub(crate) request: &'a AuthorizationRequest,
    pub(crate) browser: &'a Browser,
    pub(crate) source: &'a str,
}

type Way = Result<(Next, Vec<MainWrite>), Stop<AuthorizeRefusal>>;

impl Proceed<'_> {
    /// Asks who it is; `signed_in` may go on as they are.
    fn login(&self, signed_in: Option<SignIn>, facts: &Facts, cx: &mut Cx<'_>) -> Way {
        let question = LoginQuestion { request: self.request.clone(), signed_in };
        self.ask(Question::Login(Box::new(question)), facts, cx)
    }

    /// Asks for consent if it is needed, else answers.
    pub(crate) fn consent_or_answer(
        &self,
        sign_in: &SignIn,
        context: &Value,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Way {
        let relation = relation(cx, self.request, sign_in);
        let Some(generations) = liveness::generations(&relation, facts)? else {
            let text = "the account or the client is disabled";
            let to = &self.request.redirect;
            return Err(RedirectError::new(to, ErrorCode::AccessDenied, text).into());
        };
        let consent = match (&relation.subject, &relation.client) {
            (Some(subject), Some(client)) => facts.read(&Consent::at(subject, client))?,
            _ => None,
        };
        let consent = consent.as_ref().map(|found| &found.value);
        if consent_needed(self.request, self.client, consent, cx.now)? {
            let question = ConsentQuestion {
                request: self.request.clone(),
                sign_in: sign_in.clone(),
                context: context.clone(),
            };
            return self.ask(Question::Consent(Box::new(question)), facts, cx);
        }
        let (response, writes) = AnswerRequest {
            policy: self.policy,
            client: self.client,
            request: self.request,
            sign_in,
            granted: &self.request.scope_to_consent(),
            extra: ExtraClaims::default(),
            generations,
        }
        .issue(facts, cx)?;
        Ok((Next::Respond(response), writes))
    }

    fn ask(&self, question: Question, facts: &Facts, cx: &mut Cx<'_>) -> Way {
        let id = ChallengeId::random(&mut cx.rng);
        let lifetime = self.policy.config.sessions.challenge_lifetime;
        let browser = self.browser.id(cx.tenant);
        let challenge = Challenge::new(id, browser, cx.now, lifetime, question);
        let (text, write) = pose(&challenge, self.source, facts, cx)?;
        let pending = challenge.pending(text, Some(self.client));
        Ok((Next::Ask(Box::new(pending)), write.into_iter().collect()))
    }
}
