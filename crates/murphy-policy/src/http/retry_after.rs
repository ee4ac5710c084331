//! `Retry-After`: seconds, or a date in any of HTTP's three forms.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use murphy_core::clock::{Clock, SystemClock, Wall};

use super::{digits, only, rate_limit};

/// How long a peer asks to be left alone: by `Retry-After` (RFC 9110, section 10.2.3), else by the
/// `RateLimit` fields.
///
/// A number of seconds is digits only, at most nineteen: `-1`, `+1`, `1.0`, an empty value and 10⁶
/// digits are as if it were not there, and so is a field that comes twice. A date (IMF-fixdate, RFC
/// 850 or asctime) counts from the reply's own `Date` where it has one, so that the peer's clock
/// need not be ours; else from the time of day here. A date that has passed is zero.
///
/// How much of it is obeyed is the retry's affair
/// ([`longest_hint`](crate::RetryLayer::longest_hint)).
///
/// # Examples
///
/// ```
/// use http::HeaderMap;
/// use murphy_policy::http::retry_after;
/// use std::time::Duration;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("retry-after", "120".parse()?);
/// assert_eq!(retry_after(&headers), Some(Duration::from_secs(120)));
/// headers.insert("retry-after", "+120".parse()?);
/// assert_eq!(retry_after(&headers), None);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let own = only(headers, &RETRY_AFTER).and_then(|value| wait(value, headers));
    own.or_else(|| rate_limit::reset(headers))
}

fn wait(value: &[u8], headers: &HeaderMap) -> Option<Duration> {
    if let Some(seconds) = digits(value) {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(value)?;
    let now = match only(headers, &DATE).and_then(date) {
        Some(sent) => sent,
        None => SystemClock::new().wall(),
    };
    let nanos = until.nanos().saturating_sub(now.nanos());
    Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
}

fn date(value: &[u8]) -> Option<Wall> {
    // The longest day's name makes 33 characters.
    let text = std::str::from_utf8(value).ok().filter(|t| t.len() <= 40)?;
    httpdate::parse_http_date(text).ok().map(Wall::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&'static str, &str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        retry_after(&headers).map(|d| d.as_secs())
    }

    #[test]
    fn seconds_and_all_three_dates_are_read() {
        let sent = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (name, value, want) in [
            ("seconds", "120", Some(120)),
            ("none", "0", Some(0)),
            ("leading zeros", "007", Some(7)),
            ("a fixed date", "Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("RFC 850", "Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("asctime", "Sun Nov  6 08:50:07 1994", Some(30)),
            (
                "a date that has passed",
                "Sun, 06 Nov 1994 08:00:00 GMT",
                Some(0),
            ),
        ] {
            assert_eq!(read(&[("retry-after", value), sent]), want, "{name}");
        }
        // Cut at the end of our own calendar, in 2262.
        let far = read(&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"), sent]);
        assert!(far > Some(8_000_000_000), "{far:?}");
    }

    #[test]
    fn what_is_no_right_value_is_as_if_it_were_not_there() {
        let million = "9".repeat(1_000_000);
        for value in [
            "",
            " ",
            "-1",
            "+1",
            "1.0",
            "1e3",
            "0x10",
            "1 ",
            "１２",
            "12345678901234567890",
            &million,
            "Sun, 06 Nov 10000 08:50:07 GMT",
            "Sun, 99 Nov 1994 08:50:07 GMT",
            "tomorrow",
        ] {
            let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) else {
                continue;
            };
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.clone())]);
            assert_eq!(retry_after(&headers), None, "{value:?}");
        }
        assert_eq!(read(&[("retry-after", "1"), ("retry-after", "2")]), None);
    }

    #[test]
    fn without_a_date_of_the_peers_ours_counts() {
        let in_an_hour = SystemClock::new().wall() + Duration::from_secs(3600);
        let value = httpdate::fmt_http_date(in_an_hour.into());
        let got = read(&[("retry-after", &value)]).unwrap();
        assert!((3595..=3600).contains(&got), "{got}");
        assert_eq!(
            read(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]),
            Some(0)
        );
    }
}
