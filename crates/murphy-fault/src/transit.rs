//! [`Transit`]: a call over a link on which nothing was wrong when it left.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::Leg;
use crate::book::Outcome;
use crate::link;
use crate::network::{OnHold, Verdict};
use crate::run::{Passage, Receipt, SiteRun};

/// What a call needs to know of itself when its reply departs.
#[derive(Clone, Debug)]
pub(crate) struct Transit {
    site: Arc<SiteRun>,
    passage: Passage,
}

/// A reply whose link does not carry it.
#[derive(Debug)]
pub(crate) struct Stranded<R> {
    transit: Transit,
    /// The reply and its place in the line; nothing if it is lost.
    held: Option<(R, OnHold)>,
    receipt: Receipt,
}

impl Transit {
    #[inline]
    pub(crate) fn new(site: Arc<SiteRun>, passage: Passage) -> Self {
        Self { site, passage }
    }

    /// Whether a reply that departs now is on its way without a further look.
    #[inline]
    pub(crate) fn is_still_clear(&self) -> bool {
        self.site.is_still_clear()
    }

    /// The reply departs, on a link that something may disturb.
    #[cold]
    #[inline(never)]
    pub(crate) fn depart<R>(&self, reply: R) -> Result<R, Box<Stranded<R>>> {
        let (way, held) = match self.site.link().map(|link| link.depart(Leg::Reply)) {
            None | Some(Ok(Verdict::Carries)) => return Ok(reply),
            Some(Ok(way)) => (way, None),
            Some(Err(hold)) => (Verdict::Holds, Some((reply, hold))),
        };
        let (state, outcome) = link::met(way, Leg::Reply);
        let noted = self.site.note_state(state, &self.passage, outcome);
        Err(Box::new(Stranded {
            receipt: self.site.late_receipt(noted.filter(|_| held.is_some())),
            held,
            transit: self.clone(),
        }))
    }
}

impl<R> Stranded<R> {
    /// Ready once the link carries it. A lost reply wakes nobody: only the caller's own deadline
    /// ends the wait for it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<R> {
        let Some((_, hold)) = &self.held else {
            return Poll::Pending;
        };
        let verdict = ready!(hold.poll(cx));
        let Some((reply, _)) = self.held.take() else {
            return Poll::Pending;
        };
        if verdict == Verdict::Carries {
            // ## Stranded => delivered. The link was released, and this was the next in line.
            self.receipt.settle(Outcome::Delivered);
            return Poll::Ready(reply);
        }
        // ## Stranded => lost. It departed into a cut.
        let Transit { site, passage } = &self.transit;
        self.receipt.settle(Outcome::Ran);
        site.note_state(link::cut(Leg::Reply), passage, Outcome::Ran);
        Poll::Pending
    }
}
