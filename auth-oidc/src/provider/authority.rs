//! The provider as an [`Authority`] for applications in the same process.

use async_trait::async_trait;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome, within};
use auth_core::seal::Handle;
use auth_core::{Authority, Carrier, CurrentSession, Denied, Principal, Secret};
use http::HeaderMap;

use crate::provider::Provider;
use crate::session::login_session::LoginSession;
use crate::token::presented::{LiveAccess, PresentedAccess};

#[async_trait]
impl Authority for Provider {
    async fn bearer(&self, token: &Secret) -> Result<Principal, Denied> {
        within(self.config().deadline, self.principal(token)).await?
    }

    async fn session(&self, headers: &HeaderMap) -> Result<Option<CurrentSession>, Denied> {
        let handle = LoginSession::handle(self.tenant(), self.config().cookies, headers);
        let Some(handle) = handle else { return Ok(None) };
        let check = CheckSession(handle);
        let look = self.driver().run(self.tenant(), &check);
        let session = within(self.config().deadline, look).await??;
        Ok(session.unwrap_or_else(|never| match never {}))
    }
}

impl Provider {
    async fn principal(&self, token: &Secret) -> Result<Principal, Denied> {
        let policy = self.policy().await?;
        let presented = PresentedAccess::parse(token.expose(), &policy.keys, self.tenant());
        let check = CheckToken(presented.ok_or(Denied::InvalidToken)?);
        let live = self.driver().run(self.tenant(), &check).await??;
        if !live.is_for_us(self.tenant(), self.config()) {
            return Err(Denied::InvalidToken);
        }
        let mut principal = Principal::new(Carrier::BearerToken);
        principal.subject = live.subject;
        principal.client_id = Some(live.client_id);
        principal.scopes = live.scope;
        principal.audience = live.audience;
        Ok(principal)
    }
}

/// Whether an access token is good: one round trip.
struct CheckToken(PresentedAccess);

impl Decision for CheckToken {
    type Answer = LiveAccess;
    type Refusal = Denied;

    fn prefetch(&self) -> Asks {
        self.0.asks()
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<LiveAccess, Denied>, Need> {
        Ok(match self.0.live(facts, cx.now)? {
            Some(live) => Outcome::answer(live),
            None => Outcome::refuse(Denied::InvalidToken),
        })
    }
}

/// Whose session a cookie is: one round trip.
struct CheckSession(Handle);

impl Decision for CheckSession {
    type Answer = Option<CurrentSession>;
    type Refusal = std::convert::Infallible;

    fn prefetch(&self) -> Asks {
        LoginSession::asks(&self.0)
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Option<CurrentSession>, Self::Refusal>, Need> {
        let session = LoginSession::live(&self.0, facts, cx.now)?;
        Ok(Outcome::answer(session.map(|session| {
            let sign_in = &session.value.sign_in;
            let mut current =
                CurrentSession::new(sign_in.sid, sign_in.subject.clone(), sign_in.auth_time);
            current.acr.clone_from(&sign_in.acr);
            current.amr.clone_from(&sign_in.amr);
            current
        })))
    }
}
