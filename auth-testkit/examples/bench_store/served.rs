//! [`Served`]: a router that is called over a socket, and as a function.

use std::future::IntoFuture;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{Response, header};
use tokio::net::TcpListener;
use tower::ServiceExt;

use auth_core::http::Request;

use crate::scene::Failure;

/// How a request reaches a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// HTTP/1.1 on a connection that stays open.
    OverHttp,
    /// A call of the router.
    InProcess,
}

/// A router on a port of its own.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    router: Router,
    client: reqwest::Client,
    base: String,
}

impl Served {
    /// Serves on the runtime that this is called on.
    pub(crate) async fn start(router: Router) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        // It ends with the program; until then its failures are those of requests.
        tokio::spawn(axum::serve(listener, router.clone()).into_future());
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Ok(Self { router, client: client.build()?, base })
    }

    /// Sends a request, and reads the whole answer.
    pub(crate) async fn send(
        &self,
        way: Way,
        request: Request,
    ) -> Result<Response<Bytes>, Failure> {
        let response = match way {
            Way::OverHttp => self.over_http(request).await?,
            Way::InProcess => {
                let response = self.router.clone().oneshot(request.map(Body::from)).await?;
                let (parts, body) = response.into_parts();
                Response::from_parts(parts, to_bytes(body, usize::MAX).await?)
            }
        };
        if !response.status().is_success() && !response.status().is_redirection() {
            let text = String::from_utf8_lossy(response.body());
            return Err(format!("{}: {text}", response.status()).into());
        }
        Ok(response)
    }

    async fn over_http(&self, request: Request) -> Result<Response<Bytes>, Failure> {
        let (parts, body) = request.into_parts();
        let url = format!("{}{}", self.base, parts.uri);
        let request = self.client.request(parts.method, url).headers(parts.headers).body(body);
        let answer = request.send().await?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        if let Some(location) = answer.headers().get(header::LOCATION) {
            response.headers_mut().insert(header::LOCATION, location.clone());
        }
        *response.body_mut() = answer.bytes().await?;
        Ok(response)
    }
}
