//! [`PushedRequest`]: a request that a client pushed before it sent the browser (RFC 9126).

use std::fmt;
use std::time::Duration;

use auth_core::decision::Rng;
use auth_core::http::Form;
use auth_core::record::{Kind, TypedKey};
use auth_core::store::Main;
use auth_core::{ClientId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

/// The parameters of a request, which were validated when they came, and are once more when they are used.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PushedRequest {
    pub(crate) client_id: ClientId,
    /// As a query, without what authenticated the client.
    parameters: String,
    /// Until when the browser may come with it.
    pub(crate) expires_at: Timestamp,
    /// Until when the person may take to answer: to sign in, and then to consent.
    keep_until: Timestamp,
}

impl PushedRequest {
    /// How long the browser may take from the client to us (RFC 9126 §2.2 advises 5 to 600 seconds).
    pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
    /// What is for the back channel only.
    const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

    pub(crate) fn new(
        client_id: ClientId,
        form: &Form,
        now: Timestamp,
        interaction: Duration,
    ) -> Self {
        let others = form.iter().filter(|(name, _)| !Self::CREDENTIALS.contains(name));
        let parameters =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
        let expires_at = now.saturating_add(Self::LIFETIME);
        let keep_until = expires_at.saturating_add(interaction.saturating_mul(2));
        Self { client_id, parameters, expires_at, keep_until }
    }

    /// The parameters.
    pub(crate) fn form(&self) -> Form {
        // They were a form before.
        Form::from_query(Some(&self.parameters)).unwrap_or_default()
    }

    pub(crate) fn at(reference: &Reference) -> TypedKey<Self> {
        Self::key(&[&reference.0])
    }
}

impl fmt::Debug for PushedRequest {
    /// Without the parameters, which name people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushedRequest({})", self.client_id)
    }
}

impl Kind for PushedRequest {
    type Class = Main;
    const NAME: &'static str = "pushed_request";

    fn keep_until(&self) -> Option<Timestamp> {
        Some(self.keep_until)
    }
}

/// By which a pushed request is found: the digest of a random text of 256 bits, so that the store's contents name
/// no request.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reference([u8; 32]);

impl Reference {
    const PREFIX: &'static str = "urn:ietf:params:oauth:request_uri:";

    /// A new one, and its `request_uri`.
    pub(crate) fn new(rng: &mut Rng) -> (String, Self) {
        let name = URL_SAFE_NO_PAD.encode(rng.bytes::<32>());
        (format!("{}{name}", Self::PREFIX), Self::of(&name))
    }

    /// That of a `request_uri`, if it is one of ours by its form.
    pub(crate) fn parse(request_uri: &str) -> Option<Self> {
        request_uri.strip_prefix(Self::PREFIX).map(Self::of)
    }

    fn of(name: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, name.as_bytes()).as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reference(…)")
    }
}
