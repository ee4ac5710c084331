//! [`Work`]: the state machine that carries a fate out.
//!
//! ```text
//!          released       arrived          passed         readied        delayed
//!   call ──▶ OnHold ──▶ Wire ──▶ HeldRequest ──▶ Ready ──▶ Serving ──▶ Calling        request, served
//!     │        │ cut              │ refused                               │
//!     │ lost   ▼                  ▼                                    Draining
//!     └────▶ Silent ◀──┐       Refusing ◀──┐                              │
//!                      │ lost              │ refused                      ▼
//!          CopiesRun ◀─┴────── Back ◀──────┴─── HeldReply ◀──────── ReplyOnHold       reply, deliver
//!              ▼             arrived             passed              released
//!          delivered
//! ```
//!
//! A call begins at the first stage that its fate gives it something to do in (`begin`).
//! It is polled inside the caller. When the caller leaves and the fate says so, the box goes to
//! an executor as an [`Orphan`] and is polled there.

mod begin;
mod deliver;
mod orphan;
mod reply;
mod request;
mod served;
mod wait;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use murphy_core::Scope;
use pin_project::pin_project;
use tokio::runtime::Handle;
use tokio::time::Sleep;
use tower_service::Service;

use crate::Leg;
use crate::abilities::Able;
use crate::effect::Keep;
use crate::fate::{End, Fate};
use crate::link;
use crate::marker::Marker;
use crate::network::{OnHold, Verdict};
use crate::run::{Passage, Receipt, SiteRun, Watch};
use crate::struck::Struck;
use crate::turnstile::Ticket;

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
    /// What strikes the body of the reply that the caller gets.
    bodies: Vec<Struck>,
    /// Frames of a body that nobody will see.
    drained: u32,
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
    Draining,
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

/// What a stage comes to: the next one, or the end.
type Polled<T, E> = Poll<Option<Step<Result<T, E>>>>;

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
        let mut place = None;
        loop {
            let work = self.as_mut();
            let polled = match work.stage {
                Stage::OnHold => work.on_hold(&mut place, cx),
                Stage::Wire => work.wire(cx),
                Stage::HeldRequest => work.held_request(cx),
                Stage::Ready => work.ready(cx),
                Stage::Serving => work.serving(cx),
                Stage::Calling => work.calling(cx),
                Stage::Draining => work.draining(cx),
                Stage::ReplyOnHold => work.reply_on_hold(&mut place, cx),
                Stage::HeldReply => work.held_reply(cx),
                Stage::Back => work.back(cx),
                Stage::CopiesRun => work.copies_run(),
                Stage::Refusing => work.refusing(),
                Stage::Silent | Stage::Done => return Poll::Ready(Step::Nothing),
            };
            if let Some(step) = ready!(polled) {
                return Poll::Ready(step);
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

    fn refusal(self: Pin<&mut Self>, rule: u8) -> Option<Result<S::Response, S::Error>> {
        let this = self.project();
        let marker: Marker = this.site.marker(rule, this.passage);
        this.abilities.refuse(&marker, this.site.fault(rule)?)
    }
}

/// Writes down what a message met that departed later than its call.
fn note(site: &SiteRun, passage: &Passage, way: Verdict, leg: Leg) -> Option<usize> {
    let (state, outcome) = link::met(way, leg);
    site.note_state(state, passage, outcome)
}
