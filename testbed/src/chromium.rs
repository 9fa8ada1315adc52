//! [`Chromium`]: a browser that a test drives.

use std::path::PathBuf;

use fantoccini::error::NewSessionError;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};

use crate::component::component;
use crate::error::StartError;
use crate::folder::Folder;
use crate::launch::Launch;
use crate::port;
use crate::service::Service;

/// A chromedriver, and the Chromium that it opens.
#[derive(Debug)]
pub struct Chromium {
    browser: PathBuf,
    url: String,
    _service: Service,
    _folder: Folder,
}

/// How a browser looks at pages: a phone's screen, the language, light or dark.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a test says all of it")]
pub struct Look {
    /// The language of its person, such as `en`.
    pub language: &'static str,
    /// Whether they want it dark.
    pub dark: bool,
}

impl Chromium {
    /// Starts the driver; without one, or without Chromium, `test` is noted as left out.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(test: &str) -> Result<Option<Self>, StartError> {
        let parts = component(test, "AUTH_TEST_CHROMEDRIVER")
            .and_then(|driver| Some((driver, component(test, "AUTH_TEST_CHROMIUM")?)));
        let Some((driver, browser)) = parts else { return Ok(None) };
        Service::start_somewhere(|| Self::start_once(driver.clone(), browser.clone())).map(Some)
    }

    fn start_once(driver: PathBuf, browser: PathBuf) -> Result<Self, StartError> {
        let folder = Folder::new()?;
        let address = port::free()?;
        let service = Service::start(Launch {
            server: "chromedriver",
            program: driver,
            arguments: vec![format!("--port={}", address.port()).into()],
            account: None,
            log: folder.file("log"),
            ready: "started successfully",
            end: "TERM",
        })?;
        let url = format!("http://{address}");
        Ok(Self { browser, url, _service: service, _folder: folder })
    }

    /// Opens a browser of its own: nothing of another one is in it.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn open(&self, look: Look) -> Result<Client, NewSessionError> {
        let options = json!({
            "binary": self.browser,
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--hide-scrollbars",
                format!("--accept-lang={}", look.language),
                format!("--blink-settings=preferredColorScheme={}", u8::from(!look.dark)),
            ],
            "mobileEmulation": {"deviceMetrics": {"width": 360, "height": 780, "pixelRatio": 2.0}},
        });
        let mut capabilities = Map::new();
        capabilities.insert("browserName".to_owned(), Value::from("chrome"));
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&self.url).await
    }
}
