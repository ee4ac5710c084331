//! Ready-made refusals, which keep the marker: [`marker`](crate::marker()) finds it again.
//!
//! Each comes as a type with a setter of its own and as a function. The types are general over
//! the error's lifetime, which no closure is: the compiler asks for that as soon as an `async`
//! block that awaits the stack is spawned (rust-lang/rust#110338).

use std::error::Error;
use std::io;

use crate::abilities::{Given, Refusing};
use crate::marker::Marker;

/// The marker in a box. Given by [`refusing_boxed`](crate::FaultLayer::refusing_boxed).
#[derive(Clone, Copy, Debug)]
pub struct Boxed;

impl Given for Boxed {
    const ABLE: u32 = 1;
}

impl<'e, Res> Refusing<Res, Box<dyn Error + Send + Sync + 'e>> for Boxed {
    fn refuse(&self, marker: &Marker) -> Option<Result<Res, Box<dyn Error + Send + Sync + 'e>>> {
        Some(Err(marker.clone().into()))
    }
}

/// A response with a status. Given by [`refusing_http`](crate::FaultLayer::refusing_http).
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug)]
pub struct Http(pub(crate) http::StatusCode);

#[cfg(feature = "http")]
impl Given for Http {
    const ABLE: u32 = 1;
}

#[cfg(feature = "http")]
impl<B: Default, E> Refusing<http::Response<B>, E> for Http {
    fn refuse(&self, marker: &Marker) -> Option<Result<http::Response<B>, E>> {
        let mut response = http::Response::new(B::default());
        *response.status_mut() = self.0;
        response.extensions_mut().insert(marker.clone());
        Some(Ok(response))
    }
}

/// An error in a box, as in most tower stacks.
///
/// # Errors
///
/// Always: that is the refusal.
pub fn boxed<Res>(marker: &Marker) -> Result<Res, Box<dyn Error + Send + Sync>> {
    Err(marker.clone().into())
}

/// An `io::Error` of this kind.
pub fn io<Res>(kind: io::ErrorKind) -> impl Fn(&Marker) -> io::Result<Res> + Clone {
    move |marker| Err(io::Error::new(kind, marker.clone()))
}

/// A response with this status, an empty body, and the marker in its extensions.
#[cfg(feature = "http")]
pub fn http<B: Default, E>(
    status: http::StatusCode,
) -> impl Fn(&Marker) -> Result<http::Response<B>, E> + Clone {
    move |marker| match Http(status).refuse(marker) {
        Some(refusal) => refusal,
        None => unreachable!("it always refuses"),
    }
}

/// The status of a gRPC call with this code, whose source is the marker.
///
/// Over a transport, where a status travels as a response, use [`grpc_http`].
#[cfg(feature = "grpc")]
pub fn grpc<Res>(code: tonic::Code) -> impl Fn(&Marker) -> Result<Res, tonic::Status> + Clone {
    move |marker| Err(status(code, marker))
}

/// A response that carries the status of a gRPC call: for layers beneath a client or on a server.
#[cfg(feature = "grpc")]
pub fn grpc_http<B: Default, E>(
    code: tonic::Code,
) -> impl Fn(&Marker) -> Result<http::Response<B>, E> + Clone {
    move |marker| {
        let mut response = status(code, marker).into_http();
        response.extensions_mut().insert(marker.clone());
        Ok(response)
    }
}

#[cfg(feature = "grpc")]
pub(crate) fn status(code: tonic::Code, marker: &Marker) -> tonic::Status {
    let mut status = tonic::Status::new(code, marker.to_string());
    status.set_source(std::sync::Arc::new(marker.clone()));
    status
}
