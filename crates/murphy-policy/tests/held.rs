//! What a memory of replies holds is no more than it says: alone in its binary, under an allocator
//! that counts.
#![cfg(feature = "http")]

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cap::Cap;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use murphy_policy::idempotency::{Begun, Fingerprint, MemoryStore, Outcome, Reply, Store};

#[global_allocator]
static HELD: Cap<System> = Cap::new(System, usize::MAX);

const LEASE: Duration = Duration::from_secs(60);
const ASKED: Fingerprint = Fingerprint::from_bits(7);

/// A slice of a buffer of 64 KiB that is its own.
fn slice(text: &str) -> Bytes {
    let mut buffer = vec![b'-'; 64 << 10];
    buffer[..text.len()].copy_from_slice(text.as_bytes());
    Bytes::from(buffer).slice(..text.len())
}

fn field(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_maybe_shared(slice(value)).unwrap();
    (name.parse().unwrap(), value)
}

fn reply(body: &str, fields: usize, trailers: bool) -> Outcome {
    let map = |fields: usize| -> HeaderMap {
        let named = (0..fields).map(|n| field(&format!("x-field-{n}"), "a value"));
        named.collect()
    };
    let mut headers = map(fields);
    // What was meant for many more, and a name with two values.
    headers.reserve(1_000);
    if let Some((name, value)) = (fields > 0).then(|| field("x-field-0", "another")) {
        headers.append(name, value);
    }
    Outcome::Reply(Arc::new(Reply {
        status: StatusCode::OK,
        headers,
        body: slice(body),
        trailers: trailers.then(|| map(1)),
    }))
}

#[tokio::test(start_paused = true)]
async fn no_more_is_held_than_is_counted() {
    let long = "x".repeat(1_000);
    for (name, keys, body, fields, trailers) in [
        ("one byte of many", 1_000, "x", 0, false),
        ("just past a power of two", 897, "x", 0, false),
        ("nothing", 1_000, "", 0, false),
        ("headers", 1_000, "x", 3, false),
        ("many headers, and trailers", 500, "x", 40, true),
        ("a longer body", 1_000, &long, 5, false),
    ] {
        let before = HELD.allocated();
        let store = MemoryStore::new();
        for n in 0..keys {
            let key: Arc<str> = format!("key-{n}").into();
            let begun = store.begin(&key, ASKED, LEASE).await.unwrap();
            let Begun::First(ticket) = begun else {
                panic!("{begun:?}");
            };
            let outcome = reply(body, fields, trailers);
            assert!(store.finish(&ticket, outcome.clone()).await.unwrap());
            let again = store.begin(&key, ASKED, LEASE).await.unwrap();
            assert_eq!(again, Begun::Done(outcome), "{name}");
            // Given once more, as a server does it: a buffer that is shared takes more.
            if let Begun::Done(Outcome::Reply(reply)) = again {
                let _given = (
                    reply.headers.clone(),
                    reply.body.clone(),
                    reply.trailers.clone(),
                );
            }
        }
        let held = HELD.allocated() - before;
        let counted = store.size();
        assert!(held <= counted, "{name}: {held} held, {counted} counted");
        // Nor is what is counted far from what is held.
        assert!(
            counted <= held * 2,
            "{name}: {held} held, {counted} counted"
        );
    }
    // What runs holds more than its key.
    let before = HELD.allocated();
    let store = MemoryStore::new();
    for n in 0..897 {
        let key: Arc<str> = format!("key-{n}").into();
        store.begin(&key, ASKED, LEASE).await.unwrap();
    }
    let (held, counted) = (HELD.allocated() - before, store.size());
    assert!(held <= counted, "running: {held} held, {counted} counted");
}
