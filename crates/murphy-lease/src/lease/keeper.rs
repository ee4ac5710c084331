//! [`Keeper`]: who keeps a lease, in a task of its own. It renews it, says that it is lost, and gives it back.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_core::clock::Sleep;
use tokio::sync::oneshot;
use tokio::task::unconstrained;
use tokio::time::Instant;

use super::charge::Charge;
use super::shared::Shared;
use crate::ask::{Asked, LeaseStore, ask};
use crate::machine::{Machine, Todo};
use crate::release::{NotReleased, Paid};
use crate::validity::Validity;
use crate::{LeaseReply, LeaseRequest, Renew, Why, event};

/// Where the answer to a release goes.
pub(crate) type Answer = oneshot::Sender<Result<Paid, NotReleased>>;

/// A keeper at work.
pub(super) struct Keeper<S> {
    charge: Charge<S>,
    machine: Machine,
    /// When the last renewal left.
    sent: Instant,
}

/// The guard's word: release it. Dropped with the guard.
pub(super) type Orders = oneshot::Receiver<Answer>;

/// Word from the store that it is over.
type Over = Pin<Box<dyn Future<Output = ()> + Send>>;

enum Woke<E> {
    Told(Option<Answer>),
    Replied(Result<LeaseReply, E>),
    Over,
    Nudged,
    Due,
}

impl<S: LeaseStore> Keeper<S> {
    pub(super) const fn new(charge: Charge<S>, machine: Machine, sent: Instant) -> Self {
        Self {
            charge,
            machine,
            sent,
        }
    }

    pub(super) async fn run(mut self, mut orders: Orders) {
        let told = self.hold(&mut orders).await;
        // From here on it is lost, and no renewal is under way when it is given back.
        let answer = match told {
            Some(answer) => answer,
            None => orders.await.ok(),
        };
        let now = self.charge.owed.settings.clock.now();
        let paid = match self.charge.due(now) {
            Ok(mut release) => Some(release.run(now).await),
            Err(ended) => ended.map(Err),
        };
        if let (Some(answer), Some(paid)) = (answer, paid) {
            // Who asked may have left.
            let _ = answer.send(paid);
        }
    }

    /// Until it is lost, or the guard has done with it.
    async fn hold(&mut self, orders: &mut Orders) -> Option<Option<Answer>> {
        let mut call: Option<Asked<S::Error>> = None;
        let mut timer = Timer::default();
        let watch = self.charge.owed.settings.watch.as_ref();
        let mut over = watch.map(|watch| watch.over(&self.charge.shared.token));
        loop {
            let now = self.charge.shared.clock.now();
            self.hear(now);
            match self.machine.todo(now) {
                Todo::Stop(why) => {
                    self.charge.shared.lose(why);
                    return None;
                }
                Todo::Warn => self.charge.shared.warn(),
                Todo::Renew => call = Some(self.renew(now)),
                Todo::GiveUp => {
                    call = None;
                    self.failed(now, &"no answer");
                }
                Todo::Wait(_) if self.moves_again() => {}
                Todo::Wait(at) => match self
                    .wait(
                        orders,
                        &mut call,
                        &mut over,
                        timer.at(&self.charge.shared, at),
                    )
                    .await
                {
                    Woke::Told(answer) => {
                        self.machine.lose(Why::Released);
                        return Some(answer);
                    }
                    Woke::Replied(reply) => {
                        call = None;
                        self.replied(reply);
                    }
                    Woke::Over => {
                        over = None;
                        self.machine.lose(Why::Refused);
                    }
                    Woke::Nudged | Woke::Due => {}
                },
            }
        }
    }

    /// What handles of the lease have said since.
    fn hear(&mut self, now: Instant) {
        if self.charge.shared.is_watched {
            self.machine.progressed(self.charge.shared.progressed());
        }
        if self.charge.shared.is_wished.swap(false, Ordering::AcqRel) {
            self.machine.progressed(now);
            self.machine.wish(now);
        }
    }

    /// Whether the work that stood still has moved meanwhile. What moves after the flag is set nudges.
    fn moves_again(&mut self) -> bool {
        let is_stalled = self.charge.shared.is_watched && self.machine.is_stalled();
        self.charge
            .shared
            .is_stalled
            .store(is_stalled, Ordering::SeqCst);
        self.machine.progressed(self.charge.shared.progressed());
        is_stalled && !self.machine.is_stalled()
    }

    fn renew(&mut self, now: Instant) -> Asked<S::Error> {
        self.machine.sent(now);
        self.sent = now;
        // It may be heard as late as it is given up, or later; its answer too.
        let ttl = self.charge.ttl.get();
        self.charge.ends = self.charge.ends.max(now + ttl / 6 + ttl);
        let token = &self.charge.shared.token;
        let renew = Renew {
            lock: token.lock().clone(),
            nonce: token.nonce(),
            rank: token.rank(),
            ttl: self.charge.ttl,
        };
        ask(&self.charge.store, LeaseRequest::Renew(renew))
    }

    fn replied(&mut self, reply: Result<LeaseReply, S::Error>) {
        let now = self.charge.shared.clock.now();
        match reply {
            Ok(LeaseReply::Renewed { ttl }) if Validity::is_sane(ttl) => self.renewed(now, ttl),
            Ok(LeaseReply::NotHolder { .. }) => self.machine.lose(Why::Refused),
            Ok(reply) => self.failed(now, &format_args!("the store answered {reply:?}")),
            Err(e) => self.failed(now, &e),
        }
    }

    fn renewed(&mut self, now: Instant, ttl: Duration) {
        if !self.machine.renewed(now, ttl) {
            return;
        }
        if self.charge.shared.extend(self.sent, self.machine.until()) {
            event::renewed(
                &self.charge.shared.site,
                &self.charge.shared.token,
                self.charge.shared.remaining(),
            );
        } else {
            // Somebody looked at the clock before us, and was told that it is lost.
            self.machine.lose(Why::Expired);
        }
    }

    fn failed(&mut self, now: Instant, why: &dyn fmt::Display) {
        self.machine.failed(now);
        let (site, token) = (&self.charge.shared.site, &self.charge.shared.token);
        event::renewal_failed(site, token, self.charge.shared.remaining(), why);
    }

    async fn wait(
        &mut self,
        orders: &mut Orders,
        call: &mut Option<Asked<S::Error>>,
        over: &mut Option<Over>,
        due: &mut Sleep,
    ) -> Woke<S::Error> {
        let shared = Arc::clone(&self.charge.shared.0);
        let mut nudged = pin!(shared.nudge.notified());
        poll_fn(|cx| {
            if let Poll::Ready(told) = Pin::new(&mut *orders).poll(cx) {
                return Poll::Ready(Woke::Told(told.ok()));
            }
            if let Some(Poll::Ready(reply)) = call.as_mut().map(|call| call.as_mut().poll(cx)) {
                return Poll::Ready(Woke::Replied(reply));
            }
            if let Some(Poll::Ready(())) = over.as_mut().map(|over| over.as_mut().poll(cx)) {
                return Poll::Ready(Woke::Over);
            }
            if nudged.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woke::Nudged);
            }
            poll_due(due, cx)
        })
        .await
    }
}

fn poll_due<E>(due: &mut Sleep, cx: &mut Context<'_>) -> Poll<Woke<E>> {
    // A call that uses up the task's budget each time that it is polled does not hold up the end of the lease.
    Pin::new(&mut unconstrained(due))
        .poll(cx)
        .map(|()| Woke::Due)
}

/// One timer, set anew only where its time has changed.
#[derive(Default)]
struct Timer(Option<(Instant, Sleep)>);

impl Timer {
    fn at(&mut self, shared: &Shared, at: Instant) -> &mut Sleep {
        if self.0.as_ref().is_none_or(|(set, _)| *set != at) {
            self.0 = None;
        }
        let (_, sleep) = self
            .0
            .get_or_insert_with(|| (at, shared.clock.sleep_until(at)));
        sleep
    }
}
