//! The walk of a person through the quickstart: in English and Korean, light and dark, on a phone.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use testbed::{Chromium, Look};

/// Walks in every language and colour scheme. Without Chromium it says so and is recorded as left out.
pub(crate) async fn everywhere(adapter: &str, program: &str) {
    let test = format!("the quickstart in Chromium on {adapter}");
    let Some(chromium) = Chromium::start(&test).unwrap() else { return };
    let app = App::start(program).await;
    for language in ["en", "ko"] {
        for dark in [false, true] {
            let browser = chromium.open(Look { language, dark }).await.unwrap();
            let scheme = if dark { "dark" } else { "light" };
            let name = format!("{adapter}-{language}-{scheme}");
            let walk = Walk { browser, base: app.base.clone(), name };
            walk.through(language).await;
            walk.browser.close().await.unwrap();
        }
    }
}

struct Walk {
    browser: Client,
    base: String,
    name: String,
}

impl Walk {
    async fn through(&self, language: &str) {
        let korean = language == "ko";
        self.goto("/").await;
        self.look("home").await;
        self.click("#sign-in").await;

        self.wait_for("input[name=password]").await;
        assert_eq!(self.script("return document.documentElement.lang").await, language);
        self.look("login").await;
        self.sign_in("nonsense").await;
        self.wait_for("[role=alert]").await;
        self.look("login-again").await;
        self.sign_in("wonderland").await;

        self.wait_for("input[name=consent_challenge]").await;
        assert!(self.text("main").await.contains("Demo application"));
        self.look("consent").await;
        self.click("button[name=action][value=accept]").await;

        self.wait_for("#id-token").await;
        let claims: Value = serde_json::from_str(&self.text("#id-token").await).unwrap();
        assert_eq!(claims["sub"], "u-1");
        let userinfo: Value = serde_json::from_str(&self.text("#userinfo").await).unwrap();
        assert_eq!(userinfo["email"], "alice@example.com");
        self.look("signed-in").await;

        self.click("#refresh").await;
        self.wait_for("#refreshed").await;
        let fresh: Value = serde_json::from_str(&self.text("#id-token").await).unwrap();
        assert_eq!(fresh["sub"], "u-1");
        assert_eq!(fresh["auth_time"], claims["auth_time"]);

        // Without a hint the provider asks, and a person may stay.
        self.goto("/oauth2/sessions/logout").await;
        self.wait_for("input[name=logout_challenge]").await;
        self.look("logout").await;
        self.click("button[name=action][value=deny]").await;
        self.wait_for("h1").await;
        self.look("stayed").await;

        self.goto("/").await;
        self.click("#sign-out").await;
        self.wait_for("#sign-in").await;
        self.goto("/oauth2/auth?client_id=nobody").await;
        let error = self.text("main").await;
        assert!(error.contains("invalid_client"), "{error}");
        let hangul = error.chars().any(|c| ('가'..='힣').contains(&c));
        assert_eq!(hangul, korean, "{error}");
        self.look("error").await;

        // Signed out: the provider asks again who it is.
        self.goto("/").await;
        self.click("#sign-in").await;
        self.wait_for("input[name=password]").await;
        self.click("button[name=action][value=cancel]").await;
        self.wait_for("[role=alert]").await;
        assert!(self.text("[role=alert]").await.contains("access_denied"));
    }

    /// What must hold of every page: nothing to scroll sideways for, nothing for axe-core to complain of,
    /// and a picture for people to look at.
    async fn look(&self, page: &str) {
        let overflow = "return document.documentElement.scrollWidth - window.innerWidth";
        let overflow = self.script(overflow).await;
        assert!(overflow.as_f64().unwrap() <= 0.0, "{page} scrolls sideways by {overflow}");
        if let Some(axe) = axe() {
            self.browser.execute(&format!("{axe}; window.axe = axe;"), vec![]).await.unwrap();
            let run = "const done = arguments[arguments.length - 1]; \
                       axe.run().then(r => done(r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target).join(' '))))";
            let violations = self.browser.execute_async(run, vec![]).await.unwrap();
            assert_eq!(violations, json!([]), "{page} of {}", self.name);
        }
        let folder = workspace().join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let png = self.browser.screenshot().await.unwrap();
        std::fs::write(folder.join(format!("{}-{page}.png", self.name)), png).unwrap();
    }

    async fn sign_in(&self, password: &str) {
        let identifier = self.browser.find(Locator::Css("input[name=identifier]")).await.unwrap();
        identifier.clear().await.unwrap();
        identifier.send_keys("alice").await.unwrap();
        let field = self.browser.find(Locator::Css("input[name=password]")).await.unwrap();
        field.send_keys(password).await.unwrap();
        self.click("button[name=action][value=login]").await;
    }

    async fn goto(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    async fn click(&self, css: &str) {
        self.wait_for(css).await;
        self.browser.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    async fn text(&self, css: &str) -> String {
        self.browser.find(Locator::Css(css)).await.unwrap().text().await.unwrap()
    }

    async fn wait_for(&self, css: &str) {
        let waited = self.browser.wait().at_most(Duration::from_secs(10));
        if waited.for_element(Locator::Css(css)).await.is_err() {
            let (url, page) = (self.browser.current_url().await, self.browser.source().await);
            panic!("{}: no {css} at {url:?}: {page:?}", self.name);
        }
    }

    async fn script(&self, script: &str) -> Value {
        self.browser.execute(script, vec![]).await.unwrap()
    }
}

/// The quickstart in a folder of its own, stopped at the end.
struct App {
    base: String,
    child: Child,
    folder: PathBuf,
}

impl App {
    async fn start(program: &str) -> Self {
        let port = testbed::free_address().unwrap().port();
        let folder = std::env::temp_dir().join(format!("quickstart-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let child = Command::new(program)
            .env("PORT", port.to_string())
            .env("RUST_LOG", "warn")
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_for_port(port).await;
        Self { base: format!("http://127.0.0.1:{port}"), child, folder }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace")
}

/// axe-core, if the packages of interop/node are installed.
fn axe() -> Option<String> {
    let path = workspace().join("interop/node/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(path).ok();
    assert!(axe.is_some() || std::env::var_os("AUTH_TEST_NODE").is_none(), "axe-core is missing");
    axe
}

async fn wait_for_port(port: u16) {
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing listens on port {port}");
}
