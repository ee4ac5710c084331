//! What the scripts share: a probe of the readiness contract, and an ear for events.
#![expect(
    dead_code,
    reason = "each test binary is compiled with this file and uses a part of it"
)]

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower::Service;
use tower::util::BoxCloneService;
use tracing::span;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A service that is not ready when it is cloned, needs two polls to become ready, and panics
/// when it is called without. It answers the n-th call with `script(n)`, 1 for the first.
pub(crate) struct Probe<F> {
    script: Arc<F>,
    polls: u32,
    calls: Arc<AtomicU32>,
    times: Arc<Mutex<Vec<Instant>>>,
}

pub(crate) fn probe<F>(script: F) -> Probe<F> {
    listen();
    Probe {
        script: Arc::new(script),
        polls: 0,
        calls: Arc::default(),
        times: Arc::default(),
    }
}

impl<F> Probe<F> {
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }

    /// How long after the first call each later one came.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        let times = self.times.lock().unwrap();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

impl<F> Clone for Probe<F> {
    fn clone(&self) -> Self {
        Self {
            script: Arc::clone(&self.script),
            polls: 0,
            calls: Arc::clone(&self.calls),
            times: Arc::clone(&self.times),
        }
    }
}

impl<F, Fut, Req, Res, E> Service<Req> for Probe<F>
where
    F: Fn(u32) -> Fut,
    Fut: Future<Output = Result<Res, E>>,
{
    type Response = Res;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.polls += 1;
        if self.polls < 2 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Req) -> Fut {
        assert!(
            self.polls >= 2,
            "an instance was called that was not readied"
        );
        self.polls = 0;
        self.times.lock().unwrap().push(Instant::now());
        (self.script)(self.calls.fetch_add(1, SeqCst) + 1)
    }
}

/// A service whose readiness takes `delay`, each time.
#[derive(Debug)]
pub(crate) struct SlowToReady<S> {
    pub(crate) inner: S,
    pub(crate) delay: Duration,
    pub(crate) sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl<S: Clone> Clone for SlowToReady<S> {
    fn clone(&self) -> Self {
        slow_to_ready(self.inner.clone(), self.delay)
    }
}

pub(crate) fn slow_to_ready<S>(inner: S, delay: Duration) -> SlowToReady<S> {
    listen();
    SlowToReady {
        inner,
        delay,
        sleep: None,
    }
}

impl<S: Service<Req>, Req> Service<Req> for SlowToReady<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let delay = self.delay;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(delay)));
        std::task::ready!(sleep.as_mut().poll(cx));
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> S::Future {
        assert!(self.sleep.take().is_some(), "called without being ready");
        self.inner.call(request)
    }
}

/// As `ServiceExt::ready`, for services of any request.
pub(crate) async fn ready_for<S: Service<(), Error = BoxError>>(service: &mut S) -> &mut S {
    tower::ServiceExt::ready(service).await.unwrap()
}

/// Someone who always listens, before anything is said: `tracing` remembers an event that nobody
/// wanted when it was first met, and can miss an ear that comes at that moment.
pub(crate) fn listen() {
    static LISTENS: std::sync::Once = std::sync::Once::new();
    LISTENS.call_once(|| {
        tracing::dispatcher::set_global_default(tracing::Dispatch::new(Deaf)).unwrap();
    });
}

/// The names of the events that `f` caused, in order.
pub(crate) async fn events<T>(f: impl Future<Output = T>) -> (T, Vec<&'static str>) {
    listen();
    let heard = Ear::default();
    let names = Arc::clone(&heard.0);
    let dispatch = tracing::Dispatch::new(heard);
    let guard = tracing::dispatcher::set_default(&dispatch);
    let result = f.await;
    drop(guard);
    let names = names.lock().unwrap().clone();
    (result, names)
}

/// Wants all events, and keeps none.
struct Deaf;

impl tracing::Subscriber for Deaf {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Ear(Arc<Mutex<Vec<&'static str>>>);

impl tracing::Subscriber for Ear {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "murphy::policy"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(event.metadata().name());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Compiles for what can move between threads.
pub(crate) fn is_send<T: Send>(value: T) -> T {
    value
}

/// A boxed service with a `!Sync` inside, as strangers bring them.
pub(crate) type Boxed = BoxCloneService<&'static str, &'static str, BoxError>;
