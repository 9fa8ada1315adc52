//! Modules of the OpenID Foundation's conformance suite for providers, one test each under the module's name: it sends
//! what the module sends, and demands what passes there without a warning.
//!
//! The plans basic, implicit and hybrid with their form_post twins, config, RP-initiated logout, back-channel logout,
//! front-channel logout and session management. What is not advertised is skipped there: id tokens without a
//! signature. The
//! provider has an issuer on loopback here: that its URLs are https is looked at where an issuer is.

mod discovery;
mod interaction;
mod logout;
mod pass;
mod requests;
mod rp_initiated;
mod tokens;

use auth_oidc::ProviderBuilder;

use crate::rp::{RelyingParty, outgoing};
use crate::world::{Setup, World, web};

/// A provider with all that the plans look for, and the server of its client `web`.
async fn certified(setup: Setup) -> (World, RelyingParty) {
    let suite = RelyingParty::start().await;
    let client = web()
        .redirect_uri(suite.url("/cb"))
        .post_logout_redirect_uri(suite.url("/post_logout_redirect"))
        .backchannel_logout_uri(suite.url("/backchannel_logout"))
        .frontchannel_logout_uri(suite.url("/frontchannel_logout"));
    let change = |builder: ProviderBuilder| {
        builder.client(client).http_client(outgoing()).session_management()
    };
    (World::with(setup, change).await, suite)
}
