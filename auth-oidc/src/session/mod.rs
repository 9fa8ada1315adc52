//! Login sessions at the provider, and their end.

pub(crate) mod back_channel;
pub(crate) mod check_session;
pub(crate) mod end_session;
pub(crate) mod ending;
pub(crate) mod expiry;
pub(crate) mod front_channel;
pub(crate) mod id_token_hint;
pub(crate) mod login_session;
pub(crate) mod post_logout;
