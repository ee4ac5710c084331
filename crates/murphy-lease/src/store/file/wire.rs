//! What goes over the socket: JSON, with its length before it.

use bytes::Bytes;
use tokio_util::codec::LengthDelimitedCodec;

use crate::{LeaseReply, LeaseRequest};

/// The longest name, each byte of it escaped, and the rest.
const MAX_FRAME: usize = 4096;

/// What the server says first, so that a client knows whom it has.
pub(super) const FORMAT: u32 = 1;

/// From a client.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ToServer {
    /// Answer this, under that number.
    Ask { call: u64, request: LeaseRequest },
    /// Nobody waits for that one any longer.
    Leave { call: u64 },
}

/// From the server.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ToClient {
    /// Before anything else.
    Hello { murphy_lease: u32 },
    /// The answer.
    Reply { call: u64, reply: LeaseReply },
    /// There is none.
    Failed { call: u64, why: String },
}

/// Four bytes of length, and no more than a request can have: what is longer is refused before it is read.
pub(super) fn frames() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .max_frame_length(MAX_FRAME)
        .new_codec()
}

pub(super) fn encoded(message: &impl serde::Serialize) -> Bytes {
    let bytes = serde_json::to_vec(message);
    Bytes::from(bytes.expect("messages are plain data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Acquire, Claim, LockName, Nonce, Rank, Ttl};

    #[test]
    fn the_longest_request_fits_a_frame() {
        let name = "\"".repeat(LockName::MAX_BYTES);
        let ask = ToServer::Ask {
            call: u64::MAX,
            request: LeaseRequest::Acquire(Acquire {
                lock: LockName::try_new(&name).unwrap(),
                nonce: Nonce::from_bits(u128::MAX),
                ttl: Ttl::MAX,
                claim: Claim::Exactly(Rank::MAX),
                wait: std::time::Duration::MAX,
            }),
        };
        let bytes = encoded(&ask);
        assert!(bytes.len() < MAX_FRAME, "{}", bytes.len());
        let read: ToServer = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(encoded(&read), bytes);
    }
}
