//! The plan `oidcc-rp-initiated-logout-certification-test-plan`.

use auth_core::keys::{SigningAlgorithm, SigningKey};
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use super::certified;
use crate::flow::*;
use crate::logout::{answer_with, is_signed_in, logout_url, sign_in};
use crate::rp::RelyingParty;
use crate::world::{Setup, World};

/// Somebody who is signed in, and about to be signed out.
struct Module {
    world: World,
    suite: RelyingParty,
    browser: Browser,
    tokens: Tokens,
}

/// 50 random characters of printable ASCII.
fn random_state() -> String {
    let mut bytes = [0; 50];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes.map(|byte| char::from(b' ' + byte % 95)).iter().collect()
}

impl Module {
    async fn begin(setup: Setup) -> Self {
        let (world, suite) = certified(setup).await;
        // Without a frame of the client, the browser is redirected at once.
        let mut client = world.provider.clients().get(&"web".into()).await.unwrap().unwrap();
        client.frontchannel_logout_uri = None;
        world.provider.clients().put(client).await.unwrap();
        let browser = Browser::new();
        let tokens = sign_in(&world, &browser, &ALICE).await;
        Self { world, suite, browser, tokens }
    }

    fn bye(&self) -> String {
        self.suite.url("/post_logout_redirect")
    }

    async fn send(&self, parameters: &[(&str, &str)]) -> End {
        open(&self.world, &self.browser, &logout_url(&self.world, parameters)).await
    }

    /// What the person sees who is not sent anywhere.
    async fn page(&self, parameters: &[(&str, &str)]) -> Reply {
        let page = self.send(parameters).await.page();
        assert_page(&page, page.status.as_u16());
        assert!(!page.text().contains(&self.suite.origin), "no way leads off");
        page
    }

    /// Says yes if the page asks, and is not sent anywhere for it.
    async fn confirm(&self, page: Reply) {
        if page.hidden("logout_challenge").is_some() {
            let accepted = answer_with(&self.world, &self.browser, &page, "accept").await;
            let page = follow(&self.world, &self.browser, accepted).await.page();
            assert_page(&page, 200);
        }
    }

    /// A `prompt=none` request finds nobody.
    async fn assert_signed_out(&self) {
        assert!(!is_signed_in(&self.world, &self.browser).await);
    }
}

blackbox! {
    async fn oidcc_rp_initiated_logout(setup: Setup) {
        let module = Module::begin(setup).await;
        let (bye, state) = (module.bye(), random_state());
        let parameters = [
            ("id_token_hint", module.tokens.id.as_str()),
            ("post_logout_redirect_uri", &bye),
            ("state", &state),
        ];
        let callback = module.send(&parameters).await.callback();
        assert!(callback.url.as_str().starts_with(&format!("{bye}?")), "{}", callback.url);
        assert_eq!(callback.get("state"), state);
        assert_eq!(callback.parameters.len(), 1, "another parameter is a warning");
        module.assert_signed_out().await;
    }

    async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(setup: Setup) {
        let module = Module::begin(setup).await;
        let bad = module.suite.url("/post_logout_redirect/elsewhere");
        let page = module.page(&[("id_token_hint", &module.tokens.id), ("post_logout_redirect_uri", &bad), ("state", "s")]).await;
        assert_eq!(page.status, 400);
    }

    async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(setup: Setup) {
        let module = Module::begin(setup).await;
        let bad = format!("{}?foo=bar", module.bye());
        let page = module.page(&[("id_token_hint", &module.tokens.id), ("post_logout_redirect_uri", &bad), ("state", "s")]).await;
        assert_eq!(page.status, 400);
    }

    async fn oidcc_rp_initiated_logout_modified_id_token_hint(setup: Setup) {
        let module = Module::begin(setup).await;
        let payload = module.tokens.id.split('.').nth(1).unwrap();
        let unsigned = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#));
        let page = module.page(&[("id_token_hint", &unsigned), ("post_logout_redirect_uri", &module.bye()), ("state", "s")]).await;
        assert_eq!(page.status, 400);
    }

    async fn oidcc_rp_initiated_logout_bad_id_token_hint(setup: Setup) {
        let module = Module::begin(setup).await;
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let mut swapped = claims(&module.tokens.id);
        (swapped["iss"], swapped["aud"]) = (json!("web"), json!(module.world.issuer));
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": key.kid().as_str()});
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&header), part(&swapped));
        let signed = format!("{input}.{}", URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()).unwrap()));
        let page = module.page(&[("id_token_hint", &signed), ("post_logout_redirect_uri", &module.bye()), ("state", "s")]).await;
        assert_eq!(page.status, 400);
    }

    async fn oidcc_rp_initiated_logout_no_id_token_hint(setup: Setup) {
        let module = Module::begin(setup).await;
        let page = module.page(&[("post_logout_redirect_uri", &module.bye()), ("state", "s")]).await;
        assert_eq!(page.status, 400);
    }

    async fn oidcc_rp_initiated_logout_no_params(setup: Setup) {
        let module = Module::begin(setup).await;
        let page = module.page(&[]).await;
        assert_eq!(page.status, 200);
        module.confirm(page).await;
        module.assert_signed_out().await;
    }

    async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri(setup: Setup) {
        let module = Module::begin(setup).await;
        let page = module.page(&[("id_token_hint", &module.tokens.id), ("state", "s")]).await;
        assert_eq!(page.status, 200);
        module.confirm(page).await;
        module.assert_signed_out().await;
    }

    async fn oidcc_rp_initiated_logout_no_state(setup: Setup) {
        let module = Module::begin(setup).await;
        let bye = module.bye();
        let parameters = [("id_token_hint", module.tokens.id.as_str()), ("post_logout_redirect_uri", &bye)];
        let callback = module.send(&parameters).await.callback();
        assert_eq!(callback.url.as_str(), bye);
        module.assert_signed_out().await;
    }

    async fn oidcc_rp_initiated_logout_only_state(setup: Setup) {
        let module = Module::begin(setup).await;
        let page = module.page(&[("state", &random_state())]).await;
        assert_eq!(page.status, 200);
        module.confirm(page).await;
        module.assert_signed_out().await;
    }
}
