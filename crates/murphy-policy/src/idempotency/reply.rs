//! What is kept of a reply.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// A reply, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// All data of its body.
    pub body: Bytes,
    /// What came after the data, as gRPC's status does.
    pub trailers: Option<HeaderMap>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a reply, for all repeats.
    Reply(Arc<Reply>),
    /// With one that was too long to be kept: it is done, and nobody can say what came of it.
    TooLong,
}

impl Reply {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            trailers: None,
        }
    }

    /// The same in buffers of its own. What a handler gives can be slices of much larger ones, such as a
    /// connection's, and would keep them for as long as it is kept.
    pub(super) fn compact(&self) -> Self {
        Self {
            status: self.status,
            headers: compact(&self.headers),
            body: Bytes::copy_from_slice(&self.body),
            trailers: self.trailers.as_ref().map(compact),
        }
    }

    /// How many bytes it takes to keep it, where its buffers are its own. Held by test
    /// `no_more_is_held_than_is_counted`.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>()
            + PER_BUFFER
            + self.body.len()
            + size(&self.headers)
            + self.trailers.as_ref().map_or(0, size)
    }

    /// Whether it says that the operation was done, or may have been, so that repeats get this
    /// reply too.
    ///
    /// All do but those that say that nothing was done yet: 408, 425, 429 and 503, and gRPC's
    /// `RESOURCE_EXHAUSTED` (8) and `UNAVAILABLE` (14). A 500 is kept, as Stripe keeps it: what
    /// failed half-way is not done a second time.
    #[must_use]
    pub fn is_final(&self) -> bool {
        let grpc = |map: &HeaderMap| {
            let status = map.get("grpc-status").map(HeaderValue::as_bytes);
            matches!(status, Some(b"8" | b"14"))
        };
        let not_done = matches!(self.status.as_u16(), 408 | 425 | 429 | 503)
            || grpc(&self.headers)
            || self.trailers.as_ref().is_some_and(grpc);
        !not_done
    }
}

/// What a buffer takes beside its bytes, once it is shared.
const PER_BUFFER: usize = 32;

/// What a map takes for each field that it has room for: name, value, its place and its links.
const PER_SLOT: usize = size_of::<HeaderName>() + size_of::<HeaderValue>() + 48;

fn compact(map: &HeaderMap) -> HeaderMap {
    let mut own = HeaderMap::with_capacity(map.keys_len());
    for (name, value) in map {
        let own_name = HeaderName::from_bytes(name.as_str().as_bytes());
        let own_value = HeaderValue::from_bytes(value.as_bytes());
        let (name, value) = match (own_name, own_value) {
            (Ok(name), Ok(mut own)) => {
                own.set_sensitive(value.is_sensitive());
                (name, own)
            }
            // They were right before.
            _ => (name.clone(), value.clone()),
        };
        own.append(name, value);
    }
    own
}

fn size(map: &HeaderMap) -> usize {
    let text = map.iter().fold(0, |sum, (name, value)| {
        sum + name.as_str().len() + value.len() + 2 * PER_BUFFER
    });
    // Further values of a name lie in a list, which doubles as it grows.
    let further = match map.len() - map.keys_len() {
        0 => 0,
        further => further.next_power_of_two().max(4),
    };
    text + (map.capacity() + further) * PER_SLOT
}

impl Outcome {
    /// See [`Reply::compact`].
    pub(super) fn compact(&self) -> Self {
        match self {
            Self::Reply(reply) => Self::Reply(Arc::new(reply.compact())),
            Self::TooLong => Self::TooLong,
        }
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Self::Reply(reply) => reply.size(),
            Self::TooLong => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done_is_not_final() {
        for status in [200, 201, 301, 400, 401, 404, 409, 422, 500, 501, 502, 504] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert!(Reply::empty(status).is_final(), "{status}");
        }
        for status in [408, 425, 429, 503] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert!(!Reply::empty(status).is_final(), "{status}");
        }
        for (code, want) in [("0", true), ("13", true), ("8", false), ("14", false)] {
            let mut map = HeaderMap::new();
            map.insert("grpc-status", code.parse().expect("digits"));
            let mut reply = Reply::empty(StatusCode::OK);
            reply.trailers = Some(map.clone());
            assert_eq!(reply.is_final(), want, "{code}");
            reply.trailers = None;
            reply.headers = map;
            assert_eq!(reply.is_final(), want, "{code}");
        }
    }
}
