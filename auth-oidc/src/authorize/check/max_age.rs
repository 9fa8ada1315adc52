//! `max_age`: seconds since the person last proved who they are (OpenID Connect Core §3.1.2.1).

use auth_core::http::Form;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::client::Client;
use crate::explain::Explained;
use crate::refusal::ErrorCode;

pub(crate) fn max_age(
    form: &Form,
    client: &Client,
    to: &ValidatedRedirect,
) -> Result<Option<u64>, RedirectError> {
    let Some(text) = form.get("max_age") else { return Ok(client.default_max_age) };
    // A sign is no digit, although Rust reads one.
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        let text = "the parameter 'max_age' is not a number of seconds";
        let error = RedirectError::new(to, ErrorCode::InvalidRequest, text);
        error.by_parameter("OpenID Connect Core §3.1.2.1", "max_age", form)
    })?;
    Ok(Some(seconds))
}
