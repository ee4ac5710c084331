//! [`Switch`]: a layer that is there or not, with one type for both.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// A layer that a configuration may leave out.
#[derive(Clone, Debug)]
pub struct Switch<L>(Option<L>);

/// A service with or without its layer. Made by [`Switch`].
#[derive(Clone, Debug)]
pub enum Switched<A, B> {
    /// With it.
    On(A),
    /// Without.
    Off(B),
}

/// The future of a [`Switched`].
///
/// # Cancel safety
///
/// As that of the one within.
#[pin_project(project = Either)]
#[derive(Debug)]
pub enum SwitchedFuture<A, B> {
    /// With the layer.
    On(#[pin] A),
    /// Without.
    Off(#[pin] B),
}

impl<L> Switch<L> {
    /// There, if there is one.
    pub const fn new(layer: Option<L>) -> Self {
        Self(layer)
    }

    /// The layer, if it is there.
    pub const fn layer(&self) -> Option<&L> {
        self.0.as_ref()
    }
}

impl<S, L: Layer<S>> Layer<S> for Switch<L> {
    type Service = Switched<L::Service, S>;

    fn layer(&self, inner: S) -> Self::Service {
        match &self.0 {
            Some(layer) => Switched::On(layer.layer(inner)),
            None => Switched::Off(inner),
        }
    }
}

impl<A, B, Req> Service<Req> for Switched<A, B>
where
    A: Service<Req>,
    B: Service<Req, Response = A::Response, Error = A::Error>,
{
    type Response = A::Response;
    type Error = A::Error;
    type Future = SwitchedFuture<A::Future, B::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), A::Error>> {
        match self {
            Self::On(service) => service.poll_ready(cx),
            Self::Off(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self {
            Self::On(service) => SwitchedFuture::On(service.call(request)),
            Self::Off(service) => SwitchedFuture::Off(service.call(request)),
        }
    }
}

impl<A, B> Future for SwitchedFuture<A, B>
where
    A: Future,
    B: Future<Output = A::Output>,
{
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Output> {
        match self.project() {
            Either::On(future) => future.poll(cx),
            Either::Off(future) => future.poll(cx),
        }
    }
}
