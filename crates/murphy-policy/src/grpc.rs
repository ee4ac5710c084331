//! What a retry can read from gRPC: status codes, pushback, trailers.
//!
//! * [`GrpcClassify`] judges replies by their status, wherever it is.
//! * [`PeekTrailersLayer`] brings the status of a failed reply forward where it comes in trailers.
//! * [`PreviousAttempts`] tells the peer how often it was asked before.
//!
//! All of it works on `http` requests and replies: beneath a generated client, whose channel they
//! wrap. Rules are those of gRPC's retry design (proposal A6) and of its mapping of HTTP status codes.

mod classify;
mod code;
mod peek;

pub use self::classify::{GrpcClassify, PreviousAttempts};
pub use self::code::Code;
pub use self::peek::{PeekFuture, PeekTrailers, PeekTrailersLayer, Peeked, Trailers};
