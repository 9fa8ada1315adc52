//! `resource`: for whom a token is (RFC 8707 §2).

use auth_core::http::Form;
use url::Url;

use crate::authorize::{RedirectError, ValidatedRedirect};
use crate::client::Client;
use crate::explain::Explained;
use crate::refusal::ErrorCode;

pub(crate) fn check(
    form: &Form,
    client: &Client,
    to: &ValidatedRedirect,
) -> Result<Vec<String>, RedirectError> {
    granted_audience(form, &client.audience)
        .map_err(|text| RedirectError::new(to, ErrorCode::InvalidTarget, text))
        .map_err(|error| error.by_parameter("RFC 8707 §2", "resource", form))
}

/// The resources that are asked for, each of which must be one of `permitted`.
pub(crate) fn granted_audience(
    form: &Form,
    permitted: &[String],
) -> Result<Vec<String>, &'static str> {
    let mut audience: Vec<String> = Vec::new();
    for resource in form.all("resource") {
        if Url::parse(resource).is_err() || resource.contains('#') {
            return Err("the parameter 'resource' is not an absolute URI without a fragment");
        }
        if !permitted.iter().any(|permitted| permitted == resource) {
            return Err("the parameter 'resource' names one that the client may not ask for");
        }
        if !audience.iter().any(|known| known == resource) {
            audience.push(resource.to_owned());
        }
    }
    Ok(audience)
}
