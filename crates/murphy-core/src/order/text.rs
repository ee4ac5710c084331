//! What the texts of all stamps have in common. Each stamp has exactly one text.

use super::{BadStamp, NodeId};

/// The digits of the longest count.
pub(super) const DIGITS: usize = 20;

/// Reads one kind of stamp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) kind: &'static str,
    pub(super) text: &'a str,
    /// What it should look like.
    pub(super) remedy: &'static str,
}

impl<'a> Reader<'a> {
    /// Before anything is parsed: at most `most` bytes.
    pub(super) fn at_most(self, most: usize) -> Result<Self, BadStamp> {
        match self.text.len() <= most {
            true => Ok(self),
            false => Err(self.bad(&format!("at most {most} bytes; {}", self.remedy))),
        }
    }

    /// What is before and after the first `separator`.
    pub(super) fn split(
        self,
        text: &'a str,
        separator: char,
    ) -> Result<(&'a str, &'a str), BadStamp> {
        let halves = text.split_once(separator);
        halves.ok_or_else(|| self.bad(self.remedy))
    }

    /// A decimal number as it is printed: no sign, no zero before it.
    pub(super) fn count(self, digits: &str) -> Result<u64, BadStamp> {
        let count = digits.parse().ok().filter(|_| is_printed(digits));
        count.ok_or_else(|| self.bad(self.remedy))
    }

    pub(super) fn node(self, name: &str) -> Result<NodeId, BadStamp> {
        name.parse().map_err(|_| self.bad(self.remedy))
    }

    pub(super) fn bad(self, remedy: &str) -> BadStamp {
        BadStamp {
            kind: self.kind,
            value: self.text.chars().take(64).collect(),
            remedy: remedy.into(),
        }
    }
}

/// Whether these are the digits that a number is printed with.
pub(super) fn is_printed(digits: &str) -> bool {
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    is_number && (digits == "0" || !digits.starts_with('0'))
}
