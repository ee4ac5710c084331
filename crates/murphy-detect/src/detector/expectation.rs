//! When the next beat is expected, and until when it is waited for.

use super::agree;
use crate::Moment;

/// The next beat of a node. Its level is the share of the margin that is used up: 0 until the beat is expected, 1 at
/// the deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expectation {
    expected: Moment,
    deadline: Moment,
}

impl Expectation {
    /// The next beat should come `lead` nanoseconds after this one, which came `at`, and may be late by a `margin`;
    /// the node is waited for until `cap` after `at` at most. A lead below zero: this one came so late that the next
    /// one is overdue already.
    #[inline]
    pub(super) fn new(at: Moment, lead: i64, margin: u64, cap: u64) -> Self {
        let until = lead.saturating_add_unsigned(margin);
        let after = |nanos: i64| {
            let nanos = u64::try_from(nanos).unwrap_or(0).min(cap);
            Moment::from_nanos(at.as_nanos().saturating_add(nanos))
        };
        Self {
            expected: after(lead),
            deadline: after(until),
        }
    }

    #[inline]
    pub(super) const fn deadline(&self) -> Moment {
        self.deadline
    }

    pub(super) fn level(&self, now: Moment) -> f64 {
        let margin = self.deadline.nanos_since(self.expected).max(1) as f64;
        let late = now.nanos_since(self.expected) as f64;
        agree(late / margin, 1.0, now >= self.deadline)
    }
}
