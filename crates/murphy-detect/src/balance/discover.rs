//! A discovery whose endpoints follow what an observer believes.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use murphy_core::order::NodeId;
use pin_project::pin_project;
use tokio::sync::watch;
use tower::discover::{Change, Discover};

use super::gated::{Doors, Gated};
use super::rule::{self, Belief};
use crate::{Adaptive, BadKnob, Detector, Observer};

/// Wraps a discovery: each endpoint becomes a [`Gated`] one. See the [module](super).
///
/// It looks at the observer when it is polled, and wakes whoever polled it last when beliefs change; `Balance` polls it
/// whenever it is asked for readiness. Beliefs go on changing when a discovery is over, so it has no end of its own.
#[pin_project]
#[must_use = "it discovers when it is polled"]
pub struct LivenessDiscover<D: Discover, N = NodeId, F: Detector = Adaptive> {
    #[pin]
    discover: D,
    observer: Observer<N, F>,
    node_of: Arc<dyn Fn(&D::Key) -> N + Send + Sync>,
    /// Evicts, and makes copies this way.
    copy: Option<fn(&D::Service) -> D::Service>,
    share: f64,
    endpoints: Vec<Endpoint<D::Key, D::Service, N>>,
    changes: VecDeque<(D::Key, Gated<D::Service>)>,
    beliefs: Changed<N>,
    is_stale: bool,
    /// Nothing more is discovered.
    is_over: bool,
}

struct Endpoint<K, S, N> {
    key: K,
    node: N,
    doors: Doors,
    /// What copies are made of, where nodes are evicted.
    spare: Option<S>,
    is_out: bool,
}

type Changed<N> = Pin<Box<dyn Future<Output = watch::Receiver<Arc<[N]>>> + Send + Sync>>;

impl<D, N, F> LivenessDiscover<D, N, F>
where
    D: Discover,
    D::Key: Clone,
    N: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    F: Detector + Send + 'static,
    F::State: Send,
{
    /// Gates the endpoints of `discover`, each of which is at the node that `node_of` its key tells.
    pub fn new(
        discover: D,
        observer: Observer<N, F>,
        node_of: impl Fn(&D::Key) -> N + Send + Sync + 'static,
    ) -> Self {
        let beliefs = changed(observer.live_set());
        Self {
            discover,
            observer,
            node_of: Arc::new(node_of),
            copy: None,
            share: 0.5,
            endpoints: Vec::new(),
            changes: VecDeque::new(),
            beliefs,
            is_stale: false,
            is_over: false,
        }
    }

    /// Evicts instead: the service of a node that is suspected is dropped, and a copy of what was
    /// discovered takes its place when the node is back.
    pub fn evicting(mut self) -> Self
    where
        D::Service: Clone,
    {
        self.copy = Some(D::Service::clone);
        self
    }

    /// Which share of the endpoints stays open whatever is believed: half by default.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] if it is not a number from 0.5 to 1.
    pub fn floor(mut self, share: f64) -> Result<Self, BadKnob> {
        self.share = crate::knob::within("floor", share, 0.5, 1.0)?;
        Ok(self)
    }
}

impl<D, N, F> Stream for LivenessDiscover<D, N, F>
where
    D: Discover,
    D::Key: Clone,
    N: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    F: Detector + Send + 'static,
    F::State: Send,
{
    type Item = Result<Change<D::Key, Gated<D::Service>>, D::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let mut this = self.as_mut().project();
            while let Poll::Ready(receiver) = this.beliefs.as_mut().poll(cx) {
                *this.beliefs = changed(receiver);
                *this.is_stale = true;
            }
            if std::mem::take(this.is_stale) {
                self.as_mut().follow();
                continue;
            }
            if let Some((key, service)) = this.changes.pop_front() {
                return Poll::Ready(Some(Ok(Change::Insert(key, service))));
            }
            if *this.is_over {
                return Poll::Pending;
            }
            match ready!(this.discover.as_mut().poll_discover(cx)) {
                None => *this.is_over = true,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(Change::Insert(key, service))) => self.as_mut().insert(key, service),
                Some(Ok(Change::Remove(key))) => self.as_mut().remove(&key),
            }
        }
    }
}

impl<D, N, F> LivenessDiscover<D, N, F>
where
    D: Discover,
    D::Key: Clone,
    N: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    F: Detector + Send + 'static,
    F::State: Send,
{
    fn insert(self: Pin<&mut Self>, key: D::Key, service: D::Service) {
        let this = self.project();
        let known = this
            .endpoints
            .iter()
            .position(|endpoint| endpoint.key == key);
        // The one before it serves until this one is ready, as `Balance` has it.
        let mut doors = match known {
            Some(known) => this.endpoints.remove(known).doors,
            None => Doors::default(),
        };
        let door = doors.add();
        this.endpoints.push(Endpoint {
            node: (this.node_of)(&key),
            spare: this.copy.map(|copy| copy(&service)),
            doors,
            key: key.clone(),
            is_out: false,
        });
        this.changes.push_back((key, Gated::new(service, door)));
        *this.is_stale = true;
    }

    fn remove(self: Pin<&mut Self>, key: &D::Key) {
        let this = self.project();
        this.endpoints.retain(|endpoint| {
            if endpoint.key == *key {
                endpoint.doors.remove();
            }
            endpoint.key != *key
        });
        this.changes.retain(|(inserted, _)| inserted != key);
        // Fewer endpoints, another floor.
        *this.is_stale = true;
    }

    /// Doors are as beliefs are.
    fn follow(self: Pin<&mut Self>) {
        let this = self.project();
        let observer = this.observer;
        let belief = |endpoint: &Endpoint<D::Key, D::Service, N>| Belief {
            liveness: observer.liveness(&endpoint.node),
            level: observer.level(&endpoint.node).unwrap_or_default(),
        };
        let beliefs: Vec<Belief> = this.endpoints.iter().map(belief).collect();
        for (endpoint, open) in this
            .endpoints
            .iter_mut()
            .zip(rule::open(&beliefs, *this.share))
        {
            match (*this.copy, &endpoint.spare) {
                (Some(copy), Some(spare)) => {
                    if open && endpoint.is_out {
                        let door = endpoint.doors.add();
                        let service = Gated::new(copy(spare), door);
                        this.changes.push_back((endpoint.key.clone(), service));
                    } else if !open {
                        endpoint.doors.remove();
                    }
                    endpoint.is_out = !open;
                }
                _ => endpoint.doors.set_open(open),
            }
        }
    }
}

/// Waits for other beliefs.
fn changed<N: Send + Sync + 'static>(mut beliefs: watch::Receiver<Arc<[N]>>) -> Changed<N> {
    Box::pin(async move {
        if beliefs.changed().await.is_err() {
            // The observer is gone: what was believed last is what is believed.
            std::future::pending::<()>().await;
        }
        beliefs.borrow_and_update();
        beliefs
    })
}

impl<D: Discover, N, F: Detector> fmt::Debug for LivenessDiscover<D, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LivenessDiscover")
            .field("observer", &self.observer)
            .field("share", &self.share)
            .field("evicts", &self.copy.is_some())
            .finish_non_exhaustive()
    }
}
