//! Issuing an authorization code.

use auth_core::decision::Cx;
use auth_core::record::{Tag, Unknown};
use auth_core::seal::{Artefact, Handle, Lineage};
use auth_core::store::Write;
use auth_core::{GrantId, Scopes};

use crate::authorize::{AuthorizationRequest, AuthorizationResponse};
use crate::provider::Config;
use crate::token::access::lineage;
use crate::token::code::AuthorizationCode;
use crate::token::grant::{ExtraClaims, Generations, SignIn};

/// What a code is issued for: a validated request, an established sign-in, and what was consented to.
pub(crate) struct CodeRequest<'a> {
    pub(crate) config: &'a Config,
    pub(crate) request: &'a AuthorizationRequest,
    pub(crate) sign_in: &'a SignIn,
    /// At most what was asked for.
    pub(crate) granted: &'a Scopes,
    pub(crate) extra: ExtraClaims,
    pub(crate) generations: Generations,
}

impl CodeRequest<'_> {
    /// The answer to the client, and the code's record, which must be committed first.
    pub(crate) fn issue(self, cx: &mut Cx<'_>) -> (AuthorizationResponse, Write) {
        let grant = GrantId::new(cx.now, &mut cx.rng);
        let sign_in = self.sign_in;
        let granted = Some((grant, Some(sign_in.sid), &sign_in.subject));
        let lineage: Lineage = lineage(cx, &self.request.client_id, granted);
        let tenant = cx.tenant;
        let (code, handle) = Handle::mint(
            &tenant.keys,
            &mut cx.rng,
            Artefact::AuthorizationCode,
            tenant.id,
            lineage,
        );
        let lifetime = self.config.tokens.authorization_code_lifetime;
        let record = AuthorizationCode {
            client_id: self.request.client_id.clone(),
            redirect_uri: self.request.redirect.uri().to_owned(),
            code_challenge: self.request.code_challenge.clone(),
            nonce: self.request.nonce.clone(),
            scope: self.granted.clone(),
            audience: self.request.audience.clone(),
            sign_in: sign_in.clone(),
            extra: self.extra,
            generations: self.generations,
            expires_at: cx.now.saturating_add(lifetime),
            used: false,
            unknown: Unknown::default(),
        };
        let response = self.request.redirect.respond([("code", code.expose().to_owned())]);
        (response, AuthorizationCode::at(&handle.digest).create(&record))
    }
}

/// The lineage of what stands between a subject and a client, without a grant.
pub(crate) fn relation(cx: &Cx<'_>, request: &AuthorizationRequest, sign_in: &SignIn) -> Lineage {
    let mut lineage = Lineage::default();
    lineage.client = Some(Tag::client(cx.tenant.id, request.client_id.as_str()));
    lineage.subject = Some(Tag::subject(cx.tenant.id, sign_in.subject.as_str()));
    lineage.session = Some(sign_in.sid);
    lineage
}
