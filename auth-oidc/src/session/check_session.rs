//! Session management (OpenID Connect Session Management 1.0): a client's page asks a frame of the provider, without a
//! request, whether the person is still signed in.

use std::time::Duration;

use auth_core::http::CookieSpec;
use auth_core::{ClientId, SessionId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use url::Url;

use crate::session::login_session::LoginSession;

/// The cookie that the frame's script compares with: which session the browser is in (§3.2, the OP browser state).
pub(crate) const COOKIE: &str = "auth_browser_state";

/// The second at which the session ends by itself. In a cookie of its own, which earlier versions neither send nor
/// read.
const UNTIL: &str = "auth_browser_state_until";

/// The frame's script, which does what [`session_state`] does.
pub(crate) const SCRIPT: &str = include_str!("check_session.js");

/// Of a session: nobody finds out its `sid`, or any other's, from it.
fn browser_state(sid: &SessionId) -> String {
    hash(&["browser state", &sid.to_string()])
}

/// The cookies of a browser that is signed in.
pub(crate) fn cookies(session: &LoginSession, now: Timestamp) -> [CookieSpec; 2] {
    let max_age = session.remember.then(|| session.expires_at.since(now));
    let (state, until) = (browser_state(&session.sign_in.sid), session.expires_at.as_secs());
    [
        CookieSpec::for_frames(COOKIE, state, max_age),
        CookieSpec::for_frames(UNTIL, until.to_string(), max_age),
    ]
}

/// What takes them away.
pub(crate) fn removals() -> [CookieSpec; 2] {
    [COOKIE, UNTIL].map(|name| CookieSpec::for_frames(name, "", Some(Duration::ZERO)))
}

/// The parameter of an authentication response (§2); `None` if the client has no origin that could ask.
pub(crate) fn session_state(
    client_id: &ClientId,
    redirect_uri: &str,
    sid: &SessionId,
    salt: [u8; 12],
) -> Option<String> {
    let origin = Url::parse(redirect_uri).ok()?.origin();
    if !origin.is_tuple() {
        return None;
    }
    let salt = URL_SAFE_NO_PAD.encode(salt);
    let (origin, state) = (origin.ascii_serialization(), browser_state(sid));
    Some(format!("{}.{salt}", hash(&[client_id.as_str(), &origin, &state, &salt])))
}

/// Of parts that have no blank in them.
fn hash(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, parts.join(" ").as_bytes()))
}
