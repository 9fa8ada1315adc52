//! Translation between `http` 1, which the SDK speaks, and `http` 0.2, which actix-web speaks.

use std::convert::Infallible;

use actix_web::body::SizedStream;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use auth_core::http::{Peer, Request, Response};
use futures_util::stream;

/// The request with its body; an error if it has something that `http` 1 does not permit.
pub(crate) fn request(request: &HttpRequest, body: Bytes) -> http::Result<Request> {
    let mut translated = http::Request::builder()
        .method(request.method().as_str())
        .uri(request.uri().to_string())
        .body(body)?;
    *translated.headers_mut() = headers(request.headers());
    if let Some(address) = request.peer_addr() {
        translated.extensions_mut().insert(Peer(address.ip()));
    }
    Ok(translated)
}

/// The headers, each as often as it stands there. Both versions permit the same names and values, so
/// none is left out.
pub(crate) fn headers(headers: &HeaderMap) -> http::HeaderMap {
    let mut translated = http::HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::from_bytes(name.as_str().as_bytes()),
            http::HeaderValue::from_bytes(value.as_bytes()),
        ) {
            translated.append(name, value);
        }
    }
    translated
}

/// The response with its body.
pub(crate) fn response(response: Response) -> HttpResponse {
    let (parts, body) = response.into_parts();
    let mut translated = HttpResponse::with_body(status(parts.status), body).map_into_boxed_body();
    if parts.headers.get(http::header::CONNECTION).is_some_and(|value| value == "close") {
        // actix-web writes this header itself.
        translated.head_mut().set_connection_type(ConnectionType::Close);
    }
    for (name, value) in &parts.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_str().as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        ) {
            translated.headers_mut().append(name, value);
        }
    }
    translated
}

/// The response to `HEAD`: its `Content-Length` is that of the body it does not have, and actix-web
/// would put the length of the empty one in its place.
pub(crate) fn head_response(translated: Response) -> HttpResponse {
    let response = response(translated);
    let length = response.headers().get(header::CONTENT_LENGTH);
    match length.and_then(|length| length.to_str().ok()?.parse().ok()) {
        Some(length) => {
            let nothing = stream::empty::<Result<Bytes, Infallible>>();
            response.set_body(SizedStream::new(length, nothing)).map_into_boxed_body()
        }
        None => response,
    }
}

fn status(status: http::StatusCode) -> StatusCode {
    StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
