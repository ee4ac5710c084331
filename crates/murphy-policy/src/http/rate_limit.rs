//! The `RateLimit` fields: when there is quota again.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use super::{digits, only};

/// How long until there is quota again, if a peer says that there is none left.
///
/// Reads the list of draft-ietf-httpapi-ratelimit-headers-08 and later (`RateLimit:
/// "default";r=0;t=30`: the longest `t` of those without `r` left), that of -03 to -07 (`RateLimit:
/// limit=100, remaining=0, reset=30`), and the fields `RateLimit-Remaining` and `RateLimit-Reset` of
/// -00 to -02. The `X-RateLimit-*` of several vendors are not read: some hold seconds, some a date.
pub(super) fn reset(headers: &HeaderMap) -> Option<Duration> {
    let field = |name| only(headers, &HeaderName::from_static(name));
    let secs = match field("ratelimit") {
        Some(list) => std::str::from_utf8(list).ok().and_then(of_list)?,
        None if field("ratelimit-remaining").and_then(digits) == Some(0) => {
            field("ratelimit-reset").and_then(digits)?
        }
        None => return None,
    };
    Some(Duration::from_secs(secs))
}

fn of_list(list: &str) -> Option<u64> {
    let number = |text: &str| digits(text.trim().as_bytes());
    if list.contains("remaining=") {
        let part = |name: &str| {
            let mut parts = list.split(',').filter_map(|p| p.trim().split_once('='));
            parts.find(|(n, _)| *n == name).and_then(|(_, v)| number(v))
        };
        return (part("remaining")? == 0).then(|| part("reset"))?;
    }
    let exhausted = list.split(',').filter_map(|policy| {
        let part = |name: &str| {
            let mut parts = policy.split(';').skip(1);
            parts.find_map(|p| p.trim().strip_prefix(name).and_then(number))
        };
        (part("r=")? == 0).then(|| part("t="))?
    });
    exhausted.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_the_fields_is_read_and_hostile_ones_are_not() {
        for (name, fields, want) in [
            (
                "a list",
                &[("ratelimit", "\"default\";r=0;t=30")][..],
                Some(30),
            ),
            ("some left", &[("ratelimit", "\"default\";r=5;t=30")], None),
            (
                "the longest of those used up",
                &[("ratelimit", "\"a\";r=0;t=3, \"b\";r=0;t=9, \"c\";r=1;t=99")],
                Some(9),
            ),
            ("no time", &[("ratelimit", "\"default\";r=0")], None),
            (
                "an older list",
                &[("ratelimit", "limit=100, remaining=0, reset=50")],
                Some(50),
            ),
            (
                "an older list, some left",
                &[("ratelimit", "limit=100, remaining=7, reset=50")],
                None,
            ),
            (
                "three fields",
                &[
                    ("ratelimit-limit", "9"),
                    ("ratelimit-remaining", "0"),
                    ("ratelimit-reset", "4"),
                ],
                Some(4),
            ),
            (
                "three fields, some left",
                &[("ratelimit-remaining", "1"), ("ratelimit-reset", "4")],
                None,
            ),
            ("a sign", &[("ratelimit", "\"default\";r=0;t=+30")], None),
            (
                "less than nothing",
                &[("ratelimit", "\"default\";r=0;t=-30")],
                None,
            ),
            (
                "twice",
                &[
                    ("ratelimit", "\"d\";r=0;t=1"),
                    ("ratelimit", "\"d\";r=0;t=2"),
                ],
                None,
            ),
            ("noise", &[("ratelimit", ";;;,,,==\"")], None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().unwrap());
            }
            assert_eq!(reset(&headers), want.map(Duration::from_secs), "{name}");
        }
    }
}
