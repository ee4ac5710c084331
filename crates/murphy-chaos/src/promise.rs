//! [`Violation`]: a promise that was broken, and how to know it again.

use std::fmt;
use std::time::Duration;

/// Which sort of promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// Something bad never happens: `always!`, a panic, an error of the test itself.
    Safety,
    /// Something good happens in the end: `eventually!`, and that a run ends at all.
    Liveness,
}

/// A promise that a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which sort.
    pub promise: Promise,
    /// The name that the assertion has, or the place and the words of a panic.
    pub name: String,
    /// What it said.
    pub detail: String,
    /// When, after the run began.
    pub at: Duration,
}

impl Violation {
    /// What two failures of one cause share: the sort and the name, without the numbers in it.
    ///
    /// Shrinking keeps to one fingerprint, so that it does not slide to another bug.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{}: {}", self.promise, without_numbers(&self.name))
    }
}

/// Each run of digits, decimal or after `0x`, becomes `#`: ids and amounts differ between runs.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if !c.is_ascii_digit() {
            out.push(c);
            continue;
        }
        let is_hex = c == '0' && chars.next_if_eq(&'x').is_some();
        let more = |c: &char| c.is_ascii_digit() || (is_hex && c.is_ascii_hexdigit());
        while chars.next_if(more).is_some() {}
        out.push('#');
    }
    out
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safety => "SAFETY",
            Self::Liveness => "LIVENESS",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.name)?;
        if !self.detail.is_empty() && self.detail != self.name {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_has_no_numbers() {
        for (name, want) in [
            ("charged once", "SAFETY: charged once"),
            (
                "order 17 charged 2 times",
                "SAFETY: order # charged # times",
            ),
            ("key 0x9f3c of 10", "SAFETY: key # of #"),
            ("", "SAFETY: "),
        ] {
            let violation = Violation {
                promise: Promise::Safety,
                name: name.into(),
                detail: String::new(),
                at: Duration::ZERO,
            };
            assert_eq!(violation.fingerprint(), want);
        }
    }
}
