//! [`Menu`]: what an exploration may do, and how much of it.

use std::time::Duration;

use crate::kind::Kind;

/// What an exploration may do to calls and nodes, and how much of it.
///
/// By default all that the sites are able to; delays and copies so late that callers have given up
/// by then, and copies at once as well; nodes and links that fail for a second and for thirty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Menu {
    pub(crate) kinds: Vec<Kind>,
    /// Whether the kinds were named by the user: each then has to strike.
    pub(crate) named: bool,
    pub(crate) delays: Vec<Duration>,
    pub(crate) copies: Vec<Duration>,
    pub(crate) outages: Vec<Duration>,
    pub(crate) steps: Vec<i64>,
}

impl Default for Menu {
    fn default() -> Self {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        Self {
            kinds: Kind::FAULTS.into(),
            named: false,
            delays: vec![s(10)],
            copies: vec![ms(1), s(10)],
            outages: vec![s(1), s(30)],
            steps: vec![3_600_000, -3_600_000],
        }
    }
}

impl Menu {
    /// Only these faults. One that no site can do, or that never strikes, fails the exploration.
    pub fn only(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let mut chosen: Vec<Kind> = kinds.into_iter().filter(|k| !k.is_nudge()).collect();
        chosen.sort_unstable();
        chosen.dedup();
        Self {
            kinds: chosen,
            named: true,
            ..Self::default()
        }
    }

    /// How late requests and replies are, each tried. Rounded down to whole milliseconds. Default
    /// 10 s.
    pub fn delays(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.delays = delays.into_iter().collect();
        self
    }

    /// How much later copies arrive, each tried. Default 1 ms and 10 s.
    pub fn copies(mut self, after: impl IntoIterator<Item = Duration>) -> Self {
        self.copies = after.into_iter().collect();
        self
    }

    /// How long nodes are paused, down or cut off, each tried. Empty: never. Default 1 s and 30 s.
    pub fn outages(mut self, outages: impl IntoIterator<Item = Duration>) -> Self {
        self.outages = outages.into_iter().collect();
        self
    }

    /// By how many milliseconds the clocks of nodes are set, each tried. Empty: never. Default an
    /// hour forward and an hour back.
    pub fn steps(mut self, ms: impl IntoIterator<Item = i64>) -> Self {
        self.steps = ms.into_iter().collect();
        self
    }

    /// Calls only: nodes and links stay as they are.
    pub fn calls_only(self) -> Self {
        self.outages([]).steps([])
    }

    /// The magnitudes that a kind is tried with.
    pub(crate) fn magnitudes(&self, kind: Kind) -> Vec<Option<Duration>> {
        match kind {
            Kind::Latency | Kind::SlowReply => self.delays.iter().copied().map(Some).collect(),
            Kind::Duplicate => self.copies.iter().copied().map(Some).collect(),
            Kind::Nudge | Kind::NudgeBack => vec![Some(Duration::from_millis(1))],
            _ => vec![None],
        }
    }
}
