//! The words of HTTP: which requests a plan may narrow faults to.
//!
//! ```text
//! word   = method | path | method " " path | header
//! method = "GET" | "POST" | ..                  capitals
//! path   = "/" ..                               the query is no part of it
//! header = name ":" [" " value]                 the name in small letters
//! ```
//!
//! In a path and in a value `*` stands for any run of characters, the empty one included.

/// A word, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word<'a> {
    Target {
        method: Option<&'a str>,
        path: Option<&'a str>,
    },
    Header {
        name: &'a str,
        value: &'a str,
    },
}

impl<'a> Word<'a> {
    /// What would have been right, for somebody who wrote a word that is none.
    pub(crate) const REMEDY: &'static str = "write a method `POST`, a path `/charge/*`, both `POST /charge/*`, or a header `x-user: 17`";

    /// Reads a word.
    pub(crate) fn parse(word: &'a str) -> Option<Self> {
        let method =
            |m: &str| !m.is_empty() && m.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        let path = |p: &str| p.starts_with('/') && !p.contains(char::is_whitespace);
        let target = |method, path| Some(Self::Target { method, path });
        if path(word) {
            return target(None, Some(word));
        }
        if method(word) {
            return target(Some(word), None);
        }
        match word.split_once(' ') {
            Some((m, p)) if method(m) && path(p) => return target(Some(m), Some(p)),
            _ => {}
        }
        let (name, value) = word.split_once(':')?;
        let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        (!name.is_empty() && name.bytes().all(token)).then(|| Self::Header {
            name,
            value: value.trim(),
        })
    }
}

/// Whether `text` is what `pattern` says. `*` is any run; everything else is itself.
#[cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "only HTTP has words")
)]
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go back to: after the last star, and one further into the text each time.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(b) if *b == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_or_refused() {
        let target = |method, path| Some(Word::Target { method, path });
        let header = |name, value| Some(Word::Header { name, value });
        for (word, want) in [
            ("POST", target(Some("POST"), None)),
            ("/charge/*", target(None, Some("/charge/*"))),
            ("POST /charge", target(Some("POST"), Some("/charge"))),
            ("x-user: 17", header("x-user", "17")),
            ("x-user:17", header("x-user", "17")),
            ("x-user: a b:c", header("x-user", "a b:c")),
            ("x-user:", header("x-user", "")),
            ("post", None),
            ("charge", None),
            ("POST charge", None),
            ("POST  /charge", None),
            ("X-User: 17", None),
            (": 17", None),
            ("", None),
        ] {
            assert_eq!(Word::parse(word), want, "{word}");
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_star_is_any_run() {
        for (pattern, text, want) in [
            ("/charge", "/charge", true),
            ("/charge", "/charge/7", false),
            ("/charge/*", "/charge/", true),
            ("/charge/*", "/charge/7/8", true),
            ("/charge/*", "/charge", false),
            ("/*/7", "/charge/7", true),
            ("/*/7", "/a/7/b/7", true),
            ("/*/7", "/a/7/b/8", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "aXbXbXc", true),
            ("**", "anything", true),
        ] {
            let got = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(got, want, "{pattern} of {text}");
        }
    }
}
