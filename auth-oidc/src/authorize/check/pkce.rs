//! `code_challenge`: S256 (RFC 7636 §4.3, RFC 9700 §2.1.1).

use auth_core::http::Form;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::client::Client;
use crate::provider::PkcePolicy;
use crate::refusal::ErrorCode;

pub(crate) fn pkce(
    form: &Form,
    client: &Client,
    policy: PkcePolicy,
    to: &ValidatedRedirect,
) -> Result<Option<String>, RedirectError> {
    let refuse = |text| Err(RedirectError::new(to, ErrorCode::InvalidRequest, text));
    let required = client.is_public() || policy == PkcePolicy::All;
    match (form.get("code_challenge"), form.get("code_challenge_method")) {
        (None, None) if !required && !form.contains("code_challenge") => Ok(None),
        (None, _) => refuse("the parameter 'code_challenge' is missing: PKCE is required"),
        (Some(_), method) if method != Some("S256") => {
            refuse("the parameter 'code_challenge_method' must be S256")
        }
        (Some(challenge), _) => {
            let base64url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            if challenge.len() != 43 || !challenge.bytes().all(base64url) {
                return refuse("the parameter 'code_challenge' is not 43 characters of base64url");
            }
            Ok(Some(challenge.to_owned()))
        }
    }
}
