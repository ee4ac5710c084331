//! How work begins, with which instance; and how it is left.

use std::pin::Pin;
use std::sync::Arc;

use murphy_core::Scope;
use tokio::runtime::Handle;
use tokio::time::sleep;
use tower_service::Service;

use super::served::{guarded, panicked, unseen};
use super::wait::{delay, pass};
use super::{Orphan, Role, Stage, Work};
use crate::Leg;
use crate::abilities::Able;
use crate::book::Outcome;
use crate::effect::Keep;
use crate::fate::{End, Fate};
use crate::network::Verdict;
use crate::run::{Judged, Passage, Receipt, SiteRun};

/// Hands work over to an executor; known where the bounds are.
pub(crate) type Carrier<S, Req, A> = fn(Orphan<S, Req, A>, Option<&Handle>);

impl<S, Req, A> Work<S, Req, A>
where
    S: Service<Req> + Clone,
    A: Able<Req, S::Response, S::Error>,
{
    /// Begins a call whose fate is known. `readied` was readied for it, and is left unreadied.
    ///
    /// A request that departs at once takes the readied instance, and so does one that keeps its
    /// server busy; any other leaves it, so that the capacity it holds is free meanwhile.
    pub(crate) fn begin(
        readied: &mut S,
        request: Req,
        copies: Vec<Option<Req>>,
        judged: Box<Judged>,
        abilities: Arc<A>,
        scope: Scope,
        carry: Carrier<S, Req, A>,
    ) -> Self {
        let Judged {
            fate,
            site,
            passage,
            receipt,
            copies: receipts,
            bodies,
            watch,
            hold,
        } = *judged;
        let runtime = Handle::try_current().ok();
        let span = tracing::Span::current();
        let blank = |role, fate: Fate, passage: Passage, receipt: Receipt| Self {
            stage: Stage::Silent,
            role,
            alone: false,
            give_up: None,
            site: Arc::clone(&site),
            passage,
            receipt,
            watch: None,
            abilities: Arc::clone(&abilities),
            service: None,
            request: None,
            call: None,
            timer: None,
            ticket: None,
            hold: None,
            reply: None,
            copies: Vec::new(),
            bodies: Vec::new(),
            drained: 0,
            scope,
            span: span.clone(),
            runtime: runtime.clone(),
            carry,
            fate,
        };
        let wire = fate.wire.saturating_sub(fate.queued);
        let copies = copies
            .into_iter()
            .zip(receipts)
            .zip(&fate.copies)
            .filter_map(|((request, mut receipt), after)| {
                let Some(request) = request else {
                    receipt.settle(Outcome::NeverRan);
                    return None;
                };
                let mut fate = Fate {
                    wire: wire.saturating_add(*after),
                    server: fate.server,
                    queues: fate.queues.clone(),
                    keep: match fate.reply {
                        End::Carried => fate.keep,
                        _ => Keep::First,
                    },
                    ..Fate::default()
                };
                // A copy is a message of its own, behind the original.
                let hold = match site.link().map(|link| link.depart(Leg::Request)) {
                    Some(Err(hold)) => Some(hold),
                    Some(Ok(Verdict::Loses | Verdict::Overflows)) => {
                        receipt.settle(Outcome::NeverRan);
                        return None;
                    }
                    _ => None,
                };
                if hold.is_none() {
                    let size = abilities.request_size(&request);
                    queue(&site, &passage, size, &mut fate, &mut receipt);
                }
                if fate.request == End::Lost {
                    receipt.settle(Outcome::NeverRan);
                    return None;
                }
                let mut copy = blank(Role::Copy, fate, passage, receipt);
                copy.hold = hold;
                copy.depart(readied.clone(), request);
                Some(Box::pin(copy))
            });
        let copies: Vec<_> = copies.collect();
        let give_up = fate.give_up().map(|bound| bound.after);
        let mut work = blank(Role::Original, fate, passage, receipt);
        work.copies = copies;
        work.bodies = bodies;
        work.watch = watch;
        work.give_up = give_up.map(sleep);
        if work.fate.request == End::Lost {
            // ## Silent. The request goes nowhere, and the instance is not used.
            *readied = readied.clone();
            work.receipt.settle(Outcome::NeverRan);
        } else if hold.is_some() {
            *readied = readied.clone();
            work.hold = hold;
            work.depart(readied.clone(), request);
        } else if work.fate.departs_at_once() {
            // ## Calling. Nothing is in the way of the request.
            pass(&work.site.requests);
            work.stage = Stage::Calling;
            match guarded(unseen(Role::Original, &work.fate), || readied.call(request)) {
                Some(call) => work.call = Some(call),
                None => panicked(&mut work.receipt, &work.site, &work.passage),
            }
        } else if work.fate.request == End::Carried
            && !work.fate.server.is_zero()
            && work.fate.wire.is_zero()
            && work.fate.hold_request.is_none()
            && work.fate.turns[Leg::Request as usize] == 0
        {
            // ## Serving. The instance stays with the call, and its capacity with the instance.
            pass(&work.site.requests);
            let spare = readied.clone();
            work.service = Some(std::mem::replace(readied, spare));
            work.request = Some(request);
            work.timer = delay(work.fate.server);
            work.stage = Stage::Serving;
        } else {
            *readied = readied.clone();
            work.depart(readied.clone(), request);
        }
        work
    }

    /// ## OnHold, or Wire. The request is on its way, and will ready an instance when it arrives.
    fn depart(&mut self, service: S, request: Req) {
        if self.fate.request == End::Carried {
            self.service = Some(service);
            self.request = Some(request);
        }
        if self.hold.is_some() {
            self.stage = Stage::OnHold;
        } else {
            self.timer = delay(self.fate.wire);
            self.stage = Stage::Wire;
        }
    }
}

/// A request that departs at once enters the queues in its way.
fn queue(site: &SiteRun, passage: &Passage, size: u64, fate: &mut Fate, receipt: &mut Receipt) {
    let queues = &fate.queues[Leg::Request as usize];
    if queues.is_empty() {
        return;
    }
    match site.enter_queues(queues, passage, size, receipt) {
        Some(queued) => fate.wire = fate.wire.saturating_add(queued),
        None => fate.request = End::Lost,
    }
}

impl<S: Service<Req>, Req, A> Work<S, Req, A> {
    #[cold]
    #[inline(never)]
    /// The caller has left. What must be done without it goes to the executor, the rest ends here.
    pub(crate) fn leave(mut work: Pin<Box<Self>>) {
        let mut this = work.as_mut().project();
        *this.alone = true;
        *this.watch = None;
        this.give_up.set(None);
        if this.fate.outlives_the_caller()
            && !matches!(this.stage, Stage::Silent | Stage::Refusing | Stage::Done)
        {
            this.receipt.outlive();
            if matches!(
                this.stage,
                Stage::ReplyOnHold | Stage::HeldReply | Stage::Back
            ) {
                this.receipt.settle(Outcome::Ran);
                *this.stage = Stage::Done;
            }
        } else {
            // Ends here: what is left of it is a ledger line.
            this.receipt.settle(match this.stage {
                Stage::Silent => Outcome::NeverRan,
                Stage::ReplyOnHold => Outcome::Ran,
                _ => Outcome::CallerLeft,
            });
            *this.stage = Stage::Done;
            this.call.set(None);
            *this.service = None;
            *this.request = None;
            *this.ticket = None;
            *this.hold = None;
        }
        for copy in this.copies.iter_mut() {
            let copy = copy.as_mut().project();
            *copy.alone = true;
            copy.receipt.outlive();
        }
        if *this.stage != Stage::Done || !this.copies.is_empty() {
            let carry = *this.carry;
            let runtime = this.runtime.take();
            carry(Orphan(work), runtime.as_ref());
        }
    }
}
