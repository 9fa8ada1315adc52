//! `response_type`: what the provider permits and the client is registered for (RFC 6749 §3.1.1,
//! OpenID Connect Core §3.2.2.1, §3.3.2.1).

use auth_core::http::Form;

use crate::authorize::{RedirectError, ResponseMode, ValidatedRedirect};
use crate::client::{Client, ResponseType};
use crate::explain::Explained;
use crate::provider::ResponseTypePolicy;
use crate::refusal::ErrorCode;

pub(crate) fn response_type(
    form: &Form,
    client: &Client,
    policy: ResponseTypePolicy,
    to: &ValidatedRedirect,
) -> Result<ResponseType, RedirectError> {
    let refuse = |error, text| {
        let error = RedirectError::new(to, error, text);
        Err(error.by_parameter("RFC 6749 §3.1.1", "response_type", form))
    };
    let Some(asked) = form.get("response_type") else {
        return refuse(ErrorCode::InvalidRequest, "the parameter 'response_type' is missing");
    };
    let permitted = ResponseType::parse(asked).filter(|asked| policy.permits(*asked));
    let Some(response_type) = permitted else {
        let text = "the parameter 'response_type' is not one that is supported here";
        return refuse(ErrorCode::UnsupportedResponseType, text);
    };
    if !client.may_ask_for(response_type) {
        let text = "the client is not registered for this response type and its grant types";
        return refuse(ErrorCode::UnauthorizedClient, text);
    }
    if response_type != ResponseType::Code && to.mode == ResponseMode::Query {
        // Servers keep queries in their logs, and send them on as `Referer`.
        let to = ValidatedRedirect { mode: ResponseMode::Fragment, ..to.clone() };
        let text = "the parameter 'response_mode' is query, which no token may travel in";
        let error = RedirectError::new(&to, ErrorCode::InvalidRequest, text);
        let section = "OAuth 2.0 Multiple Response Type Encoding Practices §3";
        return Err(error.by_parameter(section, "response_mode", form));
    }
    if response_type.has_id_token() && form.get("nonce").is_none() {
        let text = "the parameter 'nonce' is missing: an id token from this endpoint needs one";
        let error = RedirectError::new(to, ErrorCode::InvalidRequest, text);
        return Err(error.by_parameter("OpenID Connect Core §3.2.2.1", "nonce", form));
    }
    Ok(response_type)
}
