//! `claims`: claims asked for one by one (OpenID Connect Core §5.5).

use auth_core::http::Form;
use auth_core::keys::parse_object;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::explain::Explained;
use crate::refusal::ErrorCode;
use crate::token::requested_claims::RequestedClaims;

pub(crate) fn claims(
    form: &Form,
    to: &ValidatedRedirect,
) -> Result<RequestedClaims, RedirectError> {
    let refuse = |text| {
        let error = RedirectError::new(to, ErrorCode::InvalidRequest, text);
        error.by_parameter("OpenID Connect Core §5.5", "claims", form)
    };
    let Some(text) = form.get("claims") else { return Ok(RequestedClaims::default()) };
    let object = parse_object(text.as_bytes()).map_err(|_| {
        refuse("the parameter 'claims' is not a JSON object in which each member stands once")
    })?;
    RequestedClaims::parse(&object).map_err(refuse)
}
