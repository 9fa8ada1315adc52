//! A demo relying party, as an engine of its own: it knows the provider only by its issuer and speaks to
//! it in OpenID Connect, through the `openidconnect` crate, like any other application.
//!
//! ```text
//!   browser ─▶ /          who is signed in: id token, userinfo, buttons
//!           ─▶ /sign-in   to the provider, with state, nonce and PKCE
//!           ─▶ /callback  code for tokens; they stay here, the browser gets a cookie
//!           ─▶ /refresh   new tokens
//!           ─▶ /sign-out  to the provider's end of session
//! ```

use std::error::Error;
use std::{fmt, io};

mod app;
mod demo;
mod in_process;
mod relying_party;

pub use app::DemoApp;
pub use demo::{demo_client, demo_people};

/// The demo client's secret: 256 bits that everybody knows.
pub const DEMO_SECRET: &str = "cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// The port to listen on: `PORT`, or 4444.
///
/// # Errors
/// If `PORT` is set and is not a port.
pub fn port() -> Result<u16, String> {
    match std::env::var("PORT") {
        Err(_) => Ok(4444),
        Ok(text) => text.parse().map_err(|_| format!("PORT is `{text}`, which is not a port")),
    }
}

/// Why the program ended, told with all of its causes: what `main` returns is shown by `Debug`.
pub struct Failed(Box<dyn Error>);

impl<E: Into<Box<dyn Error>>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, "\n  because: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

/// What to tell whoever started the program when its port is taken.
pub fn port_taken(port: u16) -> impl Fn(io::Error) -> String {
    move |error| format!("port {port} cannot be listened on ({error}): set PORT to another one")
}

/// What to tell whoever started the program.
#[must_use]
pub fn banner(issuer: &str) -> String {
    format!(
        "\n  DEVELOPMENT MODE: loopback only, everybody knows its secrets.\n\n  \
         Open       {issuer}/\n  Sign in as alice / wonderland\n  \
         Discovery  {issuer}/.well-known/openid-configuration\n"
    )
}

/// Writes the log to standard error; `RUST_LOG` chooses what.
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
