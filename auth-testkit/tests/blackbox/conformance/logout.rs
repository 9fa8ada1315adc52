//! The plans `oidcc-backchannel-rp-initiated-logout-certification-test-plan`,
//! `oidcc-frontchannel-rp-initiated-logout-certification-test-plan` and
//! `oidcc-session-management-certification-test-plan`. The frame of the last is asked in Chromium by
//! `in_chromium.rs`; here is what it compares.

use auth_core::keys::CompactJws;
use auth_testkit::Browser;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use ring::digest;
use serde_json::{Value, json};
use url::Url;

use super::{certified, discovery};
use crate::flow::*;
use crate::logout::{is_signed_in, logout_url};
use crate::rp::RelyingParty;
use crate::world::{SECRET, World};

/// Signs in at the suite's own redirect URI, with client_secret_basic: the answer, and the tokens.
async fn sign_in(world: &World, suite: &RelyingParty, browser: &Browser) -> (Callback, Tokens) {
    let request = request("web").set("redirect_uri", &suite.url("/cb")).set("scope", "openid");
    let person = Person { remember_consent: true, ..ALICE };
    let callback = authorize(world, browser, &person, &request).await.callback();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &callback.code()),
        ("redirect_uri", &suite.url("/cb")),
        ("code_verifier", VERIFIER),
    ];
    let tokens = Tokens::of(&token(world, By::Basic("web", SECRET), &form).await);
    (callback, tokens)
}

/// Signs out, with the way back; the page with the frames of clients.
async fn sign_out(
    world: &World,
    suite: &RelyingParty,
    browser: &Browser,
    tokens: &Tokens,
) -> String {
    let bye = suite.url("/post_logout_redirect");
    let parameters =
        [("id_token_hint", tokens.id.as_str()), ("post_logout_redirect_uri", &bye), ("state", "s")];
    let page = open(world, browser, &logout_url(world, &parameters)).await.page();
    assert_page(&page, 200);
    assert!(page.text().contains(&format!("url={bye}?state=s")), "and the way back after it");
    page.text()
}

blackbox! {
    async fn oidcc_backchannel_rp_initiated_logout(setup: Setup) {
        let (world, suite) = certified(setup).await;
        let browser = Browser::new();
        let (_, tokens) = sign_in(&world, &suite, &browser).await;
        sign_out(&world, &suite, &browser, &tokens).await;
        world.provider.worker().run_once().await.unwrap();
        let [token] = suite.logout_tokens().try_into().unwrap();
        let document = discovery::verified(&world).await;
        let jwks = Browser::new().get(document["jwks_uri"].as_str().unwrap()).await.unwrap();
        let jwks: JwkSet = serde_json::from_str(&jwks.text()).unwrap();
        let jws = CompactJws::parse(&token).unwrap();
        let key = jwks.find(jws.header().kid.as_deref().unwrap()).unwrap();
        let said = Value::Object(jws.verify(key).unwrap());
        assert_eq!(said["iss"], document["issuer"]);
        assert_eq!(said["aud"], "web");
        assert!(said["iat"].is_u64() && said["jti"].is_string());
        let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
        assert_eq!(said["events"], event);
        for claim in ["sub", "sid"] {
            assert_eq!(said[claim], claims(&tokens.id)[claim]);
        }
        assert_eq!(said.get("nonce"), None);
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn oidcc_frontchannel_rp_initiated_logout(setup: Setup) {
        let (world, suite) = certified(setup).await;
        let browser = Browser::new();
        let (_, tokens) = sign_in(&world, &suite, &browser).await;
        let page = sign_out(&world, &suite, &browser, &tokens).await;
        let frame = page.split("<iframe src=\"").nth(1).unwrap().split('"').next().unwrap();
        let frame = Url::parse(&frame.replace("&amp;", "&")).unwrap();
        assert!(frame.as_str().starts_with(&suite.url("/frontchannel_logout?")), "{frame}");
        let query: Vec<_> = frame.query_pairs().into_owned().collect();
        let sid = claims(&tokens.id)["sid"].as_str().unwrap().to_owned();
        let wanted = [("iss".to_owned(), world.issuer.clone()), ("sid".to_owned(), sid)];
        assert_eq!(query, wanted, "another parameter is a warning");
        assert!(!is_signed_in(&world, &browser).await);
    }

    async fn oidcc_session_management_rp_initiated_logout(setup: Setup) {
        let (world, suite) = certified(setup).await;
        let browser = Browser::new();
        let (callback, tokens) = sign_in(&world, &suite, &browser).await;
        let session_state = callback.get("session_state").to_owned();
        let salt = session_state.split_once('.').unwrap().1.to_owned();
        let by_the_frame = |browser: &Browser| {
            let state = browser.cookie("auth_browser_state").unwrap_or_default();
            let text = ["web", &suite.origin, &state, &salt].join(" ");
            let digest = digest::digest(&digest::SHA256, text.as_bytes());
            format!("{}.{salt}", URL_SAFE_NO_PAD.encode(digest))
        };
        assert_eq!(by_the_frame(&browser), session_state, "unchanged");
        sign_out(&world, &suite, &browser, &tokens).await;
        assert_ne!(by_the_frame(&browser), session_state, "changed");
        assert!(!is_signed_in(&world, &browser).await);
    }
}
