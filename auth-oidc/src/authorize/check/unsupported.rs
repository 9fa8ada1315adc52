//! Parameters that must be refused rather than ignored (OpenID Connect Core §3.1.2.6, §6.1, §7.2.1).

use auth_core::http::Form;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::explain::Explained;
use crate::refusal::ErrorCode;

pub(crate) fn unsupported(form: &Form, to: &ValidatedRedirect) -> Result<(), RedirectError> {
    let refused = [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ];
    match refused.into_iter().find(|(name, _)| form.contains(name)) {
        Some((name, code)) => {
            let text = format!("the parameter '{name}' is not supported here");
            Err(RedirectError::new(to, code, text).by_parameter(code.section(), name, form))
        }
        None => Ok(()),
    }
}
