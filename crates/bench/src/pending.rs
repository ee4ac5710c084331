//! Timeouts that wait: a million at once, and two threads that make them.

use std::future::{Future, Pending, pending};
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use murphy_policy::TimeoutLayer;
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service};

use crate::service::{Broken, Hesitant};

/// Calls under way at once.
pub const MILLION: usize = 1_000_000;

const FIVE_SECONDS: Duration = Duration::from_secs(5);

/// Whose timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's.
    Bare,
    /// Ours.
    Murphy,
    /// tower's.
    Tower,
}

impl Whose {
    /// As in figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Murphy => "murphy",
            Self::Tower => "tower",
        }
    }
}

/// Never answers, and takes no room.
#[derive(Clone, Copy, Debug)]
struct Silent;

impl Service<u64> for Silent {
    type Response = u64;
    type Error = Broken;
    type Future = Pending<Result<u64, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u64) -> Self::Future {
        pending()
    }
}

/// A million calls under way, of which the eldest is given up for each that begins.
pub trait Crowd {
    /// So many calls end and begin.
    fn replace(&mut self, calls: usize);
}

struct Calls<S: Service<u64>> {
    service: S,
    calls: Vec<Pin<Box<S::Future>>>,
    next: usize,
    runtime: Runtime,
}

impl<S: Service<u64>> Calls<S> {
    fn begin(service: S) -> Self {
        let runtime = crate::drive::runtime();
        let mut crowd = Self {
            service,
            calls: Vec::with_capacity(MILLION),
            next: 0,
            runtime,
        };
        let _entered = crowd.runtime.enter();
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..MILLION {
            let mut call = Box::pin(crowd.service.call(n as u64));
            _ = black_box(call.as_mut().poll(&mut cx).is_ready());
            crowd.calls.push(call);
        }
        drop(_entered);
        crowd
    }
}

impl<S: Service<u64>> Crowd for Calls<S> {
    fn replace(&mut self, calls: usize) {
        let _entered = self.runtime.enter();
        let mut cx = Context::from_waker(Waker::noop());
        for n in 0..calls {
            let room = self.next;
            self.next = (room + 1) % MILLION;
            let call = self.service.call(n as u64);
            // Its room is used again, so that no allocator is measured.
            self.calls[room].set(call);
            _ = black_box(self.calls[room].as_mut().poll(&mut cx).is_ready());
        }
    }
}

/// A million calls of it.
#[must_use]
pub fn crowd(whose: Whose) -> Box<dyn Crowd> {
    match whose {
        Whose::Bare => Box::new(Calls::begin(Silent)),
        Whose::Murphy => Box::new(Calls::begin(TimeoutLayer::new(FIVE_SECONDS).layer(Silent))),
        Whose::Tower => {
            let layer = tower::timeout::TimeoutLayer::new(FIVE_SECONDS);
            Box::new(Calls::begin(layer.layer(Silent)))
        }
    }
}

/// So many tasks, each on a thread of its own, make so many calls each that pend once. They share
/// the layer.
///
/// # Panics
///
/// If a call fails, or the system gives no threads.
pub fn tasks(whose: Whose, tasks: usize, calls: u64) {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(tasks).enable_time().build();
    let runtime = runtime.expect("threads");
    match whose {
        Whose::Bare => run(&runtime, tasks, calls, Hesitant::default()),
        Whose::Murphy => {
            let service = TimeoutLayer::new(FIVE_SECONDS).layer(Hesitant::default());
            run(&runtime, tasks, calls, service);
        }
        Whose::Tower => {
            let layer = tower::timeout::TimeoutLayer::new(FIVE_SECONDS);
            run(&runtime, tasks, calls, layer.layer(Hesitant::default()));
        }
    }
}

fn run<S>(runtime: &Runtime, tasks: usize, calls: u64, service: S)
where
    S: Service<u64, Response = u64> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: std::fmt::Debug,
{
    runtime.block_on(async {
        let each = (0..tasks).map(|_| {
            let mut service = service.clone();
            tokio::spawn(async move {
                for n in 0..calls {
                    std::future::poll_fn(|cx| service.poll_ready(cx))
                        .await
                        .expect("ready");
                    black_box(service.call(n).await.expect("a reply"));
                }
            })
        });
        for task in each.collect::<Vec<_>>() {
            task.await.expect("no task panics");
        }
    });
}
