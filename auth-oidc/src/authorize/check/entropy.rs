//! `state` and `nonce`: too long to be guessed, or absent (RFC 9700 §4.7).

use auth_core::http::Form;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::explain::Explained;
use crate::refusal::ErrorCode;

/// The fewest characters of a value that protects a client.
const MIN: usize = 8;
/// The most bytes that are carried along: some frameworks put all that they need into `state`.
const MAX: [usize; 2] = [4096, 1024];

pub(crate) fn entropy(form: &Form, to: &ValidatedRedirect) -> Result<(), RedirectError> {
    let rules = [("state", ErrorCode::InvalidState), ("nonce", ErrorCode::InvalidRequest)];
    for ((name, code), max) in rules.into_iter().zip(MAX) {
        let Some(value) = form.get(name) else { continue };
        if value.chars().count() < MIN {
            let text = format!(
                "the parameter '{name}' has insufficient entropy: at least {MIN} characters"
            );
            return Err(RedirectError::new(to, code, text).by_parameter(
                "RFC 6749 §10.10",
                name,
                form,
            ));
        }
        if value.len() > max {
            let text = format!("the parameter '{name}' is longer than {max} bytes");
            let error = RedirectError::new(to, ErrorCode::InvalidRequest, text);
            return Err(error.by_parameter("RFC 6749 §10.10", name, form));
        }
    }
    Ok(())
}
