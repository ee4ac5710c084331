//! [`ReplayCode`]: a failure in one line, which replays it anywhere.
//!
//! ```text
//! murphy1:orders:2a:client-%3Epay~lost-reply~9f3c~0+pause~pay~20~5000:1b7e
//!    │       │    │   └ site, kind, key, occurrence[, milliseconds]    └ sum of what is before it
//!    │       │    └ seed              └ what, whom, from, for how long
//!    │       └ the exploration's name
//!    └ version
//! ```
//!
//! Calls are named as fault layers key them, so that a code survives what is added elsewhere: a
//! site, a call, a layer. Names are percent-encoded; no character needs a shell's quotes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Key, Seed, hash_bytes};

use crate::injection::{CallId, Injection, Upset};

/// The word that a code begins with; its digit is the version.
const VERSION: &str = "murphy1";

/// The most injections of one code.
const MOST: usize = 4096;

/// A run, so that it can be repeated: exploration, seed and what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayCode {
    /// The exploration's name.
    pub name: String,
    /// The seed that the run had.
    pub seed: Seed,
    /// What went wrong in it.
    pub injections: Vec<Injection>,
}

/// Text that is no replay code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("replay code: {problem}: `{text}`; {remedy}")]
pub struct BadCode {
    /// What is wrong.
    pub problem: &'static str,
    /// The part that it is wrong with, cut to 64 characters.
    pub text: String,
    /// What would be right.
    pub remedy: &'static str,
}

impl fmt::Display for ReplayCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: Vec<String> = self.injections.iter().map(encode).collect();
        let (name, seed) = (escape(&self.name), self.seed.bits());
        let text = format!("{VERSION}:{name}:{seed:x}:{}", body.join("+"));
        write!(f, "{text}:{:04x}", sum(&text))
    }
}

impl FromStr for ReplayCode {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        // As it stands in a report, with what it is given to.
        let text = text.trim();
        let text = text.strip_prefix("MURPHY_REPLAY=").unwrap_or(text);
        let text = text.split_whitespace().next().unwrap_or_default();
        let whole = "copy the whole line, from `murphy1:` to the four digits at its end";
        let parts: Vec<&str> = text.split(':').collect();
        let &[version, name, seed, body, check] = &parts[..] else {
            return Err(bad("it has not five parts", text, whole));
        };
        if version != VERSION {
            let remedy = "this release reads `murphy1`: use the one that wrote it";
            return Err(bad("it is of another version", version, remedy));
        }
        let before = &text[..text.len() - check.len() - 1];
        if u16::from_str_radix(check, 16) != Ok(sum(before)) {
            return Err(bad("the sum at its end is wrong", check, whole));
        }
        let seed = u64::from_str_radix(seed, 16)
            .map_err(|_| bad("the seed is no hexadecimal number", seed, whole))?;
        let items = body.split('+').filter(|item| !item.is_empty());
        if items.clone().count() > MOST {
            return Err(bad("it has too many injections", body, "4,096 at most"));
        }
        Ok(Self {
            name: unescape(name)?,
            seed: Seed::new(seed),
            injections: items.map(decode).collect::<Result<_, _>>()?,
        })
    }
}

fn sum(text: &str) -> u16 {
    hash_bytes(text.as_bytes()) as u16
}

fn encode(injection: &Injection) -> String {
    match injection {
        Injection::Call {
            call,
            kind,
            magnitude,
        } => {
            let (site, key) = (escape(&call.site), call.key.bits());
            let by = magnitude.map_or(String::new(), |m| format!("~{}", m.as_millis()));
            format!("{site}~{kind}~{key:x}~{}{by}", call.occurrence)
        }
        Injection::Upset { what, at, lasting } => {
            let whom = match what {
                Upset::Pause(node) | Upset::Crash(node) | Upset::Isolate(node) => escape(node),
                Upset::Cut(a, b) | Upset::CutOneway(a, b) => format!("{}~{}", escape(a), escape(b)),
                Upset::Step(node, ms) => format!("{}~{ms}", escape(node)),
            };
            let (at, lasting) = (at.as_millis(), lasting.as_millis());
            format!("@{}~{whom}~{at}~{lasting}", what.kind())
        }
    }
}

fn decode(item: &str) -> Result<Injection, BadCode> {
    let wrong = || {
        let remedy =
            "an injection is `site~kind~key~occurrence[~ms]` or `@upset~node[~node]~from~lasting`";
        bad("it has an injection that cannot be read", item, remedy)
    };
    let name = |text: &str| unescape(text).map(Arc::<str>::from);
    let ms = |text: &str| text.parse().map(Duration::from_millis).map_err(|_| wrong());
    let fields: Vec<&str> = item.split('~').collect();
    if let Some(verb) = item.strip_prefix('@') {
        let verb = verb.split('~').next().unwrap_or_default();
        let (what, at, lasting) = match (verb, &fields[1..]) {
            ("pause", [node, at, lasting]) => (Upset::Pause(name(node)?), at, lasting),
            ("crash", [node, at, lasting]) => (Upset::Crash(name(node)?), at, lasting),
            ("isolate", [node, at, lasting]) => (Upset::Isolate(name(node)?), at, lasting),
            ("cut", [a, b, at, lasting]) => (Upset::Cut(name(a)?, name(b)?), at, lasting),
            ("cut-oneway", [a, b, at, lasting]) => {
                (Upset::CutOneway(name(a)?, name(b)?), at, lasting)
            }
            ("step", [node, by, at, lasting]) => {
                let by = by.parse().map_err(|_| wrong())?;
                (Upset::Step(name(node)?, by), at, lasting)
            }
            _ => return Err(wrong()),
        };
        let (at, lasting) = (ms(at)?, ms(lasting)?);
        return Ok(Injection::Upset { what, at, lasting });
    }
    let (site, kind, key, occurrence, by) = match &fields[..] {
        [site, kind, key, occurrence] => (site, kind, key, occurrence, None),
        [site, kind, key, occurrence, by] => (site, kind, key, occurrence, Some(ms(by)?)),
        _ => return Err(wrong()),
    };
    let kind: crate::Kind = kind.parse().map_err(|_| wrong())?;
    if kind.has_magnitude() != by.is_some() {
        return Err(wrong());
    }
    Ok(Injection::Call {
        call: CallId {
            site: name(site)?,
            key: Key::new(u64::from_str_radix(key, 16).map_err(|_| wrong())?),
            occurrence: occurrence.parse().map_err(|_| wrong())?,
        },
        kind,
        magnitude: by,
    })
}

/// Letters, digits, `-`, `_` and `.` stay; all else is percent-encoded.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn unescape(text: &str) -> Result<String, BadCode> {
    let wrong = || {
        bad(
            "it has a name that cannot be read",
            text,
            "copy the whole line",
        )
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.ok_or_else(wrong)?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn bad(problem: &'static str, text: &str, remedy: &'static str) -> BadCode {
    BadCode {
        problem,
        text: text.chars().take(64).collect(),
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Kind;

    fn call(site: &str, key: u64, occurrence: u64, kind: Kind, ms: Option<u64>) -> Injection {
        Injection::Call {
            call: CallId {
                site: site.into(),
                key: Key::new(key),
                occurrence,
            },
            kind,
            magnitude: ms.map(Duration::from_millis),
        }
    }

    /// Codes that were printed once are read for ever.
    #[test]
    fn a_code_is_what_it_was() {
        let code = ReplayCode {
            name: "orders".into(),
            seed: Seed::new(42),
            injections: vec![
                call("client->pay", 0x9f3c, 0, Kind::LostReply, None),
                call("db", 0, 17, Kind::Latency, Some(2000)),
                Injection::Upset {
                    what: Upset::CutOneway("a".into(), "b c".into()),
                    at: Duration::from_millis(20),
                    lasting: Duration::from_secs(5),
                },
            ],
        };
        let text = "murphy1:orders:2a:client-%3Epay~lost-reply~9f3c~0+db~latency~0~17~2000\
                    +@cut-oneway~a~b%20c~20~5000:8838";
        assert_eq!(code.to_string(), text);
        assert_eq!(text.parse(), Ok(code));
    }

    #[test]
    fn what_is_no_code_is_refused_with_a_remedy() {
        let empty = ReplayCode {
            name: String::new(),
            seed: Seed::new(0),
            injections: Vec::new(),
        };
        let summed = |text: &str| format!("{text}:{:04x}", sum(text));
        for (text, problem) in [
            (String::new(), "five parts"),
            (summed("murphy9:a:0:"), "another version"),
            (
                empty.to_string().replace("murphy1", "murphy1a"),
                "another version",
            ),
            ("murphy1:a:0::0000".into(), "sum"),
            (summed("murphy1:a:zz:"), "seed"),
            (summed("murphy1:%f:0:"), "name"),
            (summed("murphy1:%ff:0:"), "name"),
            (summed("murphy1:a:0:x"), "injection"),
            (summed("murphy1:a:0:x~lost~0~0"), "injection"),
            (summed("murphy1:a:0:x~latency~0~0"), "injection"),
            (summed("murphy1:a:0:x~lost-reply~0~0~7"), "injection"),
            (summed("murphy1:a:0:@pause~x~1"), "injection"),
        ] {
            let error = text.parse::<ReplayCode>().unwrap_err();
            assert!(error.problem.contains(problem), "{text}: {error}");
        }
    }

    fn injections() -> impl Strategy<Value = Injection> {
        let kinds = prop::sample::select([Kind::FAULTS.as_slice(), &Kind::NUDGES].concat());
        let calls = (".{0,12}", any::<u64>(), any::<u64>(), kinds, any::<u32>()).prop_map(
            |(site, key, occurrence, kind, ms)| {
                let ms = kind.has_magnitude().then_some(ms.into());
                call(&site, key, occurrence, kind, ms)
            },
        );
        let upsets = (0..6, ".{0,8}", ".{0,8}", any::<i64>(), any::<(u32, u32)>()).prop_map(
            |(which, a, b, by, (at, lasting))| {
                let (a, b): (Arc<str>, Arc<str>) = (a.into(), b.into());
                let what = match which {
                    0 => Upset::Pause(a),
                    1 => Upset::Crash(a),
                    2 => Upset::Isolate(a),
                    3 => Upset::Cut(a, b),
                    4 => Upset::CutOneway(a, b),
                    _ => Upset::Step(a, by),
                };
                let ms = |n: u32| Duration::from_millis(n.into());
                let (at, lasting) = (ms(at), ms(lasting));
                Injection::Upset { what, at, lasting }
            },
        );
        prop_oneof![calls, upsets]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            name in ".{0,12}",
            seed in any::<u64>(),
            injections in prop::collection::vec(injections(), 0..8),
        ) {
            let code = ReplayCode { name, seed: Seed::new(seed), injections };
            let text = code.to_string();
            prop_assert_eq!(text.parse(), Ok(code));
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"'\"$&|;<>()*?!`\\".contains(&b)));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}", cut in 0usize..40) {
            let _ = text.parse::<ReplayCode>();
            let whole = "murphy1:orders:2a:db~latency~0~17~2000:0000";
            let _ = whole.get(cut..).map(str::parse::<ReplayCode>);
        }

        /// A digit mistyped is not another run.
        #[test]
        fn a_changed_character_is_noticed(at in 0usize..40, to in "[a-z0-9]") {
            let code = ReplayCode {
                name: "orders".into(),
                seed: Seed::new(42),
                injections: vec![call("db", 7, 17, Kind::Latency, Some(2000))],
            };
            let mut text = code.to_string();
            if at < text.len() && text.is_char_boundary(at) && text[at..=at] != *to {
                text.replace_range(at..=at, &to);
                // Sixteen bits: what slips through is one in 65,536.
                prop_assert_ne!(text.parse(), Ok(code));
            }
        }
    }
}
