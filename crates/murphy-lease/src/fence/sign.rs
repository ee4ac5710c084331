//! [`Signer`]: tokens that only who has the key can make.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use murphy_core::BadKnob;
use sha2::Sha256;

use crate::{BadToken, FencingToken};

const FIELD: &str = ";mac=";
/// Two digits a byte.
const DIGITS: usize = 64;

/// Signs tokens, and believes those alone that are signed: HMAC-SHA256 (RFC 2104) over a token's text, as one more field,
/// `orders;era=0;seq=34;nonce=..;mac=<64 hexadecimal digits>`.
///
/// For callers that are trusted with the tokens they were granted, and with no others: something between the store of leases
/// and them has the key, signs, and hands out text. The resource has the same key, so that it can sign too. A signed token
/// can be passed on; what it proves is that it was granted.
#[derive(Clone)]
pub struct Signer {
    key: Hmac<Sha256>,
    /// Keys that are believed yet.
    older: Vec<Hmac<Sha256>>,
}

/// Text that is no signed token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadSignature {
    /// It has no signature.
    #[error(
        "the token is not signed, and has to be: it ends in no `;mac=` of 64 hexadecimal digits"
    )]
    Unsigned,
    /// Its signature is another token's, or another key's.
    #[error("the token's signature is wrong")]
    Forged,
    /// It is signed, and no token.
    #[error(transparent)]
    Token(#[from] BadToken),
}

impl Signer {
    /// The shortest key, in bytes.
    pub const SHORTEST: usize = 16;

    /// The longest signed text, in bytes.
    pub const MAX_TEXT: usize = FencingToken::MAX_TEXT + FIELD.len() + DIGITS;

    /// With this key: 32 bytes of chance are best.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is shorter than 16 bytes.
    pub fn try_new(key: &[u8]) -> Result<Self, BadKnob> {
        let key = keyed(key)?;
        let older = Vec::new();
        Ok(Self { key, older })
    }

    /// Believes what was signed with this key too, and signs nothing with it: while a new one is brought in. Each
    /// costs one more hash of a token that is forged.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is shorter than 16 bytes.
    pub fn believing(mut self, key: &[u8]) -> Result<Self, BadKnob> {
        self.older.push(keyed(key)?);
        Ok(self)
    }

    /// The token's text, signed.
    #[must_use]
    pub fn sign(&self, token: &FencingToken) -> String {
        let mut text = token.to_string();
        let mac = self.key.clone().chain_update(&text).finalize();
        text.push_str(FIELD);
        for byte in mac.into_bytes() {
            text.push_str(&format!("{byte:02x}"));
        }
        text
    }

    /// The token that this is the signed text of. The signature is looked at first, in constant time.
    ///
    /// # Errors
    ///
    /// [`BadSignature`].
    pub fn verify(&self, text: &str) -> Result<FencingToken, BadSignature> {
        if text.len() > Self::MAX_TEXT {
            return Err(BadSignature::Unsigned);
        }
        let (text, mac) = text.rsplit_once(FIELD).ok_or(BadSignature::Unsigned)?;
        let mac = decoded(mac).ok_or(BadSignature::Unsigned)?;
        let mut keys = std::iter::once(&self.key).chain(&self.older);
        let signs = |key: &Hmac<Sha256>| key.clone().chain_update(text).verify_slice(&mac).is_ok();
        if !keys.any(signs) {
            return Err(BadSignature::Forged);
        }
        Ok(text.parse()?)
    }
}

fn keyed(key: &[u8]) -> Result<Hmac<Sha256>, BadKnob> {
    let short = || {
        let value = format!("{} bytes", key.len());
        BadKnob::new("key", value, "use at least 16 bytes of chance, 32 are best")
    };
    if key.len() < Signer::SHORTEST {
        return Err(short());
    }
    Hmac::new_from_slice(key).map_err(|_| short())
}

fn decoded(digits: &str) -> Option<[u8; DIGITS / 2]> {
    let digits: &[u8; DIGITS] = digits.as_bytes().try_into().ok()?;
    let mut mac = [0; DIGITS / 2];
    for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(mac)
}

/// Without its keys.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> FencingToken {
        "orders;era=0;seq=34;nonce=b".parse().unwrap()
    }

    fn signer(byte: u8) -> Signer {
        Signer::try_new(&[byte; 32]).unwrap()
    }

    #[test]
    fn what_is_signed_is_believed() {
        let text = signer(1).sign(&token());
        assert_eq!(signer(1).verify(&text), Ok(token()));
        assert_eq!(signer(2).verify(&text), Err(BadSignature::Forged));
        let both = signer(2).believing(&[1; 32]).unwrap();
        assert_eq!(both.verify(&text), Ok(token()));
        assert_eq!(
            signer(1).verify(&both.sign(&token())),
            Err(BadSignature::Forged)
        );
    }

    /// RFC 4231's construction, by another implementation: `python3 -c 'import hmac; ..'`.
    #[test]
    fn the_signature_is_hmac_sha256_of_the_text() {
        let text = signer(0x0b).sign(&token());
        let known = "a5f5152504502b6d07e0c35b730bac950a4da71b89b195a5aa8d94cc01c92f19";
        assert_eq!(text.rsplit_once(FIELD).unwrap().1, known);
    }

    #[test]
    fn what_is_not_signed_is_refused() {
        let plain = token().to_string();
        let signed = signer(1).sign(&token());
        for text in [
            plain.clone(),
            format!("{plain};mac="),
            format!("{plain};mac={}", "g".repeat(64)),
            format!("{signed}0"),
            signed[..signed.len() - 1].to_owned(),
            "a".repeat(1 << 20),
        ] {
            assert_eq!(signer(1).verify(&text), Err(BadSignature::Unsigned));
        }
        let other = plain.replace("34", "35");
        let moved = signed.replace(&plain, &other);
        assert_eq!(signer(1).verify(&moved), Err(BadSignature::Forged));
    }

    #[test]
    fn a_short_key_is_refused_and_none_is_shown() {
        let said = Signer::try_new(b"secret").unwrap_err().to_string();
        assert!(
            !said.contains("secret") && said.contains("6 bytes"),
            "{said}"
        );
        assert_eq!(format!("{:?}", signer(1)), "Signer { .. }");
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_enough(at: prop::sample::Index, to in 33..127_u8) {
            let signed = signer(1).sign(&token());
            let mut bytes = signed.clone().into_bytes();
            let at = at.index(bytes.len());
            // A digit of the signature may be written in capitals.
            prop_assume!(!bytes[at].eq_ignore_ascii_case(&to));
            bytes[at] = to;
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(signer(1).verify(&text).is_err());
        }
    }
}
