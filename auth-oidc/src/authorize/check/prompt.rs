//! `prompt` (OpenID Connect Core §3.1.2.1).

use auth_core::http::Form;

use crate::authorize::{Prompt, RedirectError, ValidatedRedirect};
use crate::explain::Explained;
use crate::refusal::ErrorCode;

/// `registers` says whether people can make an account here (Initiating User Registration via OpenID Connect
/// 1.0 §4.1).
pub(crate) fn prompt(
    form: &Form,
    registers: bool,
    to: &ValidatedRedirect,
) -> Result<Prompt, RedirectError> {
    let refuse = |text| {
        let error = RedirectError::new(to, ErrorCode::InvalidRequest, text);
        Err(error.by_parameter("OpenID Connect Core §3.1.2.1", "prompt", form))
    };
    let mut prompt = Prompt::default();
    let Some(values) = form.get("prompt") else { return Ok(prompt) };
    for value in values.split(' ').filter(|value| !value.is_empty()) {
        match value {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            "create" if registers => prompt.create = true,
            _ => {
                return refuse(
                    "the parameter 'prompt' has a value that is not one of prompt_values_supported",
                );
            }
        }
    }
    if prompt.none && prompt != (Prompt { none: true, ..Prompt::default() }) {
        return refuse("the parameter 'prompt' has 'none' together with another value");
    }
    Ok(prompt)
}
