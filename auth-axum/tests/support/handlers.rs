//! The handlers of the applications under test. They are the same on every adapter, for so are its names;
//! the tests of an adapter include this file beside its crate as `adapter`.

use std::time::Duration;

use serde_json::json;

use super::adapter::{
    BearerToken, ChallengeRejection, ConsentChallenge, CurrentSession, LoginChallenge,
    LogoutChallenge, Principal, Settled,
};
use super::fakes::describe;

pub(crate) async fn me(Principal(me): Principal) -> String {
    describe(&me)
}

pub(crate) async fn maybe_me(me: Option<Principal>) -> String {
    me.map_or("nobody".to_owned(), |Principal(me)| describe(&me))
}

pub(crate) async fn token(BearerToken(token): BearerToken) -> String {
    describe(&token)
}

pub(crate) async fn maybe_token(token: Option<BearerToken>) -> String {
    token.map_or("nobody".to_owned(), |BearerToken(token)| describe(&token))
}

pub(crate) async fn session(CurrentSession(session): CurrentSession) -> String {
    session.subject.to_string()
}

pub(crate) async fn maybe_session(session: Option<CurrentSession>) -> String {
    session.map_or("nobody".to_owned(), |CurrentSession(session)| session.subject.to_string())
}

pub(crate) type Answer = Result<Settled, ChallengeRejection>;

pub(crate) async fn login_page(login: LoginChallenge) -> String {
    login.client.name.clone()
}

pub(crate) async fn login(login: LoginChallenge) -> Answer {
    let answer = login.accept("alice").amr(["pwd", "otp"]).acr("aal2").remember(true);
    answer.remember_for(Duration::from_secs(60)).context(json!({"via": "form"})).finish().await
}

pub(crate) async fn login_as_mallory(login: LoginChallenge) -> Answer {
    login.accept("mallory").finish().await
}

pub(crate) async fn continue_login(login: LoginChallenge) -> Answer {
    login.continued("alice").finish().await
}

pub(crate) async fn reject_login(login: LoginChallenge) -> Answer {
    login.reject("not today").await
}

pub(crate) async fn consent(consent: ConsentChallenge) -> Answer {
    let answer = consent.accept(consent.requested_scope.clone()).remember(true);
    let answer = answer.remember_for(Duration::from_secs(60)).id_token([("team", "blue")]);
    answer.access_token([("plan", 2)]).finish().await
}

pub(crate) async fn reject_consent(consent: ConsentChallenge) -> Answer {
    consent.reject("not today").await
}

pub(crate) async fn logout(logout: LogoutChallenge) -> Answer {
    logout.accept().await
}

pub(crate) async fn reject_logout(logout: LogoutChallenge) -> Answer {
    logout.reject("not today").await
}
