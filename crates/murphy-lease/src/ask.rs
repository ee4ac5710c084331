//! [`LeaseStore`]: what can be asked for leases; and how one question is put to it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tokio::task::unconstrained;
use tokio::time::Instant;
use tower_service::Service;

use crate::settings::{Settings, Wait};
use crate::{LeaseReply, LeaseRequest};

/// A store of leases: any tower service that answers a [`LeaseRequest`] by a [`LeaseReply`]. Nobody implements it; every
/// service that fits is one.
///
/// Its error always means that nobody knows what became of the request.
pub trait LeaseStore:
    Service<
        LeaseRequest,
        Response = LeaseReply,
        Error: fmt::Display + fmt::Debug + Send + 'static,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
}

impl<S> LeaseStore for S
where
    S: Service<LeaseRequest, Response = LeaseReply> + Clone + Send + 'static,
    S::Error: fmt::Display + fmt::Debug + Send + 'static,
    S::Future: Send,
{
}

/// A question that is under way.
pub(crate) type Asked<E> = Pin<Box<dyn Future<Output = Result<LeaseReply, E>> + Send>>;

/// Puts a question, and keeps it for whoever can wait for it later.
pub(crate) fn ask<S: LeaseStore>(store: &S, request: LeaseRequest) -> Asked<S::Error> {
    Box::pin(put(store.clone(), request))
}

/// Puts a question to a clone that is readied for it.
fn put<S: LeaseStore>(store: S, request: LeaseRequest) -> Put<S, S::Future> {
    let request = Some(request);
    Put::Readying { store, request }
}

#[pin_project(project = PutProj)]
enum Put<S, F> {
    Readying {
        store: S,
        /// Taken once.
        request: Option<LeaseRequest>,
    },
    Calling(#[pin] F),
}

impl<S: LeaseStore> Future for Put<S, S::Future> {
    type Output = Result<LeaseReply, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let PutProj::Readying { store, request } = self.as_mut().project() {
            ready!(store.poll_ready(cx))?;
            let request = request.take().expect("a question is put once");
            let call = store.call(request);
            self.set(Self::Calling(call));
        }
        match self.project() {
            PutProj::Calling(call) => call.poll(cx),
            PutProj::Readying { .. } => unreachable!("it was called"),
        }
    }
}

/// Puts a question, and has nothing if there is no answer by then. The question is dropped; it may still be answered
/// somewhere.
pub(crate) fn ask_by<S: LeaseStore>(
    store: S,
    request: LeaseRequest,
    settings: &Settings,
    by: Instant,
) -> impl Future<Output = Option<Result<LeaseReply, S::Error>>> + Send + use<'_, S> {
    AskedBy {
        asked: put(store, request),
        settings,
        by,
        time: None,
    }
}

/// By hand, for each request is one: an `async fn` keeps what it awaits twice.
#[pin_project]
struct AskedBy<'s, F> {
    #[pin]
    asked: F,
    settings: &'s Settings,
    by: Instant,
    time: Option<Wait<'s>>,
}

impl<F: Future> Future for AskedBy<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.project();
        if let Poll::Ready(reply) = this.asked.poll(cx) {
            return Poll::Ready(Some(reply));
        }
        // No timer for a store that answers at once.
        let (settings, by) = (*this.settings, *this.by);
        let time = this.time.get_or_insert_with(|| settings.wait_until(by));
        // Whatever the question has used up of the task's budget.
        Pin::new(&mut unconstrained(time)).poll(cx).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::time::Duration;

    use murphy_core::Clock;
    use murphy_core::clock::{Sleep, TokioClock, Wall};
    use tokio::task::coop::consume_budget;
    use tower::service_fn;

    use super::*;
    use crate::LockName;

    fn observe() -> LeaseRequest {
        let lock = LockName::try_new("orders").unwrap();
        LeaseRequest::Observe { lock }
    }

    /// Whose requests have each a timer of its own.
    fn alone(clock: impl Clock + 'static) -> Settings {
        let mut settings = Settings::new();
        settings.set().clock(Arc::new(clock));
        settings.set().executor = Some(Arc::new(drop));
        settings
    }

    const SAID: LeaseReply = LeaseReply::Released { was_held: true };

    #[tokio::test]
    async fn a_store_that_spins_is_given_up_all_the_same() {
        // It leaves its task nothing, whenever it is polled; and would answer in the end.
        let spins = service_fn(|_| async {
            for _ in 0..20_000_000 {
                consume_budget().await;
            }
            Ok::<_, Infallible>(SAID)
        });
        let (settings, alone) = (Settings::new(), alone(TokioClock));
        for settings in [settings, alone] {
            let by = settings.clock.now() + Duration::from_millis(5);
            let reply = ask_by(spins, observe(), &settings, by).await;
            assert_eq!(reply, None);
        }
    }

    struct NoTimers;

    impl Clock for NoTimers {
        fn now(&self) -> Instant {
            TokioClock.now()
        }

        fn wall(&self) -> Wall {
            TokioClock.wall()
        }

        fn sleep_until(&self, _: Instant) -> Sleep {
            panic!("a timer")
        }
    }

    #[tokio::test]
    async fn a_store_that_answers_at_once_costs_no_timer() {
        let prompt = service_fn(|_| async { Ok::<_, Infallible>(SAID) });
        let settings = alone(NoTimers);
        let by = settings.clock.now();
        let reply = ask_by(prompt, observe(), &settings, by).await;
        assert_eq!(reply, Some(Ok(SAID)));
    }
}
