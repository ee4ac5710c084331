//! The request leg: held by its link, on the wire, passed by later ones.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tower_service::Service;

use super::wait::{delay, held, hold, pass, wait, yields};
use super::{Polled, Role, Stage, Step, Work, note};
use crate::Leg;
use crate::abilities::Able;
use crate::book::Outcome;
use crate::fate::End;
use crate::network::{OnHold, Verdict};

impl<S, Req, A> Work<S, Req, A>
where
    S: Service<Req>,
    A: Able<Req, S::Response, S::Error>,
{
    /// The link holds the request.
    pub(super) fn on_hold(
        mut self: Pin<&mut Self>,
        place: &mut Option<OnHold>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let this = self.as_mut().project();
        let verdict = match this.hold {
            Some(hold) => ready!(hold.poll(cx)),
            None => Verdict::Carries,
        };
        *place = this.hold.take();
        if verdict == Verdict::Loses {
            // ## OnHold => Silent. It was let go, into a cut.
            let noted = note(this.site, this.passage, verdict, Leg::Request);
            this.receipt.add(noted);
        } else if let Some(queued) = self.as_mut().enter_queues(Leg::Request) {
            // ## OnHold => Wire. The message departs, after those before it.
            let mut this = self.as_mut().project();
            this.fate.wire = this.fate.wire.saturating_add(queued);
            this.timer.set(delay(this.fate.wire));
            *this.stage = Stage::Wire;
            return Poll::Ready(None);
        }
        self.lose_request();
        Poll::Ready(Some(Step::Nothing))
    }

    /// The request is on its way.
    pub(super) fn wire(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let mut this = self.as_mut().project();
        ready!(wait(this.timer.as_mut(), cx));
        ready!(yields(&mut this.fate.turns[Leg::Request as usize], cx));
        // ## Wire => HeldRequest. The message has covered its way.
        *this.ticket = hold(&this.site.requests, this.fate.hold_request, this.timer);
        *this.stage = Stage::HeldRequest;
        Poll::Ready(None)
    }

    /// Later requests pass it.
    pub(super) fn held_request(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let mut this = self.as_mut().project();
        ready!(held(this.ticket, this.timer.as_mut(), cx));
        if this.fate.request == End::Refused {
            // ## HeldRequest => Refusing. It never reaches the service.
            *this.stage = Stage::Refusing;
            return Poll::Ready(None);
        }
        // ## HeldRequest => Ready. It arrives, and asks for an instance of its own.
        if *this.role == Role::Original {
            pass(&this.site.requests);
        }
        *this.stage = Stage::Ready;
        Poll::Ready(None)
    }

    /// The request goes nowhere after all.
    fn lose_request(self: Pin<&mut Self>) {
        let this = self.project();
        this.fate.request = End::Lost;
        *this.service = None;
        *this.request = None;
        this.receipt.settle(Outcome::NeverRan);
        *this.stage = Stage::Silent;
    }
}
