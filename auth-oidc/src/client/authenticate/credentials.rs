//! [`Presented`]: the credentials of a request, taken apart and not believed yet.

use auth_core::http::Form;
use auth_core::keys::{CompactJws, SecretJws};
use auth_core::{ClientId, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use url::form_urlencoded;

use crate::client::Client;
use crate::refusal::{ErrorCode, Refusal};

/// Who a client says it is, and by what it wants to prove it.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) client_id: ClientId,
    pub(crate) credential: Credential,
    /// Whether there was an `Authorization: Basic` header.
    pub(crate) basic: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Credential {
    None,
    Basic(Secret),
    Post(Secret),
    Assertion(Secret),
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Presented {
    /// Reads the credentials of a request: exactly one method (RFC 6749 §2.3).
    pub(crate) fn read(headers: &HeaderMap, form: &Form) -> Result<Self, Refusal> {
        let presented = Self::read_one(headers, form)?;
        if presented.client_id.as_str().len() > Client::MAX_ID {
            return Err(Refusal::invalid_request("client_id is longer than 255 bytes"));
        }
        Ok(presented)
    }

    fn read_one(headers: &HeaderMap, form: &Form) -> Result<Self, Refusal> {
        let basic = read_basic(headers)?;
        let form_id = form.get("client_id");
        let secret = form.get("client_secret");
        let assertion = form.get("client_assertion");
        let methods =
            [basic.is_some(), form.contains("client_secret"), form.contains("client_assertion")];
        if methods.into_iter().filter(|used| *used).count() > 1 {
            return Err(Refusal::invalid_request(
                "the client authenticates in more than one way: use one of HTTP Basic, \
                 client_secret and client_assertion",
            ));
        }
        if let Some((id, secret)) = basic {
            if form_id.is_some_and(|form_id| form_id != id) {
                return Err(Refusal::invalid_request(
                    "client_id differs from the one in the Authorization header",
                ));
            }
            let credential = Credential::Basic(secret);
            return Ok(Self { client_id: id.into(), credential, basic: true });
        }
        if let Some(assertion) = assertion {
            if form.get("client_assertion_type") != Some(JWT_BEARER) {
                return Err(Refusal::invalid_request(format!(
                    "client_assertion_type must be {JWT_BEARER}"
                )));
            }
            let issuer = unverified_issuer(assertion)?;
            if form_id.is_some_and(|form_id| form_id != issuer) {
                return Err(Refusal::invalid_request(
                    "client_id differs from the assertion's issuer",
                ));
            }
            let credential = Credential::Assertion(Secret::new(assertion));
            return Ok(Self { client_id: issuer.into(), credential, basic: false });
        }
        let Some(id) = form_id else {
            return Err(Refusal::invalid_request(
                "client_id is missing, and so is every other form of client authentication",
            ));
        };
        let credential = match secret {
            Some(secret) => Credential::Post(Secret::new(secret)),
            None => Credential::None,
        };
        Ok(Self { client_id: id.into(), credential, basic: false })
    }
}

/// Id and secret of an `Authorization: Basic` header: strict Base64, form-decoded once
/// (RFC 6749 §2.3.1, RFC 7617).
fn read_basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = || Refusal {
        basic: true,
        ..Refusal::new(
            ErrorCode::InvalidClient,
            "the Authorization header is not Basic with client_id:client_secret in Base64",
        )
    };
    if values.next().is_some() {
        return Err(malformed());
    }
    let (scheme, encoded) =
        value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    let id = form_decode(id).ok_or_else(malformed)?;
    let secret = form_decode(secret).ok_or_else(malformed)?;
    Ok(Some((id, Secret::new(secret))))
}

/// One `application/x-www-form-urlencoded` value.
fn form_decode(text: &str) -> Option<String> {
    // Clients that do not encode send `&` and `=` as they are.
    if text.contains(['&', '=']) || !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_hexdigit());
        if byte == b'%' && !(hex(bytes.next()) && hex(bytes.next())) {
            return Some(text.to_owned());
        }
    }
    let (decoded, _) = form_urlencoded::parse(text.as_bytes()).next().unwrap_or_default();
    (!decoded.contains(char::REPLACEMENT_CHARACTER)).then(|| decoded.into_owned())
}

/// The issuer that an assertion claims, to know whose keys to look for. Nothing else of it is used
/// before it is verified.
fn unverified_issuer(assertion: &str) -> Result<String, Refusal> {
    let refuse = |reason: &str| {
        Refusal::new(
            ErrorCode::InvalidClient,
            format!("the client assertion is not accepted: {reason}"),
        )
    };
    let issuer = match CompactJws::parse(assertion) {
        Ok(jws) => jws.unverified_text("iss"),
        // Which of both ways the client is registered for is looked at later.
        Err(error) => match SecretJws::parse(assertion) {
            Ok(jws) => jws.unverified_text("iss"),
            Err(_) => return Err(refuse(&error.to_string())),
        },
    };
    issuer.ok_or_else(|| refuse("it has no issuer"))
}
