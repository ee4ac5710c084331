//! [`Work`]: the state machine that carries a fate out.
//!
//! ```text
//!            wire delay        held back       readied        server delay     called
//!   call ──▶ Wire ─────────▶ HeldRequest ────▶ Ready ───────▶ Serving ───────▶ Calling ──┐
//!     │        │ refused                                                                 │
//!     │ lost   ▼                         copies                    back     held back    │
//!     │      Refusing ◀──refused─────── CopiesRun ◀──────────────── Back ◀── HeldReply ◀─┘
//!     ▼                                    │ carried                │ lost
//!   Silent ◀───────────────────────────────│────────────────────────┘
//!                                          ▼
//!                                       delivered
//! ```
//!
//! It is polled inside the caller. When the caller leaves and the fate says so, the box goes to
//! an executor as an [`Orphan`] and is polled there.

mod begin;
mod orphan;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use murphy_core::Scope;
use pin_project::pin_project;
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use crate::Leg;
use crate::abilities::Able;
use crate::book::Outcome;
use crate::effect::Keep;
use crate::fate::{End, Fate, Hold};
use crate::link;
use crate::marker::Marker;
use crate::network::{OnHold, Verdict};
use crate::run::{Passage, Receipt, SiteRun, Watch};
use crate::turnstile::{Ticket, Turnstile};

pub(crate) use begin::Carrier;
pub use orphan::Orphan;

/// One call under its fate, or one copy of it.
#[pin_project]
pub(crate) struct Work<S: Service<Req>, Req, A> {
    stage: Stage,
    role: Role,
    /// Nobody waits for the reply.
    alone: bool,
    fate: Fate,
    site: Arc<SiteRun>,
    passage: Passage,
    receipt: Receipt,
    watch: Option<Watch>,
    abilities: Arc<A>,
    service: Option<S>,
    request: Option<Req>,
    #[pin]
    call: Option<S::Future>,
    #[pin]
    timer: Option<Sleep>,
    #[pin]
    give_up: Option<Sleep>,
    ticket: Option<Ticket>,
    hold: Option<OnHold>,
    /// What the service answered, on its way back; or what is kept for the caller.
    reply: Option<Result<S::Response, S::Error>>,
    copies: Vec<Pin<Box<Work<S, Req, A>>>>,
    scope: Scope,
    span: tracing::Span,
    runtime: Option<Handle>,
    carry: Carrier<S, Req, A>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The link holds the request.
    OnHold,
    Wire,
    HeldRequest,
    Ready,
    Serving,
    Calling,
    /// The link holds the reply.
    ReplyOnHold,
    HeldReply,
    Back,
    CopiesRun,
    Refusing,
    Silent,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Original,
    Copy,
}

/// How far one poll of the original got.
enum Step<R> {
    Deliver(R),
    /// Nothing will come any more.
    Nothing,
}

impl<S, Req, A> Work<S, Req, A>
where
    S: Service<Req>,
    A: Able<Req, S::Response, S::Error>,
{
    /// Polls for the caller, who waits for ever if the message is lost.
    pub(crate) fn poll_for_caller(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        self.as_mut().poll_copies(cx);
        let reply = match self.as_mut().poll_original(cx) {
            Poll::Ready(Step::Deliver(reply)) => reply,
            // ## Silent => Silent. Nobody is woken: as on a real network, only the caller's own
            // deadline ends the wait for a lost message, or what the fault gives up by.
            Poll::Ready(Step::Nothing) | Poll::Pending => ready!(self.as_mut().poll_give_up(cx)),
        };
        let this = self.project();
        if let Some(watch) = this.watch {
            watch.saw(match &reply {
                Ok(response) => this.abilities.failed(response),
                Err(_) => true,
            });
        }
        Poll::Ready(reply)
    }

    /// Polls without a caller: ready when all is done that must be.
    fn poll_alone(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.as_mut().poll_copies(cx);
        if self.stage != Stage::Done {
            ready!(self.as_mut().poll_original(cx));
            *self.as_mut().project().stage = Stage::Done;
        }
        if self.copies.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_original(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Step<Result<S::Response, S::Error>>> {
        // The place of a message that was let go: the next in line departs when this one has reached
        // the service, or waits for something else.
        let mut _place = None;
        loop {
            let mut this = self.as_mut().project();
            match *this.stage {
                Stage::OnHold => {
                    let verdict = match this.hold {
                        Some(hold) => ready!(hold.poll(cx)),
                        None => Verdict::Carries,
                    };
                    _place = this.hold.take();
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
                        continue;
                    }
                    self.lose_request();
                    return Poll::Ready(Step::Nothing);
                }
                Stage::Wire => {
                    ready!(wait(this.timer.as_mut(), cx));
                    // ## Wire => HeldRequest. The message has covered its way.
                    *this.ticket = hold(&this.site.requests, this.fate.hold_request, this.timer);
                    *this.stage = Stage::HeldRequest;
                }
                Stage::HeldRequest => {
                    ready!(held(this.ticket, this.timer.as_mut(), cx));
                    if this.fate.request == End::Refused {
                        // ## HeldRequest => Refusing. It never reaches the service.
                        *this.stage = Stage::Refusing;
                        continue;
                    }
                    // ## HeldRequest => Ready. It arrives, and asks for an instance of its own.
                    if *this.role == Role::Original {
                        pass(&this.site.requests);
                    }
                    *this.stage = Stage::Ready;
                }
                Stage::Ready => {
                    let Some(service) = this.service.as_mut() else {
                        return Poll::Ready(Step::Nothing);
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
                                    return Poll::Ready(Step::Nothing);
                                }
                                this.receipt.settle(Outcome::Delivered);
                                return Poll::Ready(Step::Deliver(Err(e)));
                            }
                        }
                        None => {
                            *this.service = None;
                            panicked(this.receipt, this.site, this.passage);
                        }
                    }
                    this.timer.set(delay(this.fate.server));
                    *this.stage = Stage::Serving;
                }
                Stage::Serving => {
                    ready!(wait(this.timer.as_mut(), cx));
                    // ## Serving => Calling. The instance was readied for this call.
                    if let (Some(mut service), Some(request)) =
                        (this.service.take(), this.request.take())
                    {
                        let unseen = unseen(*this.role, this.fate);
                        match guarded(unseen, || service.call(request)) {
                            Some(call) => this.call.set(Some(call)),
                            None => panicked(this.receipt, this.site, this.passage),
                        }
                    }
                    *this.stage = Stage::Calling;
                }
                Stage::Calling => {
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
                    // ## Calling => HeldReply. The work is done; the rest is the way back.
                    this.call.set(None);
                    if *this.role == Role::Copy || *this.alone || this.fate.reply == End::Lost {
                        this.receipt.settle(Outcome::Ran);
                    }
                    // Of a copy the caller may want the reply, and that has to depart as well.
                    let unwanted = *this.role == Role::Copy && this.fate.keep == Keep::First;
                    if unwanted || *this.alone {
                        *this.stage = Stage::Done;
                        return Poll::Ready(this.reply.take().map_or(Step::Nothing, Step::Deliver));
                    }
                    *this.stage = Stage::ReplyOnHold;
                    if let (Some(link), End::Carried | End::Refused) =
                        (this.site.link(), this.fate.reply)
                    {
                        match link.depart(Leg::Reply) {
                            Ok(Verdict::Carries) => {}
                            Ok(way) => self.as_mut().cut_reply(way),
                            Err(hold) => {
                                let noted =
                                    note(this.site, this.passage, Verdict::Holds, Leg::Reply);
                                this.receipt.add(noted);
                                *this.hold = Some(hold);
                            }
                        }
                    }
                }
                Stage::ReplyOnHold => {
                    if *this.alone {
                        // ## ReplyOnHold => Done. A copy's: nobody waits for it any more.
                        *this.hold = None;
                        *this.stage = Stage::Done;
                        return Poll::Ready(Step::Nothing);
                    }
                    if let Some(hold) = this.hold {
                        let verdict = ready!(hold.poll(cx));
                        _place = this.hold.take();
                        if verdict != Verdict::Carries {
                            // ## ReplyOnHold => Silent, by way of Back. It was let go, into a cut.
                            self.as_mut().cut_reply(verdict);
                        }
                    }
                    let this = self.as_mut().project();
                    if *this.role == Role::Copy {
                        *this.stage = Stage::Done;
                        let reply = this.reply.take().filter(|_| this.fate.reply != End::Lost);
                        return Poll::Ready(reply.map_or(Step::Nothing, Step::Deliver));
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
                }
                Stage::HeldReply => {
                    ready!(held(this.ticket, this.timer.as_mut(), cx));
                    this.timer.set(delay(this.fate.back));
                    *this.stage = Stage::Back;
                }
                Stage::Back => {
                    ready!(wait(this.timer.as_mut(), cx));
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
                }
                Stage::CopiesRun => {
                    if this.fate.keep == Keep::Last && !this.copies.is_empty() {
                        return Poll::Pending;
                    }
                    // ## CopiesRun => Done. The lie is in the reply that the caller sees, whosever
                    // it is.
                    if let (Some(draw), Some(Ok(reply))) =
                        (this.fate.alter_reply, this.reply.as_mut())
                    {
                        this.abilities.alter_reply(reply, draw);
                    }
                    *this.stage = Stage::Done;
                    this.receipt.settle(Outcome::Delivered);
                    return Poll::Ready(this.reply.take().map_or(Step::Nothing, Step::Deliver));
                }
                Stage::Refusing => {
                    *this.stage = Stage::Done;
                    this.receipt.settle(Outcome::Refused);
                    let rule = this.fate.refused_by();
                    let refusal = rule.and_then(|rule| self.refusal(rule));
                    return Poll::Ready(refusal.map_or(Step::Nothing, Step::Deliver));
                }
                Stage::Silent | Stage::Done => return Poll::Ready(Step::Nothing),
            }
        }
    }

    /// Lets copies run beside the original. The last reply is kept, if that is the one wanted.
    fn poll_copies(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let this = self.project();
        let keep_last = this.fate.keep == Keep::Last && this.fate.reply == End::Carried;
        this.copies
            .retain_mut(|copy| match copy.as_mut().poll_original(cx) {
                Poll::Pending => true,
                Poll::Ready(Step::Deliver(reply)) => {
                    // Only what comes after the original's own reply is later than it.
                    if keep_last && *this.stage == Stage::CopiesRun {
                        *this.reply = Some(reply);
                    }
                    false
                }
                Poll::Ready(Step::Nothing) => false,
            });
    }

    fn poll_give_up(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        let this = self.as_mut().project();
        let Some(timer) = this.give_up.as_pin_mut() else {
            return Poll::Pending;
        };
        ready!(timer.poll(cx));
        let rule = this.fate.give_up().map(|bound| bound.rule);
        match rule.and_then(|rule| self.as_mut().refusal(rule)) {
            Some(refusal) => {
                self.project().give_up.set(None);
                Poll::Ready(refusal)
            }
            None => Poll::Pending,
        }
    }

    /// The message of a leg enters the queues in its way: how long until it has left them, or
    /// nothing if one was full.
    fn enter_queues(self: Pin<&mut Self>, leg: Leg) -> Option<Duration> {
        let this = self.project();
        let queues = &this.fate.queues[leg as usize];
        if queues.is_empty() || (leg == Leg::Reply && this.fate.reply == End::Lost) {
            return Some(Duration::ZERO);
        }
        let size = match (leg, &this.request, &this.reply) {
            (Leg::Request, Some(request), _) => this.abilities.request_size(request),
            (Leg::Reply, _, Some(Ok(reply))) => this.abilities.reply_size(reply),
            _ => 0,
        };
        this.site
            .enter_queues(queues, this.passage, size, this.receipt)
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

    /// The reply departs into a cut, or where no more are held.
    fn cut_reply(self: Pin<&mut Self>, way: Verdict) {
        let this = self.project();
        this.fate.reply = End::Lost;
        note(this.site, this.passage, way, Leg::Reply);
        this.receipt.settle(Outcome::Ran);
    }

    fn refusal(self: Pin<&mut Self>, rule: u8) -> Option<Result<S::Response, S::Error>> {
        let this = self.project();
        let marker: Marker = this.site.marker(rule, this.passage);
        this.abilities.refuse(&marker)
    }
}

/// Writes down what a message met that departed later than its call.
fn note(site: &SiteRun, passage: &Passage, way: Verdict, leg: Leg) -> Option<usize> {
    let (state, outcome) = link::met(way, leg);
    site.note_state(state, passage, outcome)
}

/// The service panicked where no caller can see it.
fn panicked(receipt: &mut Receipt, site: &SiteRun, passage: &Passage) {
    receipt.settle(Outcome::Panicked);
    tracing::error!(
        target: "murphy::fault",
        site = &**site.name(),
        ordinal = passage.ordinal,
        "fault.panicked"
    );
}

/// Whether the caller cannot see how the work ends.
fn unseen(role: Role, fate: &Fate) -> bool {
    role == Role::Copy || fate.outlives_the_caller()
}

/// Runs `f`, and catches its panic where nobody else would.
fn guarded<T>(catch: bool, f: impl FnOnce() -> T) -> Option<T> {
    if catch {
        catch_unwind(AssertUnwindSafe(f)).ok()
    } else {
        Some(f())
    }
}

/// A timer, unless there is nothing to wait for.
fn delay(by: Duration) -> Option<Sleep> {
    (!by.is_zero()).then(|| sleep(by))
}

fn wait(timer: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
    timer
        .as_pin_mut()
        .map_or(Poll::Ready(()), |timer| timer.poll(cx))
}

/// Holds a message back, if its fate says so and there is room. The bound is a timer.
fn hold(
    turnstile: &Option<Arc<Turnstile>>,
    hold: Option<Hold>,
    mut timer: Pin<&mut Option<Sleep>>,
) -> Option<Ticket> {
    let ticket = hold
        .zip(turnstile.as_ref())
        .and_then(|(hold, turnstile)| turnstile.hold(hold.passes));
    timer.set(
        hold.filter(|_| ticket.is_some())
            .map(|hold| sleep(hold.bound)),
    );
    ticket
}

fn held(
    ticket: &mut Option<Ticket>,
    timer: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if let Some(waiting) = ticket {
        if waiting.poll(cx).is_pending() {
            ready!(wait(timer, cx));
        }
        *ticket = None;
    }
    Poll::Ready(())
}

fn pass(turnstile: &Option<Arc<Turnstile>>) {
    if let Some(turnstile) = turnstile {
        turnstile.pass();
    }
}
