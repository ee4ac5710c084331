//! [`Wired`]: a tower service at the end of a wire.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::{Mutex, watch};
use tower_service::Service;

use super::wire::passes;
use super::{BoxError, Cut, Wire};

/// A tower service at the end of a [`Wire`], from [`Wire::layer`]: requests `R`, replies `T`.
///
/// It does not name the service: so a future that holds it is `Send` to the compiler whatever the service's error is, a boxed
/// one too. Always ready: that the service is, is waited for where a request arrives.
pub struct Wired<R, T> {
    carry: Arc<dyn Fn(R) -> Carried<T> + Send + Sync>,
}

impl Wire {
    /// A store that is a tower service, at the other end of this wire.
    ///
    /// Each request is a task of the runtime in which it is made: what has left arrives, whether its sender still waits or not.
    pub fn layer<S, R>(&self, store: S) -> Wired<R, S::Response>
    where
        S: Service<R, Error: Into<BoxError>> + Clone + Send + 'static,
        S::Future: Send,
        S::Response: Send + 'static,
        R: Send + 'static,
    {
        let (wire, turn) = (self.clone(), Arc::<Mutex<()>>::default());
        // A service need not be `Sync`.
        let store = std::sync::Mutex::new(store);
        let carry = move |request| {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let call = carried(store, request, wire.0.subscribe(), Arc::clone(&turn));
            Box::pin(async move { tokio::spawn(call).await? }) as Carried<S::Response>
        };
        Wired {
            carry: Arc::new(carry),
        }
    }
}

impl<R, T> Service<R> for Wired<R, T> {
    type Response = T;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        (self.carry)(request)
    }
}

impl<R, T> Clone for Wired<R, T> {
    fn clone(&self) -> Self {
        let carry = Arc::clone(&self.carry);
        Self { carry }
    }
}

impl<R, T> fmt::Debug for Wired<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wired").finish_non_exhaustive()
    }
}

/// A request that is under way, and its reply.
type Carried<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// The wire broke when the reply was on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was reset")]
struct Reset;

/// One request, there and back. They arrive in the order in which they got their turn.
async fn carried<S, R>(
    mut store: S,
    request: R,
    mut cut: watch::Receiver<Cut>,
    turn: Arc<Mutex<()>>,
) -> Result<S::Response, BoxError>
where
    S: Service<R, Error: Into<BoxError>>,
{
    let mine = turn.lock().await;
    passes(&mut cut).await.ok_or(Reset)?;
    let ready = poll_fn(|cx| store.poll_ready(cx)).await;
    ready.map_err(Into::into)?;
    let reply = store.call(request);
    drop(mine);
    let reply = reply.await.map_err(Into::into);
    match passes(&mut cut).await.ok_or(Reset)? {
        Cut::LosesReplies => return Err(Reset.into()),
        Cut::SlowReplies(time) => tokio::time::sleep(time).await,
        Cut::Open | Cut::Blackhole => {}
    }
    reply
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::sync::Mutex;

    use tokio::task::JoinSet;
    use tower::util::BoxCloneSyncService;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// Writes down what it is asked.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<u32>>>);

    impl Service<u32> for Notes {
        type Response = ();
        type Error = Infallible;
        type Future = Ready<Result<(), Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, n: u32) -> Self::Future {
            self.0.lock().unwrap().push(n);
            ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_was_held_up_arrives_in_the_order_in_which_it_left() {
        let (wire, notes) = (Wire::whole(), Notes::default());
        let mut store = wire.layer(notes.clone());
        wire.cut(Cut::Blackhole);
        let mut calls: JoinSet<_> = (0..100).map(|n| store.call(n)).collect();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert!(notes.0.lock().unwrap().is_empty(), "nothing arrived yet");
        wire.cut(Cut::Open);
        while let Some(call) = calls.join_next().await {
            call.unwrap().unwrap();
        }
        assert!(notes.0.lock().unwrap().iter().copied().eq(0..100));
    }

    /// The future of a call over a wire is `Send` to the compiler, and not only to us: it has to follow the error's type there.
    #[tokio::test]
    async fn a_store_whose_error_is_boxed_is_called_from_a_task() {
        let answer = |n: u32| async move { (n > 0).then_some(n).ok_or(BoxError::from("none")) };
        let (wire, store) = (Wire::whole(), service_fn(answer));
        let boxed = BoxCloneSyncService::new(store);
        let task = tokio::spawn(async move {
            let answered = wire.layer(store).oneshot(7).await;
            (answered, wire.layer(boxed).oneshot(0).await)
        });
        let (answered, failed) = task.await.unwrap();
        assert_eq!(answered.unwrap(), 7);
        assert_eq!(failed.unwrap_err().to_string(), "none");
    }
}
