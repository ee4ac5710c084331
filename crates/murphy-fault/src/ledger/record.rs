//! What a ledger holds, as it is read and written.

use std::time::Duration;

use murphy_core::{Key, Seed, hash_bytes, mix};
use serde::{Deserialize, Serialize};

use super::LEDGER_VERSION;
use crate::Leg;
use crate::book::{Finding, Grade, Outcome, Why};
use crate::plan::Plan;
use crate::text;

/// One fault at one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The site that the call passed.
    pub site: String,
    /// The fault's name.
    pub fault: String,
    /// Its kind: `latency`, `loss`, `refuse`, `duplicate`, `reorder`, `alter`, `queue`, `resend`, `stall`,
    /// `truncate`, `reset`, `lose-trailers`; and of links `partition` and `hold`, whose faults are called
    /// `link.partition`, `link.hold`, and the same with `.reply`.
    pub kind: String,
    /// The leg that it strikes.
    pub leg: Leg,
    /// The call's ordinal at its site, from 0.
    pub ordinal: u64,
    /// The call's key; 0 if it had none.
    #[serde(with = "text::key")]
    pub key: Key,
    /// Which passage of the key; of a call without one, its ordinal.
    pub occurrence: u64,
    /// Whether the call had a key.
    pub keyed: bool,
    /// When, after arming.
    #[serde(with = "text::nanos", rename = "at_ns")]
    pub at: Duration,
    /// How long (latency) or how much later (duplicate).
    #[serde(
        with = "text::maybe_nanos",
        rename = "magnitude_ns",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub magnitude: Option<Duration>,
    /// Whether it struck.
    pub finding: Finding,
    /// Why not, if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// What came of it.
    pub outcome: Outcome,
}

/// The counters of one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The site.
    pub site: String,
    /// Calls since arming, those with excluded requests apart.
    pub calls: u64,
    /// Calls that at least one fault of the plan struck. What a cut or a hold did is in the records.
    pub faulted: u64,
    /// Faults that a limit withheld.
    pub withheld: u64,
    /// Faults that were asked for where the layer cannot.
    pub unable: u64,
    /// Calls whose header asked for faults in a way that could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub malformed: u64,
    /// Whether more keys came by than the site can count.
    pub keys_overflowed: bool,
    /// How far the site repeats.
    pub grade: Grade,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The first line of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format.
    pub ledger: u32,
    /// The seed of the run.
    #[serde(with = "text::seed")]
    pub seed: Seed,
    /// How far the run repeats.
    pub grade: Grade,
    /// The plan of the run.
    pub plan: Plan,
}

impl Header {
    pub(crate) fn new(seed: Seed, grade: Grade, plan: Plan) -> Self {
        Self {
            ledger: LEDGER_VERSION,
            seed,
            grade,
            plan,
        }
    }
}

/// An order-free digest of what struck whom: equal for equal sets of (site, fault, key,
/// occurrence, magnitude).
#[must_use]
pub fn digest<'a>(records: impl IntoIterator<Item = &'a Record>) -> u64 {
    records.into_iter().fold(0, |sum: u64, r| {
        let magnitude = r.magnitude.map_or(u64::MAX, |m| m.as_nanos() as u64);
        let words = [
            hash_bytes(r.site.as_bytes()),
            hash_bytes(r.fault.as_bytes()),
            r.key.bits(),
            r.occurrence,
            magnitude,
        ];
        sum.wrapping_add(words.into_iter().fold(0, |h, w| mix(mix(h) ^ w)))
    })
}
