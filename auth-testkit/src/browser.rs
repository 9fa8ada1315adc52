//! [`Browser`]: keeps cookies, follows nothing by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::cookie::Cookie;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use url::Url;

/// A browser without a screen: it keeps the cookies of one host and shows every redirect instead of
/// following it. Clones share their cookies, as tabs do.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    http: reqwest::Client,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The URL that was asked.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// Where a redirect leads.
    #[must_use]
    pub fn location(&self) -> Option<Url> {
        let location = self.headers.get(header::LOCATION)?.to_str().ok()?;
        self.url.join(location).ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text; empty if it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The value of the hidden field `name` of the page.
    #[must_use]
    pub fn hidden(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }

    /// The values of all fields `name` of the page, in order.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<String> {
        let (text, attribute) = (self.text(), format!("name=\"{name}\""));
        let fields = text.split(&attribute).skip(1);
        let value =
            |field: &str| Some(field.split_once("value=\"")?.1.split_once('"')?.0.to_owned());
        fields.filter_map(value).collect()
    }
}

impl Browser {
    /// A browser without cookies.
    #[must_use]
    pub fn new() -> Self {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self { http: builder.build().unwrap_or_default(), cookies: Arc::default() }
    }

    /// GETs a URL.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, url: &str) -> Result<Reply, reqwest::Error> {
        self.send(self.http.get(url)).await
    }

    /// POSTs a form.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<Reply, reqwest::Error> {
        self.send(self.http.post(url).form(form)).await
    }

    /// Sends any request, made by [`Browser::http`], with the cookies.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
        let mut request = request.build()?;
        let line: Vec<String> = self.jar().iter().map(|(n, v)| format!("{n}={v}")).collect();
        if !line.is_empty()
            && let Ok(value) = header::HeaderValue::from_str(&line.join("; "))
        {
            request.headers_mut().insert(header::COOKIE, value);
        }
        let url = request.url().clone();
        let response = self.http.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        for set in headers.get_all(header::SET_COOKIE) {
            let Some(cookie) = set.to_str().ok().and_then(|set| Cookie::parse(set).ok()) else {
                continue;
            };
            let gone = cookie.max_age().is_some_and(|age| age.whole_seconds() <= 0);
            match gone {
                true => self.jar().remove(cookie.name()),
                false => self.jar().insert(cookie.name().to_owned(), cookie.value().to_owned()),
            };
        }
        Ok(Reply { url, status, headers, body: response.bytes().await? })
    }

    /// The client beneath, to make requests with.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The value of a cookie.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().get(name).cloned()
    }

    /// Sets a cookie, as an attacker on the same machine might.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar().insert(name.to_owned(), value.to_owned());
    }

    /// Forgets a cookie.
    pub fn forget_cookie(&self, name: &str) {
        self.jar().remove(name);
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
