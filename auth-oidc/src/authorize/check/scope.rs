//! `scope`: what the client may ask for (RFC 6749 §3.3).

use auth_core::Scopes;
use auth_core::http::Form;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::client::{Client, ResponseType};
use crate::explain::Explained;
use crate::refusal::ErrorCode;

/// The scopes that are asked for, with the client's default ones. Asking for nothing never means all.
pub(crate) fn scope(
    form: &Form,
    client: &Client,
    response_type: ResponseType,
    to: &ValidatedRedirect,
) -> Result<Scopes, RedirectError> {
    let refuse = |text: String| {
        let error = RedirectError::new(to, ErrorCode::InvalidScope, text);
        error.by_parameter("RFC 6749 §3.3", "scope", form)
    };
    let asked = form.get("scope").unwrap_or_default();
    let mut scope = Scopes::parse(asked).map_err(|error| refuse(error.to_string()))?;
    if scope.iter().any(|asked| !client.scope.contains(asked)) {
        let allowed = "the parameter 'scope' has a value that the client is not registered for";
        return Err(refuse(allowed.to_owned()));
    }
    client.default_scope.iter().for_each(|default| scope.insert(default));
    if scope.is_empty() {
        return Err(refuse("the parameter 'scope' is missing or empty".to_owned()));
    }
    if response_type.has_id_token() && !scope.contains("openid") {
        let text =
            "the parameter 'scope' has no openid, which an id token from this endpoint needs";
        return Err(refuse(text.to_owned()));
    }
    // Nothing would be issued for it (OpenID Connect Core §11).
    if !response_type.has_code() {
        scope = scope.iter().filter(|s| *s != "offline_access").map(str::to_owned).collect();
    }
    Ok(scope)
}
