//! Whoever develops a client is told which rule refused a request; in production only the log is.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use auth_core::http::{Listener, dispatch};
use auth_oidc::client::Client;
use auth_testkit::{Browser, Reply};
use http::StatusCode;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::flow::*;
use crate::world::{Setup, WEB_CALLBACK, World};

async fn explaining(setup: Setup) -> World {
    World::with(setup, |builder| builder.explain(true)).await
}

async fn exchange(world: &World, changed: &str, value: &str) -> Reply {
    let code = code(world).await;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", WEB_CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    form.iter_mut().filter(|(name, _)| *name == changed).for_each(|it| it.1 = value);
    token(world, WEB, &form).await
}

const OTHER: &str = "0000000000000000000000000000000000000000000";

blackbox! {
    async fn a_refusal_names_the_rule_and_what_was_sent(setup: Setup) {
        let world = explaining(setup).await;
        let refused = async |reply: Reply| {
            assert!(!reply.status.is_success());
            reply.json()["explanation"].clone()
        };
        assert_eq!(exchange(&world, "", "").await.status, 200);
        assert_eq!(
            refused(exchange(&world, "redirect_uri", "https://app.example/other").await).await,
            json!({"rule": "RFC 6749 §4.1.3", "parameter": "redirect_uri", "value": "https://app.example/other"})
        );
        assert_eq!(
            refused(exchange(&world, "code_verifier", OTHER).await).await,
            json!({"rule": "RFC 7636 §4.6", "parameter": "code_verifier", "value": "(43 characters, not shown)"})
        );
        let asked = [("grant_type", "client_credentials"), ("scope", "openid admin")];
        assert_eq!(
            refused(token(&world, SVC, &asked).await).await,
            json!({"rule": "RFC 6749 §3.3", "parameter": "scope", "value": "openid admin"})
        );
        let stranger = token(&world, By::Basic("svc", "wrong"), &asked).await;
        assert!(refused(stranger).await["rule"].as_str().unwrap().starts_with("RFC 6749 §2.3"));
        let pushed = request("web").set("redirect_uri", "https://evil.example/");
        let pushed = crate::par::push(&world, WEB, &pushed).await;
        assert_eq!(
            refused(pushed).await,
            json!({
                "rule": "OpenID Connect Core §3.1.2.1, RFC 9700 §4.1.3", "parameter": "redirect_uri",
                "value": "https://evil.example/",
            })
        );
        // Of a rule that no step names, the error's own section is told.
        let refused = refused(token(&world, WEB, &[("grant_type", "authorization_code")]).await).await;
        assert_eq!(refused["rule"], "RFC 6749 §4.1.2.1, §5.2");
    }

    async fn a_page_shows_it_and_shows_it_escaped(setup: Setup) {
        let world = explaining(setup).await;
        let url = request("web").set("redirect_uri", "https://evil.example/<script>alert(1)</script>").url(&world);
        let page = Browser::new().get(&url).await.unwrap();
        assert_page(&page, 400);
        let text = page.text();
        assert!(text.contains("RFC 9700 §4.1.3") && text.contains("https://evil.example/&lt;script&gt;"), "{text}");
        assert!(!text.contains("<script>alert"), "{text}");
        // What goes to the client is the standard's, also here.
        let end = open(&world, &Browser::new(), &request("web").set("scope", "openid nobody").url(&world)).await;
        let callback = end.callback();
        assert_eq!(callback.get("error"), "invalid_scope");
        assert!(!callback.url.as_str().contains("RFC"), "{}", callback.url);
    }

    async fn a_logout_that_is_refused_names_its_own_rule(setup: Setup) {
        let world = explaining(setup).await;
        let (browser, tokens) = (Browser::new(), tokens(&world).await);
        for (parameters, parameter, value) in [
            (
                vec![("client_id", "web"), ("post_logout_redirect_uri", "https://evil.example/")],
                "post_logout_redirect_uri",
                "https://evil.example/",
            ),
            (vec![("client_id", "nobody")], "client_id", "nobody"),
            (vec![("id_token_hint", &*tokens.id), ("client_id", "spa")], "client_id", "spa"),
            (vec![("id_token_hint", "x")], "id_token_hint", "(1 characters, not shown)"),
        ] {
            let page = browser.get(&crate::logout::logout_url(&world, &parameters)).await.unwrap();
            assert_page(&page, 400);
            let text = page.text();
            for told in ["OpenID Connect RP-Initiated Logout", parameter, value] {
                assert!(text.contains(told), "{parameters:?}: {told}: {text}");
            }
        }
    }

    async fn in_production_nobody_but_the_log_is_told(setup: Setup) {
        let world = World::start(setup).await;
        let reply = exchange(&world, "redirect_uri", "https://app.example/other").await;
        assert_refused(&reply, 400, "invalid_grant");
        let members: Vec<String> = reply.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["error", "error_description"]);
        let url = request("web").set("redirect_uri", "https://evil.example/").url(&world);
        let page = Browser::new().get(&url).await.unwrap().text();
        assert!(!page.contains("RFC") && !page.contains("evil.example"), "{page}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_tells_under_the_id_that_the_page_shows() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let provider = auth_oidc::Provider::builder("http://127.0.0.1:4444")
        .development()
        .explain(false)
        .store(auth_core::store::MemoryStore::new())
        .pages(auth_ui::DefaultPages::new())
        .directory(auth_core::MemoryDirectory::new(Default::default()))
        .signing_keys(|keys| keys.algorithms = vec![auth_core::keys::SigningAlgorithm::Es256])
        .client(Client::public("app").redirect_uri("https://app.example/cb").scope("openid"))
        .build()
        .await
        .unwrap();
    let path = "/oauth2/auth?client_id=app&redirect_uri=https%3A%2F%2Fevil.example%2F%0Arefused";
    let request = http::Request::get(path).body(Default::default()).unwrap();
    let guard = tracing::subscriber::set_default(subscriber);
    let response = dispatch(&*provider.engine(), Listener::Public, request).await;
    drop(guard);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let page = String::from_utf8(response.body().to_vec()).unwrap();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line = log.lines().find(|line| line.contains("refused")).unwrap_or_else(|| panic!("{log}"));
    for told in [
        r#"error="invalid_request""#,
        r#"rule="OpenID Connect Core §3.1.2.1, RFC 9700 §4.1.3""#,
        r#"parameter="redirect_uri""#,
        r#"value="https://evil.example/\nrefused""#,
    ] {
        assert!(line.contains(told), "{told}: {line}");
    }
    let id = line.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(page.contains(id), "{id}: {page}");
}
