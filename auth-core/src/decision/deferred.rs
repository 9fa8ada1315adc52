//! [`DeferredSignature`]: a signature that is made once its decision is taken.

use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

use crate::decision::work::{Sign, Signature};

/// A JWS whose signature nothing of the decision depends on: the driver has it signed when the decision is
/// taken, before anything is committed, so that the decision need not be run again for it.
///
/// [`Cx::sign_later`](crate::decision::Cx::sign_later) makes one. Serialised, it is the compact form
/// (RFC 7515 §3.1).
#[derive(Clone)]
pub struct DeferredSignature(Arc<Deferred>);

struct Deferred {
    sign: Sign,
    signature: OnceLock<Signature>,
}

impl DeferredSignature {
    pub(super) fn new(sign: Sign) -> Self {
        Self(Arc::new(Deferred { sign, signature: OnceLock::new() }))
    }

    /// What is to be signed, and by which key.
    #[must_use]
    pub fn sign(&self) -> &Sign {
        &self.0.sign
    }

    /// The compact form; `None` before it is signed.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let signature = self.0.signature.get()?;
        let mut text = String::with_capacity(self.0.sign.input.len() + signature.len() * 4 / 3 + 4);
        text.push_str(&self.0.sign.input);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Some(text)
    }

    /// The first signature stays.
    pub(super) fn complete(&self, signature: Signature) {
        let _ = self.0.signature.set(signature);
    }
}

impl Serialize for DeferredSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unsigned = || serde::ser::Error::custom("a JWS was to be sent before it was signed");
        serializer.serialize_str(&self.text().ok_or_else(unsigned)?)
    }
}

impl fmt::Debug for DeferredSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeferredSignature({:?})", self.0.sign.kid)
    }
}
