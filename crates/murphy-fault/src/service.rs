//! [`FaultService`]: the one service that carries out every fate.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use murphy_core::{Key, Point, Scope};
use tokio::runtime::Handle;
use tower_service::Service;

use crate::Leg;
use crate::abilities::{Abilities, Able};
use crate::carry::Carry;
use crate::future::ResponseFuture;
use crate::run::{Asked, Judged, Passage};
use crate::seat::Seat;
use crate::transit::Transit;
use crate::work::{Orphan, Work};

/// A service whose calls pass a site. Made by [`FaultLayer`](crate::FaultLayer).
pub struct FaultService<S, A = Abilities> {
    inner: S,
    seat: Seat,
    abilities: Arc<A>,
}

impl<S, A> FaultService<S, A> {
    pub(crate) fn new(inner: S, seat: Seat, abilities: Arc<A>) -> Self {
        Self {
            inner,
            seat,
            abilities,
        }
    }

    /// The service beneath.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service beneath, out again without a trace.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// The armed path. Each step that is rare ends in a call of its own, with nothing left to do after
/// it: so the common one keeps few registers, and the disarmed one stays small.
impl<S, A> FaultService<S, A> {
    #[inline(never)]
    fn call_armed<Req>(&mut self, version: u64, request: Req) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        match self.seat.quick(version) {
            Some(_) => self.count(request),
            None if self.seat.linked(version).is_some() => self.call_linked(request),
            None => self.call_unsure(version, request),
        }
    }

    /// Counts a call over a link, and lets it pass if no gate opens and nothing disturbs the link.
    #[inline(never)]
    fn call_linked<Req>(&mut self, request: Req) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        let Some(run) = self.seat.seated() else {
            return ResponseFuture::passing(self.inner.call(request));
        };
        let ordinal = run.next_ordinal();
        match self.abilities.key(&request) {
            Some(key) => self.call_linked_keyed(ordinal, key, request),
            None if run.opens(Point::positional(ordinal)) || !run.is_still_clear() => {
                self.call_judged(Passage::positional(ordinal), request)
            }
            None => {
                let inner = self.inner.call(request);
                let transit = Transit::new(Arc::clone(run), Passage::positional(ordinal));
                ResponseFuture::linked(inner, transit)
            }
        }
    }

    #[inline(never)]
    fn call_linked_keyed<Req>(
        &mut self,
        ordinal: u64,
        key: Key,
        request: Req,
    ) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        let Some(run) = self.seat.seated() else {
            return ResponseFuture::passing(self.inner.call(request));
        };
        let passage = Passage::keyed(ordinal, key, run.next_occurrence(key));
        if run.opens(passage.point()) || !run.is_still_clear() {
            return self.call_judged(passage, request);
        }
        let inner = self.inner.call(request);
        ResponseFuture::linked(inner, Transit::new(Arc::clone(run), passage))
    }

    /// The run has changed, or spares some requests.
    #[cold]
    #[inline(never)]
    fn call_unsure<Req>(&mut self, version: u64, request: Req) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        let abilities = Arc::clone(&self.abilities);
        match self.seat.look_up(version) {
            Some(run) if !run.excludes(|word| abilities.is(&request, word)) => {
                if run.link().is_some() {
                    self.call_linked(request)
                } else {
                    self.count(request)
                }
            }
            // Disarmed meanwhile, or spared.
            _ => ResponseFuture::passing(self.inner.call(request)),
        }
    }

    /// Counts the call and lets it pass, if no gate opens.
    #[inline(always)]
    fn count<Req>(&mut self, request: Req) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        let Some(run) = self.seat.seated() else {
            return ResponseFuture::passing(self.inner.call(request));
        };
        let ordinal = run.next_ordinal();
        match self.abilities.key(&request) {
            Some(key) => self.call_keyed(ordinal, key, request),
            None if run.opens(Point::positional(ordinal)) => {
                self.call_judged(Passage::positional(ordinal), request)
            }
            None => ResponseFuture::passing(self.inner.call(request)),
        }
    }

    #[inline(never)]
    fn call_keyed<Req>(&mut self, ordinal: u64, key: Key, request: Req) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        let Some(run) = self.seat.seated() else {
            return ResponseFuture::passing(self.inner.call(request));
        };
        let occurrence = run.next_occurrence(key);
        if run.opens(Point::keyed(key, occurrence)) {
            return self.call_judged(Passage::keyed(ordinal, key, occurrence), request);
        }
        ResponseFuture::passing(self.inner.call(request))
    }

    /// Some gate is open: decides, and begins the call under its fate.
    #[cold]
    #[inline(never)]
    fn call_judged<Req>(&mut self, passage: Passage, request: Req) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        let malformed = Cell::new(false);
        let asked = Asked {
            able: A::OFFERED,
            in_runtime: Handle::try_current().is_ok(),
            is: &|word| self.abilities.is(&request, word),
            size: &|| self.abilities.request_size(&request),
            wants: &|fault| {
                let asking = self.abilities.asking(&request, fault);
                malformed.set(malformed.get() || asking.malformed);
                asking.wanted
            },
        };
        let Some(run) = self.seat.seated() else {
            return ResponseFuture::passing(self.inner.call(request));
        };
        let judged = run.decide(passage, &asked);
        run.note_malformed(malformed.get());
        match judged {
            Some(judged) => self.begin(judged, request),
            None if run.link().is_some() => {
                let transit = Transit::new(Arc::clone(run), passage);
                ResponseFuture::linked(self.inner.call(request), transit)
            }
            None => ResponseFuture::passing(self.inner.call(request)),
        }
    }

    fn begin<Req>(&mut self, mut judged: Box<Judged>, mut request: Req) -> ResponseFuture<S, Req, A>
    where
        S: Service<Req> + Clone,
        A: Able<Req, S::Response, S::Error>,
        A::Carrier: Carry<Orphan<S, Req, A>>,
    {
        let scope = Scope::current();
        let copies = judged
            .fate
            .copies
            .iter()
            .map(|_| self.abilities.copy(&request))
            .collect();
        if let Some(draw) = judged.fate.alter_request {
            self.abilities.alter_request(&mut request, draw);
        }
        let bodies = std::mem::take(&mut judged.bodies).into_iter();
        let (sent, kept): (Vec<_>, Vec<_>) = bodies.partition(|b| b.leg == Leg::Request);
        judged.bodies = kept;
        if !sent.is_empty() {
            request = self.abilities.strike_request(request, sent);
        }
        let abilities = Arc::clone(&self.abilities);
        let carry = |orphan: Orphan<S, Req, A>, runtime: Option<&Handle>| {
            A::Carrier::carry(orphan, runtime)
        };
        let work = Work::begin(
            &mut self.inner,
            request,
            copies,
            judged,
            abilities,
            scope,
            carry,
        );
        ResponseFuture::fated(Box::pin(work))
    }
}

impl<S, A, Req> Service<Req> for FaultService<S, A>
where
    S: Service<Req> + Clone,
    A: Able<Req, S::Response, S::Error>,
    A::Carrier: Carry<Orphan<S, Req, A>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, A>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let version = self.seat.version();
        if version != 0 {
            return self.call_armed(version, request);
        }
        ResponseFuture::passing(self.inner.call(request))
    }
}

impl<S: Clone, A> Clone for FaultService<S, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            seat: self.seat.clone(),
            abilities: Arc::clone(&self.abilities),
        }
    }
}

impl<S: fmt::Debug, A> fmt::Debug for FaultService<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultService")
            .field("inner", &self.inner)
            .field("site", &self.seat.name())
            .finish_non_exhaustive()
    }
}
