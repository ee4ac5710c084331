//! Faults of streaming bodies, and faults that a request asks for.

use super::Fault;
use crate::effect::{After, BodyFault, Effect};
use crate::{Leg, Select};

impl Fault {
    /// The body stops coming after so much of it; nobody is told. Needs
    /// `.http()`. [`giving_up`](Self::giving_up) bounds the silence.
    #[must_use]
    pub fn stalled_body(leg: Leg, after: After, select: impl Into<Select>) -> Self {
        let what = BodyFault::Stall;
        Self::new(Effect::Body { leg, what, after }, select)
    }

    /// The body ends after so much of it, as if that were all. Needs
    /// `.http()`. Who can tell: see [`BodyFault`].
    #[must_use]
    pub fn truncated_body(leg: Leg, after: After, select: impl Into<Select>) -> Self {
        let what = BodyFault::Truncate;
        Self::new(Effect::Body { leg, what, after }, select)
    }

    /// The body fails after so much of it, as if the connection broke. Needs
    /// `.http()`.
    #[must_use]
    pub fn reset_body(leg: Leg, after: After, select: impl Into<Select>) -> Self {
        let what = BodyFault::Reset;
        Self::new(Effect::Body { leg, what, after }, select)
    }

    /// The body arrives whole, its trailers do not: of a gRPC reply, the status. Needs
    /// `.http()`.
    #[must_use]
    pub fn lost_trailers(leg: Leg, select: impl Into<Select>) -> Self {
        Self::new(Effect::LoseTrailers(leg), select)
    }

    /// Strikes only requests that ask for it: whose header
    /// [`x-murphy-fault`](crate::REQUESTED_BY) lists the fault's name. Needs
    /// `.http()`.
    ///
    /// ```text
    /// x-murphy-fault: slow;delay=200ms;chance=50%, outage
    /// ```
    ///
    /// A header can only make a fault rarer (`chance`) and shorter (`delay`): selection and
    /// magnitude of the fault are the caps, and without a fault that is requested here a header
    /// does nothing. What cannot be read is ignored, and counted
    /// ([`Summary::malformed`](crate::Summary::malformed)).
    #[must_use]
    pub fn requested(mut self) -> Self {
        self.narrow.requested = true;
        self
    }
}
