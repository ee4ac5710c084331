//! What a layer acts on: a classifier's verdict, and what an error of ours says whatever it was.

use std::error::Error;

use murphy_core::OwnSide;

use super::io::cause;
use super::{Attempt, Classify, Kind, RetryError, Verdict};
use crate::surface::{chain, find};
use crate::{Limited, Open, Shed, Throttled};

/// The verdict on `outcome`. What was refused here was [withheld](Kind::Withheld), and the
/// classifier only says whether it is worth another attempt. What [ended here](Kind::Ended) ended for good.
#[inline]
pub(crate) fn judge<C, Req, Res, E>(
    classify: &C,
    seen: &C::Seen,
    attempt: &Attempt,
    outcome: Result<&Res, &E>,
) -> Verdict
where
    C: Classify<Req, Res, E>,
    E: 'static,
{
    let verdict = classify.classify(seen, attempt, outcome);
    match outcome {
        Err(error) => corrected(verdict, error),
        Ok(_) => verdict,
    }
}

#[cold]
fn corrected<E: 'static>(verdict: Verdict, error: &E) -> Verdict {
    let Some(error) = cause(error) else {
        return verdict;
    };
    if is_over_here(error) && verdict != Verdict::Success {
        return Verdict::Failed(Kind::Ended);
    }
    if !is_refusal(error) {
        return verdict;
    }
    match verdict {
        Verdict::Success => Verdict::Success,
        Verdict::Retry(_) => Verdict::Retry(Kind::Withheld),
        Verdict::RetryAfter(_, wait) => Verdict::RetryAfter(Kind::Withheld, wait),
        // Nor did a peer forbid it.
        Verdict::Terminal | Verdict::Failed(_) | Verdict::Forbid => Verdict::Failed(Kind::Withheld),
    }
}

/// Whether the caller's own side ended the call, for good.
pub(super) fn is_over_here(error: &(dyn Error + 'static)) -> bool {
    find(error) == Some(&OwnSide::Ended)
}

/// Whether a policy of ours, or else the caller's own side, refused the call, and nothing of it left.
pub(super) fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    !is_of_several(error)
        && chain(error).any(|e| {
            let withheld = e.downcast_ref() == Some(&OwnSide::Withheld);
            withheld || e.is::<Shed>() || e.is::<Limited>() || e.is::<Open>() || e.is::<Throttled>()
        })
}

/// Whether it speaks of the last of several attempts: the others may have been heard.
pub(super) fn is_of_several(error: &(dyn Error + 'static)) -> bool {
    chain(error)
        .filter_map(|e| e.downcast_ref::<RetryError>()?.attempts())
        .any(|attempts| attempts > 1)
}

impl Verdict {
    /// What kind of a failure it is, where that is said.
    const fn kind(self) -> Option<Kind> {
        match self {
            Self::Failed(kind) | Self::Retry(kind) | Self::RetryAfter(kind, _) => Some(kind),
            Self::Success | Self::Terminal | Self::Forbid => None,
        }
    }

    /// The peer cannot have seen it.
    pub(crate) const fn never_left(self) -> bool {
        matches!(self.kind(), Some(Kind::NotSent | Kind::Withheld))
    }

    /// The peer was not even asked.
    pub(crate) const fn withheld(self) -> bool {
        matches!(self.kind(), Some(Kind::Withheld))
    }

    /// Of a request that must not be carried out twice: again only if it never left.
    #[cfg(feature = "http")]
    pub(crate) const fn of_once(self) -> Self {
        match self {
            Self::Retry(kind) | Self::RetryAfter(kind, _) if !self.never_left() => {
                Self::Failed(kind)
            }
            verdict => verdict,
        }
    }

    /// It was sent, and ends a call whoever else is under way.
    pub(crate) const fn is_fatal(self) -> bool {
        matches!(self, Self::Terminal | Self::Failed(_)) && !self.withheld()
    }

    /// Whether the peer failed to answer; nothing where it was not asked, or had no time to.
    pub(crate) const fn failed(self) -> Option<bool> {
        match self {
            _ if matches!(self.kind(), Some(Kind::Withheld | Kind::Ended)) => None,
            _ if matches!(self.kind(), Some(Kind::Conflict)) => Some(false),
            Self::Success | Self::Terminal => Some(false),
            Self::Failed(_) | Self::Retry(_) | Self::RetryAfter(..) | Self::Forbid => Some(true),
        }
    }
}
