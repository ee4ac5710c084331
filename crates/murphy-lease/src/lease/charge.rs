//! [`Charge`]: a lease that is to be kept. [`Rested`]: its keeper, while nothing is due.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use murphy_core::Scope;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::keeper::{Keeper, Orders};
use super::post::{Idle, Returned};
use super::shared::Shared;
use crate::ask::LeaseStore;
use crate::machine::{Machine, Terms};
use crate::release::{NotReleased, Owed, Release};
use crate::settings::Task;
use crate::{Ttl, Why};

/// A lease that is to be kept, and in the end given back.
pub(crate) struct Charge<S> {
    pub(crate) store: S,
    pub(crate) ttl: Ttl,
    pub(crate) owed: Owed,
    pub(crate) shared: Attended,
    /// When it has ended at the store by itself, as far as can be known here.
    pub(crate) ends: Instant,
}

/// A keeper for whom nothing is due.
pub(crate) struct Rested<S> {
    pub(crate) charge: Charge<S>,
    pub(crate) terms: Terms,
    /// When the request left that it was granted to, for how long, and when that was heard.
    pub(crate) sent: Instant,
    pub(crate) granted: Duration,
    pub(crate) now: Instant,
    pub(crate) span: Span,
}

/// What the guard knows too. Dropped, it tells that the lease is lost, if it is not: without its keeper nobody renews it, and nobody
/// says that.
pub(crate) struct Attended(pub(crate) Arc<Shared>);

impl Deref for Attended {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        self.0.lose(Why::Unattended);
    }
}

impl<S: LeaseStore> Idle for Rested<S> {
    fn work(self: Box<Self>, orders: Orders) -> Task {
        let (scope, span) = (self.scope(), self.span.clone());
        let machine = Machine::new(self.terms, self.sent, self.now, self.granted);
        let keeper = Keeper::new(self.charge, machine, self.sent);
        Box::pin(scope.enter(keeper.run(orders).instrument(span)))
    }

    fn give_back(self: Box<Self>, now: Instant) -> Option<Returned> {
        let (scope, span) = (self.scope(), self.span.clone());
        let mut release = self.charge.due(now).ok()?;
        let release = async move { release.run(now).await };
        Some(if span.is_disabled() {
            Box::pin(scope.enter(release))
        } else {
            Box::pin(scope.enter(release.instrument(span)))
        })
    }
}

impl<S> Rested<S> {
    /// Faults that are keyed by the operation are keyed by the lease here, and not by whoever acquired it.
    fn scope(&self) -> Scope {
        Scope::default().with_key(self.charge.shared.token.nonce().key())
    }
}

impl<S> Charge<S> {
    /// What gives it back from now on; else what is said of that, if anything: it has ended by itself.
    pub(super) fn due(mut self, now: Instant) -> Result<Release<S>, Option<NotReleased>> {
        let why = self.shared.why();
        if why == Why::Refused || now >= self.ends {
            let ended = self.owed.waive();
            return Err((why == Why::Released).then_some(ended));
        }
        Ok(Release {
            store: self.store,
            ttl: self.ttl,
            owed: self.owed,
            by: self.ends,
        })
    }
}
