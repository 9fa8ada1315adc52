//! Login sessions at the provider, and their end.

pub(crate) mod end_session;
pub(crate) mod id_token_hint;
pub(crate) mod login_session;
pub(crate) mod post_logout;
