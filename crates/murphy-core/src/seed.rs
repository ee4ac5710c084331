//! [`Seed`]: the number that a run can be repeated from.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use rand::TryRng;

/// The root of all chance in a run.
///
/// Written and read as `0x2a` or `42`. A program takes it from an argument, else from the
/// environment (`MURPHY_SEED`), else from the system's entropy: [`Seed::resolve`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed(u64);

/// The seed of a process that was given none.
static OF_THE_PROCESS: OnceLock<Seed> = OnceLock::new();

/// Text that is no seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: `{value}` is not a seed: write a number below 2^64, as `42` or `0x2a`")]
pub struct BadSeed {
    /// Where it came from: an argument, or the variable's name.
    pub source_name: &'static str,
    /// What was given, cut to 64 characters.
    pub value: String,
}

impl Seed {
    /// The environment variable that [`from_env`](Self::from_env) reads.
    pub const VARIABLE: &'static str = "MURPHY_SEED";

    /// A seed from its bits.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// A seed from the system's entropy. Two calls give two seeds.
    ///
    /// Where the system has no entropy to give, the seed comes from the randomness of the
    /// standard library's hash maps, so that this cannot fail.
    #[must_use]
    pub fn fresh() -> Self {
        let entropy = rand::rngs::SysRng.try_next_u64();
        Self(entropy.unwrap_or_else(|_| {
            use std::hash::{BuildHasher, RandomState};
            RandomState::new().hash_one("murphy")
        }))
    }

    /// The seed in `MURPHY_SEED`, if the variable is set and not empty.
    ///
    /// # Errors
    ///
    /// [`BadSeed`] if the variable holds something else than a number.
    pub fn from_env() -> Result<Option<Self>, BadSeed> {
        match std::env::var_os(Self::VARIABLE) {
            None => Ok(None),
            Some(text) if text.is_empty() => Ok(None),
            Some(text) => Self::parse(&text.to_string_lossy(), Self::VARIABLE).map(Some),
        }
    }

    /// `argument`, else `MURPHY_SEED`, else fresh entropy: drawn once in a process, so that all who
    /// have no seed of their own share the one that is printed.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn resolve(argument: Option<Self>) -> Result<Self, BadSeed> {
        match argument {
            Some(seed) => Ok(seed),
            None => {
                Ok(Self::from_env()?.unwrap_or_else(|| *OF_THE_PROCESS.get_or_init(Self::fresh)))
            }
        }
    }

    /// A guard that prints the seed on standard error if it is dropped by a panic: hold one for
    /// as long as a failure should say how to repeat itself.
    #[must_use = "the seed is reported while the guard is held"]
    pub const fn report_on_panic(self) -> ReportSeed {
        ReportSeed(self)
    }

    fn parse(text: &str, source_name: &'static str) -> Result<Self, BadSeed> {
        let bad = || BadSeed {
            source_name,
            value: text.chars().take(64).collect(),
        };
        let digits = text.trim().replace('_', "");
        // `u64::from_str` takes a leading `+`; a seed has none.
        if digits.starts_with('+') {
            return Err(bad());
        }
        match digits
            .strip_prefix("0x")
            .or_else(|| digits.strip_prefix("0X"))
        {
            Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16),
            Some(_) => return Err(bad()),
            None => digits.parse(),
        }
        .map(Self)
        .map_err(|_| bad())
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed({self})")
    }
}

impl FromStr for Seed {
    type Err = BadSeed;

    fn from_str(text: &str) -> Result<Self, BadSeed> {
        Self::parse(text, "seed")
    }
}

impl From<u64> for Seed {
    fn from(bits: u64) -> Self {
        Self(bits)
    }
}

/// Prints `MURPHY_SEED=…` when a panic drops it. Made by [`Seed::report_on_panic`].
#[derive(Debug)]
pub struct ReportSeed(Seed);

impl Drop for ReportSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // `eprintln` panics where nobody reads, and a second panic would abort the process.
            let _ = std::panic::catch_unwind(|| {
                eprintln!(
                    "murphy: to repeat this failure: {}={}",
                    Seed::VARIABLE,
                    self.0
                );
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for bits in [0, 42, u64::MAX] {
            assert_eq!(Seed::new(bits).to_string().parse(), Ok(Seed::new(bits)));
            assert_eq!(bits.to_string().parse(), Ok(Seed::new(bits)));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "+1",
            "0x+1",
            "1.5",
            "0x1_0000_0000_0000_0000",
        ] {
            let e = text.parse::<Seed>().unwrap_err();
            assert_eq!(e.value, text);
        }
    }

    #[test]
    fn those_without_a_seed_share_one() {
        assert_eq!(Seed::resolve(None), Seed::resolve(None));
        assert_eq!(Seed::resolve(Some(Seed::new(7))), Ok(Seed::new(7)));
    }

    #[test]
    fn fresh_seeds_differ() {
        assert_ne!(Seed::fresh(), Seed::fresh());
    }
}
