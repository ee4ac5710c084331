//! [`GrpcCode`]: how a gRPC call ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The status code of a gRPC call, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of the protocol")]
#[repr(i32)]
pub enum GrpcCode {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

use GrpcCode::{
    Aborted, AlreadyExists, Cancelled, DataLoss, DeadlineExceeded, FailedPrecondition, Internal,
    InvalidArgument, NotFound, Ok, OutOfRange, PermissionDenied, ResourceExhausted,
    Unauthenticated, Unavailable, Unimplemented, Unknown,
};

impl GrpcCode {
    /// Each code and its word in plans.
    const WORDS: [(Self, &'static str); 17] = [
        (Ok, "ok"),
        (Cancelled, "cancelled"),
        (Unknown, "unknown"),
        (InvalidArgument, "invalid-argument"),
        (DeadlineExceeded, "deadline-exceeded"),
        (NotFound, "not-found"),
        (AlreadyExists, "already-exists"),
        (PermissionDenied, "permission-denied"),
        (ResourceExhausted, "resource-exhausted"),
        (FailedPrecondition, "failed-precondition"),
        (Aborted, "aborted"),
        (OutOfRange, "out-of-range"),
        (Unimplemented, "unimplemented"),
        (Internal, "internal"),
        (Unavailable, "unavailable"),
        (DataLoss, "data-loss"),
        (Unauthenticated, "unauthenticated"),
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for GrpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WORDS[*self as usize].1)
    }
}

#[cfg(feature = "grpc")]
impl From<tonic::Code> for GrpcCode {
    fn from(code: tonic::Code) -> Self {
        Self::WORDS[code as usize].0
    }
}

#[cfg(feature = "grpc")]
impl From<GrpcCode> for tonic::Code {
    fn from(code: GrpcCode) -> Self {
        Self::from_i32(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_in_step() {
        for (number, (code, word)) in GrpcCode::WORDS.into_iter().enumerate() {
            assert_eq!(code.number() as usize, number, "{word}");
            assert_eq!(code.to_string(), word);
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("{word:?}"));
            #[cfg(feature = "grpc")]
            assert_eq!(GrpcCode::from(tonic::Code::from(code)), code);
        }
    }
}
