//! [`Browser`]: which browser a challenge was put to.

use auth_core::decision::Rng;
use auth_core::http::{CookieScope, CookieSpec, cookie};
use auth_core::page::Remedy;
use auth_core::{ChallengeId, Tenant};
use http::{HeaderMap, StatusCode};
use ring::digest;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::authorize::PageError;
use crate::refusal::ErrorCode;

/// A browser by the random value in its cookie, which lives as long as the browser is open. Challenges
/// hold its digest, so that an answer counts only in the browser that was asked, and one cookie serves
/// any number of tabs.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    /// 128 random bits, as text.
    nonce: String,
    is_new: bool,
}

/// The digest of a browser's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BrowserId(ChallengeId);

impl Browser {
    const COOKIE: &'static str = "auth_browser";

    /// The browser of a request, if it brings its cookie.
    pub(crate) fn read(headers: &HeaderMap, scope: CookieScope) -> Option<Self> {
        let nonce = cookie(headers, scope, Self::COOKIE)?;
        ChallengeId::parse(&nonce)?;
        Some(Self { nonce, is_new: false })
    }

    /// A browser that comes without one.
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self { nonce: ChallengeId::random(rng).to_string(), is_new: true }
    }

    /// The cookie to set, if it is new.
    pub(crate) fn cookie(&self) -> Option<CookieSpec> {
        self.is_new.then(|| CookieSpec::session(Self::COOKIE, self.nonce.clone()))
    }

    pub(crate) fn id(&self, tenant: &Tenant) -> BrowserId {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in ["browser", tenant.id.as_str(), &self.nonce] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&context.finish().as_ref()[..16]);
        BrowserId(ChallengeId::from_bytes(id))
    }

    /// Refuses an answer that comes from another browser than the one that was asked.
    pub(crate) fn require(
        browser: Option<&Self>,
        asked: BrowserId,
        tenant: &Tenant,
    ) -> Result<(), PageError> {
        let refuse =
            |text| PageError::new(ErrorCode::RequestForbidden, text).status(StatusCode::FORBIDDEN);
        let Some(browser) = browser else {
            let text = "the browser did not bring the cookie that was set when it was asked: cookies \
                        are switched off, the site was reached under another host or scheme, or the \
                        browser was closed meanwhile";
            return Err(refuse(text).remedy(Remedy::AllowCookies));
        };
        let id = browser.id(tenant);
        if !bool::from(id.0.as_bytes().ct_eq(asked.0.as_bytes())) {
            let text = "the question was put to another browser";
            return Err(refuse(text).remedy(Remedy::StartAgain));
        }
        Ok(())
    }
}
