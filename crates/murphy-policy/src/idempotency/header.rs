//! The `Idempotency-Key` header: written by clients, read by servers.

use http::{HeaderMap, HeaderValue, Method, Request};

use super::{IdempotencyKey, IdempotencyKeyLayer, WriteKey};
use crate::http::{IDEMPOTENCY_KEY, is_idempotent, only};

/// The longest key that a server takes, in bytes: as long as its peers take.
pub const LONGEST_KEY: usize = 255;

/// Puts keys in the `Idempotency-Key` header of requests whose method is not idempotent (RFC 9110,
/// section 9.2.2) and that have none yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHeader {
    every_method: bool,
    quoted: bool,
}

impl<B> WriteKey<Request<B>> for KeyHeader {
    fn wants(&self, request: &Request<B>) -> bool {
        (self.every_method || !is_idempotent(request.method()))
            && !request.headers().contains_key(IDEMPOTENCY_KEY)
    }

    fn write(&self, request: &mut Request<B>, key: IdempotencyKey) {
        let value = if self.quoted {
            let text = format!("\"{key}\"");
            HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
                .unwrap_or_else(|_| unreachable!("digits, dashes and quotes"))
        } else {
            HeaderValue::from(key)
        };
        request.headers_mut().insert(IDEMPOTENCY_KEY, value);
    }
}

/// With the `http` feature.
impl IdempotencyKeyLayer<KeyHeader> {
    /// Keys are in the `Idempotency-Key` header of requests whose method is not idempotent. A key
    /// that the caller has set is kept.
    #[must_use]
    pub fn new() -> Self {
        Self::with(KeyHeader::default())
    }

    /// Whatever the method.
    #[must_use]
    pub fn every_method(self) -> Self {
        self.map(|header| header.every_method = true)
    }

    /// In quotes, as draft-ietf-httpapi-idempotency-key-header has it: a structured string (RFC
    /// 9651). Most servers take the bare text, and take the quotes for a part of it.
    #[must_use]
    pub fn quoted(self) -> Self {
        self.map(|header| header.quoted = true)
    }
}

impl Default for IdempotencyKeyLayer<KeyHeader> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a request says of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Nothing,
    Key(&'a str),
    /// No text that is a key, or more than one.
    Bad,
}

/// A key is one value of 1 to 255 visible ASCII characters. Quotes are a part of it.
pub(super) fn read(headers: &HeaderMap) -> Said<'_> {
    if !headers.contains_key(IDEMPOTENCY_KEY) {
        return Said::Nothing;
    }
    match only(headers, &IDEMPOTENCY_KEY).map(key) {
        Some(Some(key)) => Said::Key(key),
        _ => Said::Bad,
    }
}

fn key(value: &[u8]) -> Option<&str> {
    let fits = (1..=LONGEST_KEY).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(value).ok().filter(|_| fits)
}

/// Whether a server looks at the key of such a request.
pub(super) fn is_named(method: &Method, every_method: bool) -> bool {
    every_method || !is_idempotent(method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_value_of_visible_characters() {
        let long = "k".repeat(LONGEST_KEY);
        let longer = "k".repeat(LONGEST_KEY + 1);
        let huge = "k".repeat(1 << 20);
        let cases: [(&[&[u8]], Said<'_>); 14] = [
            (&[], Said::Nothing),
            (&[b"8e03978e"], Said::Key("8e03978e")),
            (&[b"\"quoted\""], Said::Key("\"quoted\"")),
            (&[long.as_bytes()], Said::Key(&long)),
            (&[longer.as_bytes()], Said::Bad),
            (&[huge.as_bytes()], Said::Bad),
            (&[b""], Said::Bad),
            (&[b" "], Said::Bad),
            (&[b"a b"], Said::Bad),
            (&[b"a\tb"], Said::Bad),
            (&["käse".as_bytes()], Said::Bad),
            (&[b"\xff\xfe"], Said::Bad),
            (&[b"a", b"a"], Said::Bad),
            (&[b"a", b"b"], Said::Bad),
        ];
        for (values, want) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = HeaderValue::from_bytes(value).expect("a value");
                headers.append(IDEMPOTENCY_KEY, value);
            }
            assert_eq!(read(&headers), want);
        }
    }
}
