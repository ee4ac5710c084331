//! How records are written.
//!
//! ```text
//! version 1 | 'R' or 'D' | fence, 16 bytes | fingerprint, 16 bytes          the head
//! of 'D': 0                                                                 too long
//!     or: 1 | status, 2 | headers | 0, or 1 and trailers | the body
//! headers: count, 4 | for each: length, 4 | name | length, 4 | value
//! ```
//!
//! Numbers are big-endian. Whoever can write to the store could write anything: what is not of this
//! form is an error, and nothing is allocated by a length that was only claimed.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::super::{Fingerprint, Outcome, Reply, Ticket};

/// How long the head is: all of the value while it runs.
pub(super) const HEAD: usize = 34;

const VERSION: u8 = 1;

/// What a value says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) fence: u128,
    pub(super) fingerprint: Fingerprint,
    /// `None` while it runs.
    pub(super) outcome: Option<Outcome>,
}

pub(super) fn running(ticket: &Ticket) -> Vec<u8> {
    head(b'R', ticket, 0)
}

pub(super) fn done(ticket: &Ticket, outcome: &Outcome) -> Vec<u8> {
    let mut out = head(b'D', ticket, outcome.size() + 64);
    match outcome {
        Outcome::TooLong => out.put_u8(0),
        Outcome::Reply(reply) => {
            out.put_u8(1);
            out.put_u16(reply.status.as_u16());
            put_headers(&mut out, &reply.headers);
            match &reply.trailers {
                None => out.put_u8(0),
                Some(trailers) => {
                    out.put_u8(1);
                    put_headers(&mut out, trailers);
                }
            }
            out.put_slice(&reply.body);
        }
    }
    out
}

fn head(state: u8, ticket: &Ticket, more: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + more);
    out.put_u8(VERSION);
    out.put_u8(state);
    out.put_u128(ticket.fence);
    out.put_u128(ticket.fingerprint.bits());
    out
}

fn put_headers(out: &mut Vec<u8>, map: &HeaderMap) {
    let length = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    out.put_u32(length(map.len()));
    for (name, value) in map {
        for text in [name.as_str().as_bytes(), value.as_bytes()] {
            out.put_u32(length(text.len()));
            out.put_slice(text);
        }
    }
}

/// `None` if it is none of ours.
pub(super) fn read(value: Vec<u8>) -> Option<Record> {
    let mut value = Bytes::from(value);
    if value.len() < HEAD || value.get_u8() != VERSION {
        return None;
    }
    let state = value.get_u8();
    let fence = value.get_u128();
    let fingerprint = Fingerprint::from_bits(value.get_u128());
    let outcome = match state {
        b'R' if value.is_empty() => None,
        b'D' => Some(outcome(value)?),
        _ => return None,
    };
    Some(Record {
        fence,
        fingerprint,
        outcome,
    })
}

fn outcome(mut value: Bytes) -> Option<Outcome> {
    match value.try_get_u8().ok()? {
        0 => return value.is_empty().then_some(Outcome::TooLong),
        1 => {}
        _ => return None,
    }
    let status = StatusCode::from_u16(value.try_get_u16().ok()?).ok()?;
    let headers = headers(&mut value)?;
    let trailers = match value.try_get_u8().ok()? {
        0 => None,
        1 => Some(self::headers(&mut value)?),
        _ => return None,
    };
    let reply = Reply {
        status,
        headers,
        body: value,
        trailers,
    };
    Some(Outcome::Reply(Arc::new(reply)))
}

fn headers(value: &mut Bytes) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for _ in 0..value.try_get_u32().ok()? {
        let name = HeaderName::from_bytes(&text(value)?).ok()?;
        let text = HeaderValue::from_maybe_shared(text(value)?).ok()?;
        map.try_append(name, text).ok()?;
    }
    Some(map)
}

fn text(value: &mut Bytes) -> Option<Bytes> {
    let length = value.try_get_u32().ok()? as usize;
    (length <= value.len()).then(|| value.split_to(length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            key: "k".into(),
            fingerprint: Fingerprint::from_bits(7),
            fence: 9,
        }
    }

    fn map() -> impl Strategy<Value = HeaderMap> {
        let field = ("[a-z][a-z0-9-]{0,20}", "[ -~]{0,40}");
        prop::collection::vec(field, 0..10).prop_map(|fields| {
            let mut map = HeaderMap::new();
            for (name, value) in fields {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                map.append(name, value.parse().expect("a value"));
            }
            map
        })
    }

    fn any_outcome() -> impl Strategy<Value = Outcome> {
        let bytes = prop::collection::vec(any::<u8>(), 0..300);
        let reply = (100..1000u16, map(), prop::option::of(map()), bytes);
        let reply = reply.prop_map(|(status, headers, trailers, body)| {
            let status = StatusCode::from_u16(status).expect("a status");
            let body = body.into();
            Outcome::Reply(Arc::new(Reply {
                status,
                headers,
                body,
                trailers,
            }))
        });
        prop_oneof![1 => Just(Outcome::TooLong), 9 => reply]
    }

    #[test]
    fn what_runs_is_a_head_and_nothing_else() {
        let value = running(&ticket());
        assert_eq!(value.len(), HEAD);
        let record = read(value.clone()).expect("a record");
        assert_eq!((record.fence, record.outcome), (9, None));
        assert_eq!(record.fingerprint, ticket().fingerprint);
        assert_eq!(read([value, vec![0]].concat()), None);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(outcome in any_outcome()) {
            let record = read(done(&ticket(), &outcome)).expect("a record");
            prop_assert_eq!(record.outcome, Some(outcome));
        }

        #[test]
        fn what_is_cut_off_or_broken_is_no_panic(
            outcome in any_outcome(), cut in 0..400usize, at in 0..400usize, byte: u8
        ) {
            let mut value = done(&ticket(), &outcome);
            if let Some(b) = value.get_mut(at) { *b = byte; }
            value.truncate(cut);
            let _ = read(value);
        }

        #[test]
        fn noise_is_no_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut value = vec![VERSION, b'D'];
            value.extend(noise);
            let _ = read(value);
        }
    }
}
