//! [`Gated`]: the service behind each layer of this crate, and how extractors refuse through it.

use std::cell::Cell;
use std::future::{Ready, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::{Error, HttpMessage, HttpRequest};

use crate::authority::AuthorityLayer;
use crate::challenge::DeskLayer;
use crate::rejection::Rejection;
use crate::scope::RequireScope;

/// What a layer does with a request before it goes on.
pub(crate) trait Gate: Clone + 'static {
    fn admit(&self, request: &HttpRequest) -> impl Future<Output = Result<(), Rejection>>;
}

/// Where an extractor leaves the answer to a request that is not to reach its handler.
type Refusal = Rc<Cell<Option<ServiceResponse>>>;

/// Has the innermost layer answer the request. It drops whoever waits for this.
pub(crate) async fn refuse<T>(request: &HttpRequest, rejection: Rejection) -> Result<T, Rejection> {
    let Some(refusal) = request.extensions().get::<Refusal>().cloned() else {
        return Err(rejection);
    };
    refusal.set(Some(ServiceResponse::from_err(rejection, request.clone())));
    pending().await
}

/// A service behind a layer of this crate.
#[derive(Debug)]
pub struct Gated<S, G> {
    inner: Rc<S>,
    gate: G,
}

impl<S, B, G> Service<ServiceRequest> for Gated<S, G>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
    G: Gate,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    actix_web::dev::forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, gate) = (Rc::clone(&self.inner), self.gate.clone());
        Box::pin(async move {
            if let Err(rejection) = gate.admit(request.request()).await {
                return Ok(request.error_response(rejection).map_into_right_body());
            }
            let refusal = Refusal::default();
            request.extensions_mut().insert(Rc::clone(&refusal));
            let mut answer = pin!(inner.call(request));
            poll_fn(|cx| match (answer.as_mut().poll(cx), refusal.take()) {
                (Poll::Pending, None) => Poll::Pending,
                (Poll::Pending, Some(refused)) => Poll::Ready(Ok(refused.map_into_right_body())),
                (Poll::Ready(answer), _) => {
                    Poll::Ready(answer.map(ServiceResponse::map_into_left_body))
                }
            })
            .await
        })
    }
}

/// Makes a [`Gate`] a middleware.
macro_rules! layer {
    ($gate:ty) => {
        impl<S, B> Transform<S, ServiceRequest> for $gate
        where
            S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
            B: MessageBody,
        {
            type Response = ServiceResponse<EitherBody<B>>;
            type Error = Error;
            type Transform = Gated<S, Self>;
            type InitError = ();
            type Future = Ready<Result<Self::Transform, ()>>;

            fn new_transform(&self, inner: S) -> Self::Future {
                ready(Ok(Gated { inner: Rc::new(inner), gate: self.clone() }))
            }
        }
    };
}

layer!(AuthorityLayer);
layer!(DeskLayer);
layer!(RequireScope);
