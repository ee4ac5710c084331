//! The first hook: was that a failure, and is it worth another attempt?

use std::time::Duration;

use crate::Budget;

/// Judges the outcome of an attempt.
///
/// A verdict that panics takes its call down, and nothing else: an attempt that was sent stays paid, one
/// that was not is returned.
///
/// Where the last attempt brings a *reply* that is a failure (a 503), the caller gets that reply, as
/// `Ok`; an event says why there is no further attempt.
///
/// A closure `Fn(&Attempt, Result<&Res, &E>) -> Verdict` is one; write its argument types, since
/// the layer does not know them yet. Implement the trait where the verdict needs to know the
/// request: [`see`](Self::see) keeps what it needs of it.
///
/// # Examples
///
/// ```
/// use murphy_policy::{Attempt, BoxError, Kind, RetryLayer, Verdict};
///
/// struct Reply { status: u16 }
///
/// let busy = |_: &Attempt, outcome: Result<&Reply, &BoxError>| match outcome {
///     Ok(reply) if reply.status == 503 => Verdict::Retry(Kind::Server),
///     Ok(_) => Verdict::Success,
///     Err(_) => Verdict::Retry(Kind::Transient),
/// };
/// let layer = RetryLayer::new().classify(busy);
/// ```
pub trait Classify<Req, Res, E> {
    /// What is kept of the request for the verdict, such as its method; often `()`.
    type Seen;

    /// Looks at the request before it is sent. Called once a call, whatever the attempts.
    fn see(&self, request: &Req) -> Self::Seen;

    /// Who pays for further attempts of this request; `None`, unless overridden, is the layer's own
    /// budget. Called once a call.
    #[inline]
    fn budget(&self, request: &Req) -> Option<Budget> {
        _ = request;
        None
    }

    /// The verdict on `outcome`, which `attempt` had.
    fn classify(&self, seen: &Self::Seen, attempt: &Attempt, outcome: Result<&Res, &E>) -> Verdict;
}

impl<F, Req, Res, E> Classify<Req, Res, E> for F
where
    F: Fn(&Attempt, Result<&Res, &E>) -> Verdict,
{
    type Seen = ();

    #[inline]
    fn see(&self, _: &Req) -> Self::Seen {}

    #[inline]
    fn classify(&self, (): &(), attempt: &Attempt, outcome: Result<&Res, &E>) -> Verdict {
        self(attempt, outcome)
    }
}

/// The default: every `Ok` is a success, every `Err` is transient.
///
/// It knows nothing of status codes, nor of what is safe to repeat.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyError;

impl<Req, Res, E> Classify<Req, Res, E> for AnyError {
    type Seen = ();

    #[inline]
    fn see(&self, _: &Req) -> Self::Seen {}

    #[inline]
    fn classify(&self, (): &(), _: &Attempt, outcome: Result<&Res, &E>) -> Verdict {
        match outcome {
            Ok(_) => Verdict::Success,
            Err(_) => Verdict::Retry(Kind::Transient),
        }
    }
}

/// What to do with an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It worked: hand it to the caller.
    Success,
    /// It failed and would fail again: hand it to the caller.
    Terminal,
    /// It failed, and is not to be repeated: perhaps it was done. Handed to the caller, as
    /// [`Terminal`](Self::Terminal) is; but where that says that the peer is well, and the request
    /// was not, this is a failure of the peer: a [`Breaker`](crate::Breaker) counts it.
    Failed(Kind),
    /// It failed and may work if repeated.
    Retry(Kind),
    /// As `Retry`, and the peer said how long to wait: [`Hints`](crate::Hints) says how far it is
    /// obeyed.
    RetryAfter(Kind, Duration),
    /// The peer asked not to be asked again, whatever else holds.
    Forbid,
}

/// Why an attempt failed, for whoever paces and pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Something in between: a reset, a lost connection.
    Transient,
    /// Nobody answered in time.
    Timeout,
    /// The peer has too much to do.
    Throttled,
    /// The peer failed.
    Server,
    /// The peer is well and did nothing, since something was in the way: an earlier request under the
    /// same key that is still being served, a lost race. No failure to a [`Breaker`](crate::Breaker).
    Conflict,
    /// It never left: the peer cannot have seen it, and it costs the budget nothing; nor does what
    /// follows it, until one has left. Once a call,
    /// such an attempt is repeated at once, and is not counted, as long as the replay still has a
    /// request to send. After that, and where it is said when to try again
    /// ([`RetryAfter`](Verdict::RetryAfter)), it counts as any other.
    NotSent,
    /// It was refused here, by a policy of ours or by the caller's own side
    /// ([`OwnSide::Withheld`](murphy_core::OwnSide::Withheld)): shed by a full [`Bulkhead`](crate::Bulkhead) or
    /// [`Concurrency`](crate::Concurrency), rejected by a [`Throttle`](crate::Throttle), or by a
    /// [`Breaker`](crate::Breaker) that is open. The peer was not asked: it costs the budget
    /// nothing, as `NotSent`; nobody above counts it as a failure, or at all; and a
    /// [`Hedge`](crate::Hedge) never ends with it while another request is under way. It is never
    /// repeated at once: what had no room a moment ago has none now.
    ///
    /// Whatever a [`Classify`] makes of the error, the layers (but for [`Concurrency`](crate::Concurrency), which believes it) see
    /// this in it, through a [`BoxError`](crate::BoxError) and its sources. An enum of a
    /// [`typed`](crate::BulkheadLayer::typed) layer is beyond their sight: there the verdict says so.
    Withheld,
    /// It was ended here, for good: the caller's own side says ([`OwnSide::Ended`](murphy_core::OwnSide::Ended)) that no attempt
    /// can succeed any more, as a lease does that is lost in the middle of a call. The peer may have seen it; but whether it
    /// is well nobody knows, and nobody above counts the attempt as either. Such an attempt is never repeated, and ends a
    /// [`Hedge`](crate::Hedge).
    ///
    /// The layers see it as they see what is [withheld](Self::Withheld).
    Ended,
}

/// Which attempt of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    number: u32,
    max: u32,
    /// It is the last, and can be had once more if it never leaves.
    again: bool,
}

impl Attempt {
    /// Attempt `number` of `max`, for tests of hooks. The layer counts from 1.
    #[must_use]
    pub const fn new(number: u32, max: u32) -> Self {
        Self {
            number,
            max,
            again: false,
        }
    }

    /// 1 for the first.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// How many there can be.
    #[must_use]
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// Whether none can follow. To a [`Replay`](crate::Replay) the last of all is not, as long as it
    /// would be repeated if it never left ([`Kind::NotSent`]).
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.number >= self.max && !self.again
    }

    /// The same for a replay: whether it may have to be sent once more.
    pub(crate) const fn for_replay(mut self, again: bool) -> Self {
        self.again = again && self.number >= self.max;
        self
    }

    pub(crate) const fn next(self) -> Self {
        Self {
            number: self.number.saturating_add(1),
            max: self.max,
            again: false,
        }
    }
}
