//! `code_challenge`: S256 (RFC 7636 §4.3, RFC 9700 §2.1.1).

use auth_core::http::Form;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::client::Client;
use crate::explain::Explained;
use crate::provider::PkcePolicy;
use crate::refusal::ErrorCode;

pub(crate) fn pkce(
    form: &Form,
    client: &Client,
    policy: PkcePolicy,
    to: &ValidatedRedirect,
) -> Result<Option<String>, RedirectError> {
    let refuse = |section, name, text| {
        let error = RedirectError::new(to, ErrorCode::InvalidRequest, text);
        Err(error.by_parameter(section, name, form))
    };
    let of_challenge = "code_challenge";
    let required = client.is_public() || policy == PkcePolicy::All;
    match (form.get("code_challenge"), form.get("code_challenge_method")) {
        (None, None) if !required && !form.contains("code_challenge") => Ok(None),
        (None, _) => {
            let text = "the parameter 'code_challenge' is missing: PKCE is required";
            refuse("RFC 7636 §4.4.1, RFC 9700 §2.1.1", of_challenge, text)
        }
        (Some(_), method) if method != Some("S256") => {
            let text = "the parameter 'code_challenge_method' must be S256";
            refuse("RFC 7636 §4.2, RFC 9700 §2.1.1", "code_challenge_method", text)
        }
        (Some(challenge), _) => {
            let base64url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            if challenge.len() != 43 || !challenge.bytes().all(base64url) {
                let text = "the parameter 'code_challenge' is not 43 characters of base64url";
                return refuse("RFC 7636 §4.2", of_challenge, text);
            }
            Ok(Some(challenge.to_owned()))
        }
    }
}
