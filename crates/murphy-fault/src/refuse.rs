//! Ready-made refusals for [`FaultLayer::refusing`](crate::FaultLayer::refusing), which keep the
//! marker: [`marker`](crate::marker()) finds it again.

use std::error::Error;
use std::io;

use crate::marker::Marker;

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
    move |marker| {
        let mut response = http::Response::new(B::default());
        *response.status_mut() = status;
        response.extensions_mut().insert(marker.clone());
        Ok(response)
    }
}

/// The status of a gRPC call with this code, whose source is the marker.
#[cfg(feature = "grpc")]
pub fn grpc<Res>(code: tonic::Code) -> impl Fn(&Marker) -> Result<Res, tonic::Status> + Clone {
    move |marker| {
        let mut status = tonic::Status::new(code, marker.to_string());
        status.set_source(std::sync::Arc::new(marker.clone()));
        Err(status)
    }
}
