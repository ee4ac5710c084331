//! Durations from a header: whole milliseconds, by somebody who may mean harm.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// How many digits are read: 99,999,999 ms are more than a day.
const DIGITS: usize = 8;

/// A header that is there and is no number of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hostile;

/// The header's milliseconds; none where it is missing.
///
/// One value of one to eight digits, and nothing else: no sign, no point, no blank, no second one.
/// A longer value is not looked at.
pub(crate) fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Duration>, Hostile> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => digits(value.as_bytes(), DIGITS)
            .map(|millis| Some(Duration::from_millis(millis)))
            .ok_or(Hostile),
        (Some(_), Some(_)) => Err(Hostile),
    }
}

/// A number of at most `most` digits, which `u64` has to hold.
pub(crate) fn digits(text: &[u8], most: usize) -> Option<u64> {
    if text.is_empty() || text.len() > most {
        return None;
    }
    text.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const NAME: HeaderName = HeaderName::from_static("x-timeout-ms");

    fn header(value: &[u8]) -> Result<Option<Duration>, Hostile> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(value).expect("a header's value");
        headers.insert(NAME, value);
        read(&headers, &NAME)
    }

    #[test]
    fn only_digits_are_milliseconds_and_few_of_them() {
        for (text, millis) in [
            ("0", 0),
            ("007", 7),
            ("1500", 1500),
            ("99999999", 99_999_999),
        ] {
            let want = Duration::from_millis(millis);
            assert_eq!(header(text.as_bytes()), Ok(Some(want)), "{text}");
        }
        let long = "1".repeat(1_000_000);
        for text in [
            "",
            " ",
            "+1",
            "-1",
            "1.0",
            "1e3",
            "1 ",
            "0x1",
            "1s",
            "１",
            "100000000",
            &long,
        ] {
            let start = text.chars().take(12).collect::<String>();
            assert_eq!(header(text.as_bytes()), Err(Hostile), "{start}");
        }
        assert_eq!(read(&HeaderMap::new(), &NAME), Ok(None));
    }

    #[test]
    fn two_values_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(NAME, HeaderValue::from_static("1"));
        headers.append(NAME, HeaderValue::from_static("1"));
        assert_eq!(read(&headers, &NAME), Err(Hostile));
    }

    proptest! {
        #[test]
        fn no_value_is_trusted(value in prop::collection::vec(32_u8..127, 0..20)) {
            let text = std::str::from_utf8(&value).expect("ascii");
            let plain = !text.is_empty() && text.len() <= 8 && text.bytes().all(|b| b.is_ascii_digit());
            prop_assert_eq!(header(&value).is_ok(), plain);
        }
    }
}
