//! At the service: readied, called, and heard to the end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tower_service::Service;

use super::wait::{delay, wait};
use super::{Polled, Role, Stage, Step, Work};
use crate::abilities::Able;
use crate::book::Outcome;
use crate::effect::Keep;
use crate::fate::{End, Fate};
use crate::run::{Passage, Receipt, SiteRun};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<S, Req, A> Work<S, Req, A>
where
    S: Service<Req>,
    A: Able<Req, S::Response, S::Error>,
{
    /// It has arrived, and an instance is readied for it.
    pub(super) fn ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let mut this = self.as_mut().project();
        let Some(service) = this.service.as_mut() else {
            return Poll::Ready(Some(Step::Nothing));
        };
        let unseen = unseen(*this.role, this.fate);
        match guarded(unseen, || service.poll_ready(cx)) {
            Some(readied) => {
                if let Err(e) = ready!(readied) {
                    // ## Ready => Done. The service is broken, and says so to whoever
                    // is there.
                    *this.stage = Stage::Done;
                    if *this.role == Role::Copy || *this.alone {
                        this.receipt.settle(Outcome::NeverRan);
                        return Poll::Ready(Some(Step::Nothing));
                    }
                    this.receipt.settle(Outcome::Delivered);
                    return Poll::Ready(Some(Step::Deliver(Err(e))));
                }
            }
            None => {
                *this.service = None;
                panicked(this.receipt, this.site, this.passage);
            }
        }
        this.timer.set(delay(this.fate.server));
        *this.stage = Stage::Serving;
        Poll::Ready(None)
    }

    /// A slow server keeps its instance busy.
    pub(super) fn serving(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let mut this = self.as_mut().project();
        ready!(wait(this.timer.as_mut(), cx));
        // ## Serving => Calling. The instance was readied for this call.
        if let (Some(mut service), Some(request)) = (this.service.take(), this.request.take()) {
            let unseen = unseen(*this.role, this.fate);
            match guarded(unseen, || service.call(request)) {
                Some(call) => this.call.set(Some(call)),
                None => panicked(this.receipt, this.site, this.passage),
            }
        }
        *this.stage = Stage::Calling;
        Poll::Ready(None)
    }

    /// The service works.
    pub(super) fn calling(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let mut this = self.as_mut().project();
        if let Some(call) = this.call.as_mut().as_pin_mut() {
            let unseen = unseen(*this.role, this.fate);
            match guarded(unseen, || call.poll(cx)) {
                Some(reply) => *this.reply = Some(ready!(reply)),
                None => {
                    this.call.set(None);
                    panicked(this.receipt, this.site, this.passage);
                }
            }
        }
        // ## Calling => Draining. The work is done, and its head is here.
        this.call.set(None);
        *this.stage = Stage::Draining;
        Poll::Ready(None)
    }

    /// The body of a reply that nobody hears is sent to its end.
    pub(super) fn draining(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let this = self.as_mut().project();
        let unheard = *this.alone
            || this.fate.reply != End::Carried
            || (*this.role == Role::Copy && this.fate.keep == Keep::First);
        if let (true, Some(Ok(reply))) = (unheard, this.reply.as_mut()) {
            let drain = || this.abilities.poll_drain(reply, this.drained, cx);
            match guarded(true, drain) {
                Some(drained) => {
                    if !ready!(drained) {
                        this.receipt.settle(Outcome::Cut);
                    }
                }
                None => panicked(this.receipt, this.site, this.passage),
            }
            // ## Draining => HeldReply. A body that nobody hears was sent to its end.
        }
        if *this.role == Role::Copy || *this.alone || this.fate.reply == End::Lost {
            this.receipt.settle(Outcome::Ran);
        }
        // Of a copy the caller may want the reply, and that has to depart as well.
        let unwanted = *this.role == Role::Copy && this.fate.keep == Keep::First;
        if unwanted || *this.alone {
            *this.stage = Stage::Done;
            return Poll::Ready(Some(this.reply.take().map_or(Step::Nothing, Step::Deliver)));
        }
        // ## Draining => ReplyOnHold. The reply departs, if its link carries it.
        self.depart_reply();
        Poll::Ready(None)
    }
}

/// The service panicked where no caller can see it.
pub(super) fn panicked(receipt: &mut Receipt, site: &SiteRun, passage: &Passage) {
    receipt.settle(Outcome::Panicked);
    tracing::error!(
        target: "murphy::fault",
        site = &**site.name(),
        ordinal = passage.ordinal,
        "fault.panicked"
    );
}

/// Whether the caller cannot see how the work ends.
pub(super) fn unseen(role: Role, fate: &Fate) -> bool {
    role == Role::Copy || fate.outlives_the_caller()
}

/// Runs `f`, and catches its panic where nobody else would.
pub(super) fn guarded<T>(catch: bool, f: impl FnOnce() -> T) -> Option<T> {
    if catch {
        catch_unwind(AssertUnwindSafe(f)).ok()
    } else {
        Some(f())
    }
}
