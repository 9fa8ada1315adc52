//! [`Cryptography`]: what of a request and its answer is hashed, sealed or opened.

use auth_core::http::{Request, Response};
use cookie::Cookie;
use http::{HeaderMap, HeaderName, header};
use ring::{aead, digest};
use serde_json::Value;
use url::form_urlencoded;

use crate::scene::Failure;

/// The lengths of what is hashed, and of what is sealed or opened, told from the values that travel: nothing
/// that a provider does besides is counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cryptography {
    hashed: Vec<usize>,
    sealed: Vec<usize>,
}

/// What opaque values begin with, by which they are known.
const OPAQUE: [&str; 4] = ["ac_", "at_", "rt_", "se_"];

impl Cryptography {
    /// Of what a client sent, and what it got.
    pub(crate) fn of(request: &Request, response: &Response) -> Self {
        let mut seen = Self::default();
        seen.form(request.uri().query().unwrap_or_default().as_bytes());
        seen.form(request.body());
        seen.cookies(request.headers(), header::COOKIE);
        // The secret is compared by its digest.
        if let Some(credentials) = request.headers().get(header::AUTHORIZATION) {
            seen.hashed.push(credentials.len());
        }
        if let Some(to) = response.headers().get(header::LOCATION) {
            seen.form(to.as_bytes().splitn(2, |byte| *byte == b'?').nth(1).unwrap_or_default());
        }
        seen.cookies(response.headers(), header::SET_COOKIE);
        if let Ok(Value::Object(members)) = serde_json::from_slice(response.body()) {
            for (name, value) in &members {
                seen.value(name, value.as_str().unwrap_or_default());
            }
        }
        seen
    }

    fn form(&mut self, form: &[u8]) {
        form_urlencoded::parse(form).for_each(|(name, value)| self.value(&name, &value));
    }

    fn cookies(&mut self, headers: &HeaderMap, name: HeaderName) {
        let texts = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok());
        let pairs = texts.map(|text| match name == header::COOKIE {
            true => text,
            // The rest says where it is sent.
            false => text.split(';').next().unwrap_or_default(),
        });
        for cookie in pairs.flat_map(Cookie::split_parse).flatten() {
            self.value(cookie.name(), cookie.value());
        }
    }

    fn value(&mut self, name: &str, value: &str) {
        match name {
            // The digest of the access token is in the id token.
            "code_verifier" | "id_token" => self.hashed.push(value.len()),
            "login_challenge" | "consent_challenge" | "login_verifier" | "consent_verifier" => {
                self.sealed.push(value.len());
            }
            _ if OPAQUE.iter().any(|prefix| value.starts_with(prefix)) => {
                self.hashed.push(value.len());
                self.sealed.push(value.len());
            }
            _ => {}
        }
    }

    /// Does as much of it.
    pub(crate) fn perform(&self, key: &aead::LessSafeKey) -> Result<(), Failure> {
        for length in &self.hashed {
            std::hint::black_box(digest::digest(&digest::SHA256, &vec![b'x'; *length]));
        }
        for length in &self.sealed {
            let mut sealed = vec![b'x'; *length];
            let nonce = aead::Nonce::assume_unique_for_key([0; 12]);
            key.seal_in_place_append_tag(nonce, aead::Aad::empty(), &mut sealed)?;
            std::hint::black_box(sealed);
        }
        Ok(())
    }
}
