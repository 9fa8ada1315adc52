//! Session management (OpenID Connect Session Management 1.0), as far as HTTP shows it; the frame at work is in
//! `in_chromium.rs`.

use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

use crate::flow::*;
use crate::front::attempt;
use crate::logout::{logout_url, sign_in};
use crate::world::{Setup, World};

const STATE: &str = "auth_browser_state";
const UNTIL: &str = "auth_browser_state_until";
const FRAME: &str = "/oauth2/sessions/check";

async fn watched(setup: Setup) -> World {
    World::with(setup, auth_oidc::ProviderBuilder::session_management).await
}

/// What the frame's script makes of it.
fn expected(session_state: &str, client: &str, origin: &str, browser_state: &str) -> String {
    let salt = session_state.split_once('.').unwrap().1;
    let text = [client, origin, browser_state, salt].join(" ");
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    format!("{}.{salt}", URL_SAFE_NO_PAD.encode(digest))
}

async fn silent(world: &World, browser: &Browser, client: &str) -> Callback {
    let request = request(client).set("prompt", "none").set("scope", "openid");
    open(world, browser, &request.url(world)).await.callback()
}

fn set_cookie(reply: &Reply, name: &str) -> Option<String> {
    let cookies = reply.headers.get_all("set-cookie");
    let mut cookies = cookies.iter().map(|cookie| cookie.to_str().unwrap().to_owned());
    cookies.find(|cookie| cookie.starts_with(&format!("{name}=")))
}

blackbox! {
    async fn o_07_session_state_is_what_the_frame_compares_with(setup: Setup) {
        let world = watched(setup).await;
        let browser = Browser::new();
        let tokens = sign_in(&world, &browser, &ALICE).await;
        let state = browser.cookie(STATE).unwrap();
        assert!(browser.cookie(UNTIL).unwrap().parse::<u64>().is_ok());
        let first = silent(&world, &browser, "web").await;
        let session_state = first.get("session_state").to_owned();
        assert_eq!(session_state, expected(&session_state, "web", "https://app.example", &state));
        // Each answer has its own, and all of them agree with the browser.
        let second = silent(&world, &browser, "web").await.get("session_state").to_owned();
        assert_ne!(session_state, second);
        assert_eq!(second, expected(&second, "web", "https://app.example", &state));
        assert_eq!(browser.cookie(STATE).unwrap(), state, "the session is the same");
        let sid = claims(&tokens.id)["sid"].as_str().unwrap().to_owned();
        assert!(!state.contains(&sid) && !session_state.contains(&sid));

        let url = logout_url(&world, &[("id_token_hint", &tokens.id)]);
        assert_page(&open(&world, &browser, &url).await.page(), 200);
        assert_eq!((browser.cookie(STATE), browser.cookie(UNTIL)), (None, None));
        // Somebody else, or the same person again, is another session.
        sign_in(&world, &browser, &ALICE).await;
        assert_ne!(browser.cookie(STATE).unwrap(), state);
    }

    async fn o_07_a_session_from_before_gets_its_cookie(setup: Setup) {
        let world = watched(setup).await;
        let browser = Browser::new();
        sign_in(&world, &browser, &ALICE).await;
        let state = browser.cookie(STATE).unwrap();
        browser.set_cookie(STATE, "");
        let answer = silent(&world, &browser, "web").await;
        assert!(!answer.code().is_empty());
        assert_eq!(browser.cookie(STATE).unwrap(), state);
    }

    async fn o_07_only_who_asked_for_openid_is_told_and_only_at_an_origin(setup: Setup) {
        let world = watched(setup).await;
        let browser = Browser::new();
        sign_in(&world, &browser, &ALICE).await;
        assert!(!silent(&world, &browser, "web").await.get("session_state").is_empty());
        let plain = request("web").set("scope", "profile");
        let answer = authorize(&world, &browser, &ALICE, &plain).await.callback();
        assert!(!answer.code().is_empty());
        assert_eq!(answer.get("session_state"), "");
        let native = auth_oidc::client::Client::public("native").redirect_uri("com.example.app:/cb");
        world.provider.clients().put(native.scope("openid").skip_consent()).await.unwrap();
        let request = request("native").set("redirect_uri", "com.example.app:/cb");
        let request = request.set("scope", "openid");
        let answer = authorize(&world, &browser, &ALICE, &request).await.callback();
        assert!(!answer.code().is_empty());
        assert_eq!(answer.get("session_state"), "");
    }

    async fn o_07_the_frame_may_be_anywhere_and_runs_one_script(setup: Setup) {
        let world = watched(setup).await;
        let metadata = world.url("/.well-known/openid-configuration");
        let metadata = Browser::new().get(&metadata).await.unwrap().json();
        assert_eq!(metadata["check_session_iframe"], world.url(FRAME));
        let page = Browser::new().get(&world.url(FRAME)).await.unwrap();
        assert_eq!(page.status, 200);
        assert!(page.headers.get("x-frame-options").is_none());
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(!policy.contains("frame-ancestors") && !policy.contains("unsafe"), "{policy}");
        let script = page.text().split("<script>").nth(1).unwrap().split("</script>").next().unwrap().to_owned();
        let digest = digest::digest(&digest::SHA256, script.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(digest);
        assert!(policy.contains(&format!("script-src 'sha256-{hash}'")), "{policy}");
        assert!(page.text().contains(&format!("data-cookie=\"{STATE}\"")));
        assert!(page.headers["cache-control"].to_str().unwrap().contains("public"));
    }

    async fn o_07_without_session_management_there_is_nothing_of_it(setup: Setup) {
        let world = World::start(setup).await;
        let browser = Browser::new();
        sign_in(&world, &browser, &ALICE).await;
        assert_eq!(browser.cookie(STATE), None);
        assert_eq!(silent(&world, &browser, "web").await.get("session_state"), "");
        let metadata = world.url("/.well-known/openid-configuration");
        let metadata = Browser::new().get(&metadata).await.unwrap().json();
        assert_eq!(metadata.get("check_session_iframe"), None);
        assert_eq!(Browser::new().get(&world.url(FRAME)).await.unwrap().status, 404);
    }

    async fn o_07_only_the_state_is_readable_by_scripts(setup: Setup) {
        let world = watched(setup).await;
        let browser = Browser::new();
        let login = open(&world, &browser, &request("web").url(&world)).await.page();
        let reply = attempt(&world, &browser, &login, "alice", ALICE.password).await;
        let reply = browser.get(reply.location().unwrap().as_str()).await.unwrap();
        let state = set_cookie(&reply, STATE).unwrap();
        assert!(!state.contains("HttpOnly") && state.contains("Path=/"), "{state}");
        let session = set_cookie(&reply, "auth_session").unwrap();
        assert!(session.contains("HttpOnly"), "{session}");
    }
}
