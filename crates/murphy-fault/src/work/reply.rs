//! The reply leg: held by its link, passed by later ones, on the wire.

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
    /// The work is done, and what its link is at this moment decides whether the reply departs.
    pub(super) fn depart_reply(mut self: Pin<&mut Self>) {
        let this = self.as_mut().project();
        *this.stage = Stage::ReplyOnHold;
        if let (Some(link), End::Carried | End::Refused) = (this.site.link(), this.fate.reply) {
            match link.depart(Leg::Reply) {
                Ok(Verdict::Carries) => {}
                Ok(way) => self.as_mut().cut_reply(way),
                Err(hold) => {
                    let noted = note(this.site, this.passage, Verdict::Holds, Leg::Reply);
                    this.receipt.add(noted);
                    *this.hold = Some(hold);
                }
            }
        }
    }

    /// The link holds the reply.
    pub(super) fn reply_on_hold(
        mut self: Pin<&mut Self>,
        place: &mut Option<OnHold>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let this = self.as_mut().project();
        if *this.alone {
            // ## ReplyOnHold => Done. A copy's: nobody waits for it any more.
            *this.hold = None;
            *this.stage = Stage::Done;
            return Poll::Ready(Some(Step::Nothing));
        }
        if let Some(hold) = this.hold {
            let verdict = ready!(hold.poll(cx));
            *place = this.hold.take();
            if verdict != Verdict::Carries {
                // ## ReplyOnHold => Silent, by way of Back. It was let go, into a cut.
                self.as_mut().cut_reply(verdict);
            }
        }
        let this = self.as_mut().project();
        if *this.role == Role::Copy {
            *this.stage = Stage::Done;
            let reply = this.reply.take().filter(|_| this.fate.reply != End::Lost);
            return Poll::Ready(Some(reply.map_or(Step::Nothing, Step::Deliver)));
        }
        // ## ReplyOnHold => HeldReply. The reply departs.
        if let Some(queued) = self.as_mut().enter_queues(Leg::Reply) {
            let this = self.as_mut().project();
            this.fate.back = this.fate.back.saturating_add(queued);
        } else {
            let this = self.as_mut().project();
            this.fate.reply = End::Lost;
            this.receipt.settle(Outcome::Ran);
        }
        let this = self.as_mut().project();
        *this.ticket = hold(&this.site.replies, this.fate.hold_reply, this.timer);
        *this.stage = Stage::HeldReply;
        Poll::Ready(None)
    }

    /// Later replies pass it.
    pub(super) fn held_reply(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let mut this = self.as_mut().project();
        ready!(held(this.ticket, this.timer.as_mut(), cx));
        this.timer.set(delay(this.fate.back));
        *this.stage = Stage::Back;
        Poll::Ready(None)
    }

    /// The reply is on its way.
    pub(super) fn back(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Polled<S::Response, S::Error> {
        let mut this = self.as_mut().project();
        ready!(wait(this.timer.as_mut(), cx));
        ready!(yields(&mut this.fate.turns[Leg::Reply as usize], cx));
        match this.fate.reply {
            // ## Back => Silent. It happened, and nobody will hear of it.
            End::Lost => {
                *this.reply = None;
                *this.stage = Stage::Silent;
            }
            // ## Back => Refusing. It happened, and the caller hears that it did not.
            End::Refused => {
                *this.reply = None;
                *this.stage = Stage::Refusing;
            }
            End::Carried => {
                pass(&this.site.replies);
                *this.stage = Stage::CopiesRun;
            }
        }
        Poll::Ready(None)
    }

    /// The reply departs into a cut, or where no more are held.
    pub(super) fn cut_reply(self: Pin<&mut Self>, way: Verdict) {
        let this = self.project();
        this.fate.reply = End::Lost;
        note(this.site, this.passage, way, Leg::Reply);
        this.receipt.settle(Outcome::Ran);
    }
}
