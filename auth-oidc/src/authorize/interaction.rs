//! Whether a person must be asked, and what (OpenID Connect Core §3.1.2.3, §3.1.2.4).

use std::time::Duration;

use auth_core::Timestamp;

use crate::authorize::{AuthorizationRequest, RedirectError};
use crate::client::{Client, RedirectUri, ResponseType};
use crate::explain::Explained;
use crate::refusal::ErrorCode;
use crate::token::consent::Consent;
use crate::token::grant::SignIn;

/// What a request needs before it can be answered, as far as the sign-in goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interaction {
    /// Nothing: the session that is there will do.
    None,
    /// Somebody must prove who they are.
    Login,
    /// Somebody must choose an account; the one that is signed in need not prove itself again.
    SelectAccount,
}

/// Decides whether the session that is there, if any, will do. The person is told by their sign-in, and by the
/// identifier that the client knows.
pub(crate) fn before_login(
    request: &AuthorizationRequest,
    session: Option<(&SignIn, &str)>,
    now: Timestamp,
) -> Result<Interaction, RedirectError> {
    let to = &request.redirect;
    let Some((sign_in, seen)) = session else {
        return match request.prompt.none {
            true => Err(RedirectError::new(to, ErrorCode::LoginRequired, "nobody is signed in")),
            false => Ok(Interaction::Login),
        };
    };
    // Who is to sign in anew may be the one of the hint then.
    if !request.prompt.is_for_a_new_sign_in() {
        check_hint(request, seen)?;
    }
    let adequate = !request.prompt.is_for_a_new_sign_in()
        && request.max_age != Some(0)
        && is_recent(request, sign_in, now)
        && reaches_level(request, sign_in);
    match (adequate, request.prompt.none) {
        (true, _) if request.prompt.select_account => Ok(Interaction::SelectAccount),
        (true, _) => Ok(Interaction::None),
        (false, true) => {
            let text = "the person must sign in again";
            let error = RedirectError::new(to, ErrorCode::LoginRequired, text);
            Err(error.by("OpenID Connect Core §3.1.2.1: prompt, max_age, acr_values"))
        }
        (false, false) => Ok(Interaction::Login),
    }
}

/// Decides whether the sign-in that a challenge led to is what the request asked for.
pub(crate) fn after_login(
    request: &AuthorizationRequest,
    sign_in: &SignIn,
    seen: &str,
    requested_at: Timestamp,
) -> Result<(), RedirectError> {
    let to = &request.redirect;
    check_hint(request, seen)?;
    let renewed = !request.prompt.is_for_a_new_sign_in() || sign_in.auth_time >= requested_at;
    if !renewed || !is_recent(request, sign_in, requested_at) {
        let text = "the sign-in is older than the request permits";
        return Err(RedirectError::new(to, ErrorCode::LoginRequired, text));
    }
    if !reaches_level(request, sign_in) {
        let text = "none of the levels in acr_values was reached";
        return Err(RedirectError::new(to, ErrorCode::UnmetAuthenticationRequirements, text));
    }
    Ok(())
}

/// Whether a person must be asked before `client` gets what it asks for.
pub(crate) fn consent_needed(
    request: &AuthorizationRequest,
    client: &Client,
    consent: Option<&Consent>,
    now: Timestamp,
) -> Result<bool, RedirectError> {
    // Only a code is redeemed by somebody who proves to be the client.
    let authenticated = !client.is_public() && request.response_type == ResponseType::Code;
    let assured = authenticated
        || RedirectUri::register(request.redirect.uri()).is_ok_and(|uri| uri.assures_identity());
    let scope = request.scope_to_consent();
    let remembered = consent.is_some_and(|consent| consent.covers(&scope, &request.audience, now));
    let needed = request.prompt.consent || !assured || !(client.skip_consent || remembered);
    if needed && request.prompt.none {
        let text = "the person must be asked for consent";
        return Err(RedirectError::new(&request.redirect, ErrorCode::ConsentRequired, text));
    }
    Ok(needed)
}

fn check_hint(request: &AuthorizationRequest, seen: &str) -> Result<(), RedirectError> {
    match &request.hinted_subject {
        Some(hinted) if hinted != seen => {
            let text = "somebody else is signed in than the one that id_token_hint names";
            Err(RedirectError::new(&request.redirect, ErrorCode::LoginRequired, text))
        }
        _ => Ok(()),
    }
}

fn is_recent(request: &AuthorizationRequest, sign_in: &SignIn, at: Timestamp) -> bool {
    let age = at.since(sign_in.auth_time);
    request.max_age.is_none_or(|max_age| age <= Duration::from_secs(max_age))
}

fn reaches_level(request: &AuthorizationRequest, sign_in: &SignIn) -> bool {
    request.acr_values.is_empty()
        || sign_in.acr.as_ref().is_some_and(|acr| request.acr_values.contains(acr))
}
