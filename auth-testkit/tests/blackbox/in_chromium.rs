//! What only a browser does: frames, and the scripts in them.

use auth_oidc::client::Client;
use fantoccini::{Client as Page, Locator};
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{Chromium, Look};
use url::Url;

use crate::flow::*;
use crate::logout::logout_url;
use crate::rp::RelyingParty;
use crate::world::{Adapter, Backend, PASSWORD, SECRET, Setup, World};

/// A browser at a provider, and a client's server.
struct Scene {
    page: Page,
    world: World,
    server: RelyingParty,
    _chromium: Chromium,
}

impl Scene {
    /// `None` without Chromium.
    async fn open(test: &str) -> Option<Self> {
        Self::with_sessions(test, Duration::from_secs(3600)).await
    }

    /// Whose sessions end by themselves after a time.
    async fn with_sessions(test: &str, lifetime: Duration) -> Option<Self> {
        let test = test.to_owned();
        let start = tokio::task::spawn_blocking(move || Chromium::start(&test).unwrap());
        let chromium = start.await.unwrap()?;
        let server = RelyingParty::start().await;
        let client = Client::confidential("framed", SECRET)
            .redirect_uri(server.url("/cb"))
            .post_logout_redirect_uri(server.url("/bye"))
            .frontchannel_logout_uri(server.url("/front"))
            .scope("openid")
            .skip_consent();
        let setup = Setup::single(Adapter::Axum, Backend::Memory)?;
        let world = World::with(setup, |builder| {
            let builder = builder.client(client).session_management();
            builder.sessions(|sessions| sessions.lifetime = lifetime)
        })
        .await;
        let page = chromium.open(Look { language: "en", dark: false }).await.unwrap();
        Some(Self { page, world, server, _chromium: chromium })
    }

    /// Signs in by hand; the answer to the client.
    async fn sign_in(&self) -> Callback {
        let request =
            request("framed").set("redirect_uri", &self.server.url("/cb")).set("scope", "openid");
        self.page.goto(&request.url(&self.world)).await.unwrap();
        for (field, text) in [("identifier", "alice"), ("password", PASSWORD)] {
            let field =
                self.page.find(Locator::Css(&format!("input[name={field}]"))).await.unwrap();
            field.send_keys(text).await.unwrap();
        }
        let button = Locator::Css("button[name=action][value=login]");
        self.page.find(button).await.unwrap().click().await.unwrap();
        Callback::of(self.wait_for("/cb").await)
    }

    async fn id_token(&self, callback: &Callback) -> String {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &callback.code()),
            ("redirect_uri", &self.server.url("/cb")),
            ("code_verifier", VERIFIER),
        ];
        Tokens::of(&token(&self.world, By::Basic("framed", SECRET), &form).await).id
    }

    /// Until the browser is at a page of the client.
    async fn wait_for(&self, path: &str) -> Url {
        for _ in 0..200 {
            let url = self.page.current_url().await.unwrap();
            if url.as_str().starts_with(&self.server.url(path)) {
                return url;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not at {path}: {:?}", self.page.current_url().await);
    }

    /// What the provider's frame says to the client's page.
    async fn ask(&self, text: &str) -> Value {
        self.page.goto(&self.server.url("/watch")).await.unwrap();
        let frame = self.world.url("/oauth2/sessions/check");
        let script =
            "const [url, text, done] = arguments; load(url).then(() => ask(text)).then(done)";
        self.page.execute_async(script, vec![json!(frame), json!(text)]).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o_07_a_page_learns_by_the_frame_that_the_session_changed() {
    let Some(scene) = Scene::open("session management in Chromium").await else { return };
    let callback = scene.sign_in().await;
    let session_state = callback.get("session_state").to_owned();
    let message = format!("framed {session_state}");
    assert_eq!(scene.ask(&message).await, "unchanged");
    assert_eq!(scene.ask(&format!("other {session_state}")).await, "changed");
    for wrong in ["", "framed", "framed x", "framed a.b c", "framed x."] {
        assert_eq!(scene.ask(wrong).await, "error", "{wrong}");
    }
    let id_token = scene.id_token(&callback).await;
    let url = logout_url(&scene.world, &[("id_token_hint", &id_token)]);
    scene.page.goto(&url).await.unwrap();
    assert_eq!(scene.ask(&message).await, "changed");
    scene.page.clone().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o_07_a_page_learns_by_the_frame_that_the_session_ended_by_itself() {
    let lifetime = Duration::from_secs(20);
    let scene = Scene::with_sessions("the end of a session in Chromium", lifetime).await;
    let Some(scene) = scene else { return };
    let callback = scene.sign_in().await;
    let message = format!("framed {}", callback.get("session_state"));
    assert_eq!(scene.ask(&message).await, "unchanged");
    tokio::time::sleep(lifetime).await;
    assert_eq!(scene.ask(&message).await, "changed", "without a request");
    scene.page.clone().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o_07_a_browser_loads_the_client_s_frame_and_goes_on() {
    let Some(scene) = Scene::open("front-channel logout in Chromium").await else { return };
    let callback = scene.sign_in().await;
    let id_token = scene.id_token(&callback).await;
    scene.server.received();
    let url = logout_url(
        &scene.world,
        &[
            ("id_token_hint", &id_token),
            ("post_logout_redirect_uri", &scene.server.url("/bye")),
            ("state", "s-1"),
        ],
    );
    scene.page.goto(&url).await.unwrap();
    assert_eq!(scene.wait_for("/bye").await.query(), Some("state=s-1"));
    let received = scene.server.received();
    let framed: Vec<_> = received.iter().filter(|it| it.uri.path() == "/front").collect();
    assert_eq!(framed.len(), 1, "{received:?}");
    let url = Url::parse(&format!("http://rp{}", framed[0].uri)).unwrap();
    let query: Vec<_> = url.query_pairs().into_owned().collect();
    let sid = claims(&id_token)["sid"].as_str().unwrap().to_owned();
    let wanted = [("iss", scene.world.issuer.as_str()), ("sid", &sid)];
    assert_eq!(query, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // Signed out it would be asked again.
    let silent =
        request("framed").set("redirect_uri", &scene.server.url("/cb")).set("scope", "openid");
    scene.page.goto(&silent.set("prompt", "none").url(&scene.world)).await.unwrap();
    let answer = Callback::of(scene.wait_for("/cb").await);
    assert_eq!(answer.get("error"), "login_required");
    scene.page.clone().close().await.unwrap();
}
