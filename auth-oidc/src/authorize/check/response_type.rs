//! `response_type`: `code` (RFC 9700 §2.1.2).

use auth_core::http::Form;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::client::{Client, GrantType};
use crate::refusal::ErrorCode;

pub(crate) fn response_type(
    form: &Form,
    client: &Client,
    to: &ValidatedRedirect,
) -> Result<(), RedirectError> {
    match form.get("response_type") {
        Some("code") if client.may_use(GrantType::AuthorizationCode) => Ok(()),
        Some("code") => Err(RedirectError::new(
            to,
            ErrorCode::UnauthorizedClient,
            "the client is not registered for the authorization_code grant",
        )),
        None => Err(RedirectError::new(
            to,
            ErrorCode::InvalidRequest,
            "the parameter 'response_type' is missing",
        )),
        Some(_) => Err(RedirectError::new(
            to,
            ErrorCode::UnsupportedResponseType,
            "the parameter 'response_type' is not 'code', the only one supported here",
        )),
    }
}
