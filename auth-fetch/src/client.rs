//! [`SafeHttpClient`].

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use auth_core::{FetchError, Forbidden, HttpClient};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::timeout;
use url::Url;

use crate::lookup::{Lookup, Resolve, by_system};
use crate::rule::Rule;

/// Sends requests to hosts of the public internet.
pub struct SafeHttpClient {
    client: Client<HttpsConnector<HttpConnector<Lookup>>, Full<Bytes>>,
    rule: Rule,
    time_limit: Duration,
    size_limit: usize,
    /// As many requests as may be under way.
    room: Semaphore,
    /// As many as may be under way to each host.
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// How many requests to one host are under way at most: one that hangs leaves the other places to others.
const AT_ONE_HOST: usize = 2;

/// How a [`SafeHttpClient`] sends.
#[must_use]
pub struct SafeHttpClientBuilder {
    rule: Rule,
    time_limit: Duration,
    size_limit: usize,
    at_once: usize,
    tls: Option<ClientConfig>,
}

/// No client could be made.
#[derive(Debug, thiserror::Error)]
#[error("no outgoing HTTP client can be made")]
pub struct Unusable(#[source] Box<dyn StdError + Send + Sync>);

impl SafeHttpClient {
    /// With the defaults of [`SafeHttpClientBuilder`].
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn new() -> Result<Self, Unusable> {
        Self::builder().build()
    }

    /// Begins one with limits of yours.
    pub fn builder() -> SafeHttpClientBuilder {
        SafeHttpClientBuilder {
            rule: Rule::default(),
            time_limit: Duration::from_secs(5),
            size_limit: 1 << 20,
            at_once: 10,
            tls: None,
        }
    }

    /// The places at a host.
    fn places_at(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, places| Arc::strong_count(places) > 1);
        let places = || Arc::new(Semaphore::new(AT_ONE_HOST));
        hosts.entry(host.to_owned()).or_insert_with(places).clone()
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, FetchError> {
        let answer = self.client.request(request.map(Full::new)).await;
        let (head, body) = answer.map_err(|error| failed(error.into()))?.into_parts();
        let body = Limited::new(body, self.size_limit).collect().await.map_err(|error| {
            match error.is::<LengthLimitError>() {
                true => FetchError::TooLarge { limit: self.size_limit },
                false => failed(error),
            }
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

impl SafeHttpClientBuilder {
    /// How long a request may take, to the last byte of its answer: 5 s unless told otherwise. It waits for its
    /// turn twice as long at most.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How long an answer may be, in bytes: 1 MiB unless told otherwise.
    pub fn size_limit(mut self, limit: usize) -> Self {
        self.size_limit = limit;
        self
    }

    /// How many requests are under way at most: 10 unless told otherwise, at least 1, and 2 to one host. Others
    /// wait.
    pub fn at_once(mut self, requests: usize) -> Self {
        self.at_once = requests.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Which certificates are accepted and shown. The authorities of the public web are trusted unless told
    /// otherwise.
    pub fn tls(mut self, mut config: ClientConfig) -> Self {
        // HTTP/1.1 alone is spoken.
        config.alpn_protocols.clear();
        self.tls = Some(config);
        self
    }

    /// Sends to hosts of every network, this machine included: for tests, and for an organisation whose
    /// clients all belong to it. Whoever may register a client can then make the server ask its neighbours.
    pub fn insecure_private_networks(mut self) -> Self {
        self.rule.private_networks = true;
        self
    }

    /// Sends by http as well as by https: whoever stands in between reads and changes what is sent.
    pub fn insecure_plaintext(mut self) -> Self {
        self.rule.plaintext = true;
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn build(self) -> Result<SafeHttpClient, Unusable> {
        self.build_with(by_system)
    }

    fn build_with(self, resolve: Resolve) -> Result<SafeHttpClient, Unusable> {
        let tls = match self.tls {
            Some(tls) => tls,
            None => public_web()?,
        };
        let mut connector = HttpConnector::new_with_resolver(Lookup { rule: self.rule, resolve });
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        // What a host does in one request must not wait for it in another.
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let Self { rule, time_limit, size_limit, at_once, .. } = self;
        let (room, hosts) = (Semaphore::new(at_once), Mutex::default());
        Ok(SafeHttpClient { client, rule, time_limit, size_limit, room, hosts })
    }
}

fn public_web() -> Result<ClientConfig, Unusable> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // With a provider of its own: a library must not choose one for the whole process.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Unusable(error.into()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Without the address, which is nobody's business.
fn failed(error: Box<dyn StdError + Send + Sync>) -> FetchError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error);
    while let Some(this) = cause {
        let inside = this.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let forbidden = inside.and_then(|inside| inside.downcast_ref::<Forbidden>());
        if let Some(forbidden) = forbidden.or_else(|| this.downcast_ref::<Forbidden>()) {
            return FetchError::Forbidden(*forbidden);
        }
        cause = this.source();
    }
    FetchError::Failed(error)
}

/// The request as hyper sends it: to where the text of the URL leads once it is read as a browser reads it, so
/// that what was checked is what is asked.
fn as_checked(request: Request<Bytes>, url: &Url) -> Result<Request<Bytes>, FetchError> {
    let (mut head, body) = request.into_parts();
    head.uri = Uri::try_from(url.as_str()).map_err(|error| FetchError::Failed(error.into()))?;
    Ok(Request::from_parts(head, body))
}

#[async_trait]
impl HttpClient for SafeHttpClient {
    fn check(&self, url: &Url) -> Result<(), Forbidden> {
        self.rule.check(url)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, FetchError> {
        // The resolver is not asked about addresses that stand in the URL itself.
        let url = Url::parse(&request.uri().to_string())
            .map_err(|error| FetchError::Failed(error.into()))?;
        self.rule.check(&url)?;
        let request = as_checked(request, &url)?;
        // Those before it may need their whole time, and that is not taken from this one's.
        let places = self.places_at(url.host_str().unwrap_or_default());
        let turn =
            async { Ok::<_, AcquireError>((places.acquire().await?, self.room.acquire().await?)) };
        let turn = timeout(self.time_limit.saturating_mul(2), turn).await;
        let turn = turn.map_err(|_| FetchError::Late)?;
        let _turn = turn.map_err(|error| FetchError::Failed(error.into()))?;
        timeout(self.time_limit, self.exchange(request)).await.map_err(|_| FetchError::Late)?
    }

    fn complete(&self, work: BoxFuture<'static, ()>) {
        // Outside of a runtime nothing can be sent, either.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(work);
        }
    }
}

impl fmt::Debug for SafeHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SafeHttpClient").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl fmt::Debug for SafeHttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SafeHttpClientBuilder").field("rule", &self.rule).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};

    use super::*;

    /// A name whose owner lets it lead to this machine, as in DNS rebinding.
    const REBOUND: &str = "public.example";

    fn to_this_machine(
        name: hyper_util::client::legacy::connect::dns::Name,
    ) -> std::pin::Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>> {
        assert_eq!(name.as_str(), REBOUND);
        Box::pin(async { Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))]) })
    }

    #[tokio::test]
    async fn a_132_a_public_name_that_leads_inside_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{REBOUND}:{}/", listener.local_addr().unwrap().port());
        let get = async |builder: SafeHttpClientBuilder| {
            let client = builder.insecure_plaintext().build_with(to_this_machine).unwrap();
            client.send(Request::get(&url).body(Bytes::new()).unwrap()).await
        };
        let refused = get(SafeHttpClient::builder()).await;
        assert!(matches!(refused, Err(FetchError::Forbidden(_))), "{refused:?}");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "nobody has come");

        // By the same name it is reached if that is permitted.
        listener.set_nonblocking(false).unwrap();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let _ = peer.read(&mut [0; 4096]).unwrap();
            peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        });
        let answer = get(SafeHttpClient::builder().insecure_private_networks()).await.unwrap();
        assert_eq!(answer.body().as_ref(), b"ok");
        server.join().unwrap();
    }
}
