//! Front-channel logout (OpenID Connect Front-Channel Logout 1.0).

use auth_core::Issuer;
use url::Url;

/// What a client's frame is loaded from: its `frontchannel_logout_uri` with `iss` and `sid` (§2), by which it
/// tells a logout from a page that somebody else put into a frame.
pub(crate) fn frame(uri: &str, issuer: &Issuer, sid: &str) -> Option<String> {
    let mut url = Url::parse(uri).ok()?;
    url.query_pairs_mut().append_pair("iss", issuer.as_str()).append_pair("sid", sid);
    Some(url.into())
}
