//! [`Documents`]: what clients publish at addresses of theirs, fetched now and then.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use auth_store::Timestamp;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use http::{Request, Response, header};
use http_cache_semantics::{CacheOptions, CachePolicy};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tracing::warn;
use url::Url;

use crate::clock::Clock;
use crate::http_client::{FetchError, HttpClient};

/// Fetches documents such as a client's `jwks_uri`, and keeps each for as long as its headers say (RFC 9111),
/// at most a day. Everybody who wants one at the same moment waits for the same request, and no address is
/// asked more often than every ten seconds, whether it answers or not.
pub struct Documents {
    http: Option<Arc<dyn HttpClient>>,
    clock: Arc<dyn Clock>,
    known: Arc<Cache<Url, Fetched, ByLength>>,
    under_way: Mutex<HashMap<Url, WeakShared<BoxFuture<'static, Fetched>>>>,
}

/// A document of a client's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Fetch {
    /// Its address, without a fragment.
    pub url: Url,
    /// Not the one that is known: it lacks something.
    pub anew: bool,
}

impl Fetch {
    /// The document at `url`.
    #[must_use]
    pub fn of(mut url: Url) -> Self {
        url.set_fragment(None);
        Self { url, anew: false }
    }

    /// The same, as it is at its address now, as far as the rate permits.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { anew: true, ..self }
    }
}

/// The answer to a [`Fetch`].
pub type Document = Result<Bytes, DocumentError>;

/// A document cannot be had. The text names no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The provider has no [`HttpClient`].
    #[error("this provider fetches nothing")]
    NoClient,
    /// There was no answer, or one that may not be used; the log has the cause.
    #[error("the server there gave no usable answer")]
    Failed,
    /// An answer with another status than 200.
    #[error("the server there answered with status {0}")]
    Status(u16),
    /// It is longer than [`Documents::MAX_LEN`].
    #[error("it is longer than {} bytes", Documents::MAX_LEN)]
    TooLarge,
}

#[derive(Debug, Clone)]
struct Fetched {
    document: Document,
    at: Timestamp,
    fresh_until: Timestamp,
}

/// Nobody can fill the memory by documents that are long.
#[derive(Debug, Clone)]
struct ByLength;

impl Weighter<Url, Fetched> for ByLength {
    fn weight(&self, url: &Url, fetched: &Fetched) -> u64 {
        let text = url.as_str().len() + fetched.document.as_ref().map_or(0, Bytes::len);
        u64::try_from(text).unwrap_or(u64::MAX).saturating_add(256)
    }
}

impl Documents {
    /// The longest document, in bytes: some forty keys with their certificates.
    pub const MAX_LEN: usize = 128 * 1024;
    /// How long a document is good for that does not say it: a minute.
    pub const USUAL: Duration = Duration::from_secs(60);
    /// How long one is good for whatever it says, and after a failure: ten seconds.
    pub const AT_LEAST: Duration = Duration::from_secs(10);
    /// How long one is good for at most: a day.
    pub const AT_MOST: Duration = Duration::from_secs(86_400);
    /// How many bytes are kept.
    const CAPACITY: u64 = 16 << 20;

    /// Fetches by `http`; without one there are no documents.
    #[must_use]
    pub fn new(http: Option<Arc<dyn HttpClient>>, clock: Arc<dyn Clock>) -> Self {
        // Few shards, each with room for many documents of the greatest length.
        let options = OptionsBuilder::new()
            .estimated_items_capacity(4_096)
            .weight_capacity(Self::CAPACITY)
            .shards(4)
            .build();
        let known = match options {
            Ok(options) => {
                let (hash, lifecycle) =
                    (DefaultHashBuilder::default(), DefaultLifecycle::default());
                Cache::with_options(options, ByLength, hash, lifecycle)
            }
            Err(_) => Cache::with_weighter(4_096, Self::CAPACITY, ByLength),
        };
        Self { http, clock, known: Arc::new(known), under_way: Mutex::default() }
    }

    /// The document that is wanted: the one that is known while it is good, else the one at its address.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub async fn get(&self, wanted: &Fetch) -> Document {
        let Some(http) = &self.http else { return Err(DocumentError::NoClient) };
        let now = self.clock.now();
        match self.known_or_request(wanted, http, now) {
            Ok(known) => known.document,
            Err(request) => request.await.document,
        }
    }

    /// What is known, if it is good; else the request that is under way, or a new one.
    fn known_or_request(
        &self,
        wanted: &Fetch,
        http: &Arc<dyn HttpClient>,
        now: Timestamp,
    ) -> Result<Fetched, Shared<BoxFuture<'static, Fetched>>> {
        let Fetch { url, anew } = wanted;
        // One at a time from here on: what ends meanwhile is known before another one begins.
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let request = under_way.get(url).and_then(WeakShared::upgrade);
        // One that has ended may be held by whoever was to complete it.
        if let Some(request) = request.filter(|request| request.peek().is_none()) {
            return Err(request);
        }
        // A clock that was set back says nothing of when an answer came.
        if let Some(known) = self.known.get(url).filter(|known| known.at <= now) {
            let asked_just_now = now < known.at.saturating_add(Self::AT_LEAST);
            if asked_just_now || (!anew && now < known.fresh_until) {
                return Ok(known);
            }
        }
        under_way.retain(|_, request| request.upgrade().is_some());
        let (client, known, of) = (http.clone(), self.known.clone(), url.clone());
        let request = async move {
            let fetched = fetch(&*client, &of, now).await;
            // Nobody can make others lose a good document by asking for it anew while its server is away.
            let good = |known: &Fetched| known.document.is_ok() && now < known.fresh_until;
            let fetched = match (&fetched.document, known.get(&of).filter(good)) {
                (Err(_), Some(good)) => Fetched { at: now, ..good },
                _ => fetched,
            };
            known.insert(of, fetched.clone());
            fetched
        };
        let request = request.boxed().shared();
        // Whoever asks and goes away must not be able to make us ask again.
        http.complete(request.clone().map(drop).boxed());
        if let Some(weak) = request.downgrade() {
            under_way.insert(url.clone(), weak);
        }
        Err(request)
    }
}

async fn fetch(http: &dyn HttpClient, url: &Url, now: Timestamp) -> Fetched {
    let (mut lifetime, mut document) = (Documents::AT_LEAST, Err(DocumentError::Failed));
    let request = Request::get(url.as_str()).header(header::ACCEPT, "*/*");
    if let Ok(request) = request.body(Bytes::new()) {
        let headers = Request::from_parts(request.clone().into_parts().0, ());
        match http.send(request).await {
            Ok(answer) => {
                lifetime = good_for(&headers, &answer, now);
                document = usable(answer);
            }
            Err(FetchError::TooLarge { .. }) => document = Err(DocumentError::TooLarge),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                warn!(%url, %error, cause, "a client's document could not be fetched");
            }
        }
    }
    if document.is_err() {
        lifetime = Documents::AT_LEAST;
    }
    Fetched { document, at: now, fresh_until: now.saturating_add(lifetime) }
}

fn usable(answer: Response<Bytes>) -> Document {
    match answer.status().as_u16() {
        200 if answer.body().len() > Documents::MAX_LEN => Err(DocumentError::TooLarge),
        200 => Ok(answer.into_body()),
        other => Err(DocumentError::Status(other)),
    }
}

/// How long an answer may be used (RFC 9111 §4.2), within our bounds.
fn good_for(request: &Request<()>, answer: &Response<Bytes>, now: Timestamp) -> Duration {
    let says = |name| answer.headers().contains_key(name);
    if !says(header::CACHE_CONTROL) && !says(header::EXPIRES) {
        return Documents::USUAL;
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now.as_millis());
    // Not one that serves several people, from whom `private` would keep it.
    let options = CacheOptions { shared: false, ..CacheOptions::default() };
    let policy = CachePolicy::new_options(request, answer, now, options);
    policy.time_to_live(now).clamp(Documents::AT_LEAST, Documents::AT_MOST)
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Documents({} known)", self.known.len())
    }
}
