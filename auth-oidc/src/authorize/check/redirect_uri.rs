//! `redirect_uri`: byte for byte one that the client registered (RFC 9700 §4.1.3).

use auth_core::Issuer;
use auth_core::http::Form;

use crate::authorize::{PageError, ResponseMode, ValidatedRedirect};
use crate::client::{Client, RedirectUri, ResponseType, redirect_uri};
use crate::explain::Explained;
use crate::refusal::ErrorCode;

/// Validates where the answer goes. Until this has succeeded there is no way to redirect.
pub(crate) fn redirect_uri(
    form: &Form,
    client: &Client,
    issuer: &Issuer,
) -> Result<ValidatedRedirect, PageError> {
    let refuse = |name, text| {
        let section = match name {
            "redirect_uri" => "OpenID Connect Core §3.1.2.1, RFC 9700 §4.1.3",
            _ => "OAuth 2.0 Multiple Response Type Encoding Practices §2.1",
        };
        PageError::new(ErrorCode::InvalidRequest, text).by_parameter(section, name, form)
    };
    let requested = form.get("redirect_uri").ok_or_else(|| {
        let text = "the parameter 'redirect_uri' is missing: send one that the client registered";
        refuse("redirect_uri", text)
    })?;
    if !still_registered(client, requested) {
        let text = "the parameter 'redirect_uri' is not one that the client registered; they are \
                    compared byte by byte";
        return Err(refuse("redirect_uri", text));
    }
    // An error travels as the answer would (OAuth 2.0 Multiple Response Type Encoding Practices §2.1).
    let usual = match form.get("response_type").and_then(ResponseType::parse) {
        None | Some(ResponseType::Code) => ResponseMode::Query,
        Some(_) => ResponseMode::Fragment,
    };
    let mode = form.get("response_mode").map_or(Some(usual), |requested| {
        ResponseMode::ALL.into_iter().find(|mode| mode.as_str() == requested)
    });
    let mode = mode.ok_or_else(|| {
        let text = "the parameter 'response_mode' is not one of query, fragment and form_post";
        refuse("response_mode", text)
    })?;
    Ok(ValidatedRedirect {
        uri: requested.to_owned(),
        mode,
        state: form.get("state").map(str::to_owned),
        issuer: issuer.as_str().to_owned(),
    })
}

/// Whether the client registers this URI now, and it may be registered by the rules of now.
pub(crate) fn still_registered(client: &Client, requested: &str) -> bool {
    client
        .redirect_uris
        .iter()
        .any(|uri| redirect_uri::matches(uri, requested) && RedirectUri::register(uri).is_ok())
}
