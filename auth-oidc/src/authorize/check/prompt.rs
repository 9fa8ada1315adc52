//! `prompt` (OpenID Connect Core §3.1.2.1).

use auth_core::http::Form;

use crate::authorize::{Prompt, RedirectError, ValidatedRedirect};
use crate::refusal::ErrorCode;

pub(crate) fn prompt(form: &Form, to: &ValidatedRedirect) -> Result<Prompt, RedirectError> {
    let refuse = |text| Err(RedirectError::new(to, ErrorCode::InvalidRequest, text));
    let mut prompt = Prompt::default();
    let Some(values) = form.get("prompt") else { return Ok(prompt) };
    for value in values.split(' ').filter(|value| !value.is_empty()) {
        match value {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => {
                return refuse(
                    "the parameter 'prompt' has a value other than none, login, consent and \
                     select_account",
                );
            }
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return refuse("the parameter 'prompt' has 'none' together with another value");
    }
    Ok(prompt)
}
