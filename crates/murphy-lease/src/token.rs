//! [`FencingToken`]: the proof of a grant.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::{LockName, Nonce, Rank};

/// The proof of a grant: of which lock, where it stands among all grants of that lock, and whose it is.
///
/// It rises with every grant and never moves on renewal. A resource that remembers the highest that it has seen refuses
/// every holder before that one, however late his writes come, and whatever he believes.
///
/// A program gets one from a lease that it holds, or reads one that came over a wire; there is no constructor, so that
/// none is made up by accident. Whoever *wants* to make one up can, unless tokens are signed.
///
/// ```
/// use murphy_lease::{FencingToken, LockName, Nonce, Rank};
///
/// let (lock, rank, nonce): (LockName, _, _) = ("orders".parse()?, Rank::new(0, 34), Nonce::from_bits(42));
/// let read: FencingToken = "orders;era=0;seq=34;nonce=2a".parse()?;
/// assert_eq!((read.lock(), read.rank(), read.nonce()), (&lock, rank, nonce));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The same three do not make one:
///
/// ```compile_fail,E0451
/// use murphy_lease::{FencingToken, LockName, Nonce, Rank};
///
/// let (lock, rank, nonce): (LockName, _, _) = ("orders".parse()?, Rank::new(0, 34), Nonce::from_bits(42));
/// let made_up = FencingToken { lock, rank, nonce };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Order
///
/// Tokens of one lock are ordered by [`Rank`]. Of two locks, or of one rank under two nonces (which a store that
/// restarted at zero would give), neither is less: `partial_cmp` has no answer.
///
/// # Text
///
/// `orders;era=1;seq=17;nonce=0000000000000000000000000000002a`, fit for a header: in the name whatever is not a letter,
/// a digit, `-`, `_`, `.`, `~`, `/` or `:` is percent-encoded.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FencingToken {
    lock: LockName,
    rank: Rank,
    nonce: Nonce,
}

/// Text that is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fencing token ({what}): write `lock;era=1;seq=17;nonce=2a`")]
pub struct BadToken {
    /// What is wrong with it.
    pub what: &'static str,
}

impl FencingToken {
    /// The longest text of one, in bytes: three for each of the name's, and the numbers.
    pub const MAX_TEXT: usize = 3 * LockName::MAX_BYTES + 90;

    /// Only who was granted it makes one.
    pub(crate) const fn of(lock: LockName, rank: Rank, nonce: Nonce) -> Self {
        Self { lock, rank, nonce }
    }

    /// Of which lock.
    #[must_use]
    pub const fn lock(&self) -> &LockName {
        &self.lock
    }

    /// Where it stands.
    #[must_use]
    pub const fn rank(&self) -> Rank {
        self.rank
    }

    /// Whose it is.
    #[must_use]
    pub const fn nonce(&self) -> Nonce {
        self.nonce
    }
}

impl PartialOrd for FencingToken {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.lock != other.lock {
            return None;
        }
        match self.rank.cmp(&other.rank) {
            Ordering::Equal if self.nonce != other.nonce => None,
            order => Some(order),
        }
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.lock.as_str().bytes() {
            if is_plain(byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        let Rank { era, seq } = self.rank;
        write!(f, ";era={era};seq={seq};nonce={}", self.nonce)
    }
}

/// With no more of the nonce than a log should hold.
impl fmt::Debug for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FencingToken({:?} {} {:?})",
            self.lock, self.rank, self.nonce
        )
    }
}

impl FromStr for FencingToken {
    type Err = BadToken;

    /// As [`Display`](fmt::Display) writes it: all three fields, in that order, no white space.
    fn from_str(text: &str) -> Result<Self, BadToken> {
        let bad = |what| BadToken { what };
        if text.len() > Self::MAX_TEXT {
            return Err(bad("it is too long"));
        }
        let mut fields = text.split(';');
        let mut field = |prefix| fields.next().and_then(|field| field.strip_prefix(prefix));
        let name = field("").ok_or(bad("it is empty"))?;
        let era = field("era=")
            .and_then(digits)
            .ok_or(bad("`era` is no number below 2^32"))?;
        let seq = field("seq=")
            .and_then(digits)
            .ok_or(bad("`seq` is no number below 2^64"))?;
        let nonce = field("nonce=").and_then(|nonce| nonce.parse().ok());
        let nonce = nonce.ok_or(bad("`nonce` is not 1 to 32 hexadecimal digits"))?;
        if fields.next().is_some() {
            return Err(bad("something follows the nonce"));
        }
        let name = decoded(name).ok_or(bad("the lock's name is not percent-encoded UTF-8"))?;
        let lock = LockName::try_new(&name).map_err(|_| bad("that names no lock"))?;
        Ok(Self::of(lock, Rank::new(era, seq), nonce))
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/' | b':')
}

/// A number in digits alone: the parser of the standard library would take a sign.
fn digits<N: FromStr>(text: &str) -> Option<N> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let byte = digit()? << 4 | digit()?;
            bytes.push(u8::try_from(byte).ok()?);
        } else if is_plain(byte) {
            bytes.push(byte);
        } else {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

/// As text.
#[cfg(feature = "serde")]
impl serde::Serialize for FencingToken {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for FencingToken {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(lock: &str, era: u32, seq: u64, nonce: u128) -> FencingToken {
        let lock = LockName::try_new(lock).unwrap();
        FencingToken::of(lock, Rank::new(era, seq), Nonce::from_bits(nonce))
    }

    #[test]
    fn tokens_are_ordered_within_a_lock_alone() {
        let one = token("a", 0, 1, 7);
        assert!(one < token("a", 0, 2, 3));
        assert!(one < token("a", 1, 0, 3));
        assert_eq!(one.partial_cmp(&token("a", 0, 1, 8)), None);
        assert_eq!(one.partial_cmp(&token("b", 0, 2, 7)), None);
        assert_eq!(one.partial_cmp(&one), Some(Ordering::Equal));
    }

    #[test]
    fn the_text_is_fit_for_a_header() {
        let text = token("Füße; \"1\"", 1, 17, 42).to_string();
        assert_eq!(
            text,
            "F%C3%BC%C3%9Fe%3B%20%221%22;era=1;seq=17;nonce=0000000000000000000000000000002a"
        );
        let longest = token(&"%".repeat(255), u32::MAX, u64::MAX, u128::MAX).to_string();
        assert!(longest.len() <= FencingToken::MAX_TEXT, "{}", longest.len());
        assert_eq!(
            longest.parse::<FencingToken>().unwrap().to_string(),
            longest
        );
    }

    #[test]
    fn text_that_is_no_token_is_refused() {
        for text in [
            "",
            "a",
            ";era=1;seq=1;nonce=1",
            "a;era=1;seq=1",
            "a;era=1;seq=1;nonce=",
            "a;era=+1;seq=1;nonce=1",
            "a;era=1;seq=-1;nonce=1",
            "a;era=4294967296;seq=1;nonce=1",
            "a;era=1;seq=18446744073709551616;nonce=1",
            "a;seq=1;era=1;nonce=1",
            "a;era=1;seq=1;nonce=1;",
            "a b;era=1;seq=1;nonce=1",
            "a%;era=1;seq=1;nonce=1",
            "a%2;era=1;seq=1;nonce=1",
            "a%+1;era=1;seq=1;nonce=1",
            "%FF;era=1;seq=1;nonce=1",
            "%0A;era=1;seq=1;nonce=1",
        ] {
            assert!(text.parse::<FencingToken>().is_err(), "{text}");
        }
        assert!("a".repeat(1 << 20).parse::<FencingToken>().is_err());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn json_that_is_no_token_is_refused() {
        for json in [
            "",
            "null",
            "34",
            r#""34""#,
            r#""orders;era=0;seq=34""#,
            r#"["orders;era=0;seq=34;nonce=2a"]"#,
            r#"{"lock":"orders","rank":{"era":0,"seq":34},"nonce":"2a"}"#,
            r#""orders;era=0;seq=34;nonce=2a"#,
        ] {
            let read = serde_json::from_str::<FencingToken>(json);
            assert!(read.is_err(), "{json}");
        }
        let read: FencingToken = serde_json::from_str(r#""orders;era=0;seq=34;nonce=2a""#).unwrap();
        assert_eq!(read, token("orders", 0, 34, 42));
        let read = serde_json::from_value(serde_json::Value::from(read.to_string()));
        assert_eq!(read.ok(), Some(token("orders", 0, 34, 42)), "owned, too");
    }

    #[cfg(feature = "serde")]
    proptest! {
        #[test]
        fn a_token_survives_json(name in "\\PC{1,60}", era: u32, seq: u64, nonce: u128) {
            prop_assume!(name.len() <= LockName::MAX_BYTES);
            let token = token(&name, era, seq, nonce);
            let json = serde_json::to_string(&token).unwrap();
            prop_assert_eq!(serde_json::from_str::<FencingToken>(&json).unwrap(), token);
        }

        #[test]
        fn json_is_read_as_its_text_is_whatever_it_is(text in ".{0,80}") {
            let json = serde_json::to_string(&text).unwrap();
            let read = serde_json::from_str::<FencingToken>(&json).ok();
            prop_assert_eq!(read, text.parse().ok());
            let _ = serde_json::from_str::<FencingToken>(&text);
        }

        #[test]
        fn what_nearly_is_a_token_is_read_as_its_text_is(
            name in "[a%2F;]{0,4}", era in "[0-9+-]{0,11}", seq in "[0-9+-]{0,21}", nonce in "[0-9a-g]{0,33}",
        ) {
            let text = format!("{name};era={era};seq={seq};nonce={nonce}");
            let json = serde_json::to_string(&text).unwrap();
            let read = serde_json::from_str::<FencingToken>(&json).ok();
            prop_assert_eq!(read, text.parse().ok());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            lock in "[^\\p{Cc}]{1,60}", era: u32, seq: u64, nonce: u128,
        ) {
            let token = token(&lock, era, seq, nonce);
            prop_assert_eq!(token.to_string().parse(), Ok(token));
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = text.parse::<FencingToken>();
        }
    }
}
