//! The client's layer: what it checks, when it ends a call, and that it keeps tower's contract.

use std::error::Error;
use std::future::{pending, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use murphy_core::OwnSide;
use murphy_lease::fence::{FencedError, FencedLayer, Proof};
use murphy_lease::{FencingToken, Lost, Why};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt, service_fn};

/// A lease that ends at an instant, or when a test says so.
#[derive(Clone)]
struct Until {
    token: FencingToken,
    until: Instant,
    lost: Arc<(AtomicBool, Notify)>,
    /// Whether its task runs: a stalled one never says that it is lost.
    tells: bool,
}

impl Until {
    fn new(lasts: Duration) -> Self {
        Self {
            token: "orders;era=0;seq=34;nonce=b".parse().unwrap(),
            until: Instant::now() + lasts,
            lost: Arc::default(),
            tells: true,
        }
    }

    fn lose(&self) {
        self.lost.0.store(true, Ordering::SeqCst);
        self.lost.1.notify_waiters();
    }

    fn ended(&self, why: Why) -> Lost {
        let (lock, rank) = (self.token.lock().clone(), self.token.rank());
        Lost { lock, rank, why }
    }
}

impl Proof for Until {
    type Lost = BoxFuture<'static, Lost>;

    fn token(&self) -> Result<&FencingToken, Lost> {
        if self.lost.0.load(Ordering::SeqCst) {
            return Err(self.ended(Why::Refused));
        }
        if Instant::now() >= self.until {
            return Err(self.ended(Why::Expired));
        }
        Ok(&self.token)
    }

    fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn lost(&self) -> Self::Lost {
        Box::pin(ends(self.clone()))
    }
}

async fn ends(lease: Until) -> Lost {
    if !lease.tells {
        pending::<()>().await;
    }
    let told = lease.lost.1.notified();
    // What a test says comes first.
    match tokio::time::timeout_at(lease.until, told).await {
        Ok(()) => lease.ended(Why::Refused),
        Err(_) => lease.ended(Why::Expired),
    }
}

const TEN: Duration = Duration::from_secs(10);

/// A request that has a place for the token's number.
type Request = (u64, &'static str);

fn stamp(token: &FencingToken, request: &mut Request) {
    request.0 = token.rank().seq;
}

fn why<T, E>(outcome: Result<T, FencedError<E>>) -> Option<Why> {
    match outcome {
        Err(FencedError::Lost(lost)) => Some(lost.why),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn calls_carry_the_token() {
    let echo = service_fn(|request: Request| ready(Ok::<_, &str>(request)));
    let layer = FencedLayer::with(Until::new(TEN), stamp);
    let reply = layer.layer(echo).oneshot((0, "write")).await;
    assert_eq!(reply, Ok((34, "write")));
}

#[tokio::test(start_paused = true)]
async fn the_error_within_is_kept() {
    let broken = service_fn(|_: Request| ready(Err::<(), _>("broken")));
    let layer = FencedLayer::with(Until::new(TEN), stamp);
    let reply = layer.layer(broken).oneshot((0, "write")).await;
    assert_eq!(reply, Err(FencedError::Inner("broken")));
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_sends_nothing() {
    let lease = Until::new(TEN);
    let (service, mut server) =
        tower_test::mock::spawn_layer::<Request, (), _>(FencedLayer::with(lease.clone(), stamp));
    let mut service = service;
    server.allow(1);
    assert_ready_ok!(service.poll_ready());
    lease.lose();
    let mut call = task::spawn(service.call((0, "write")));
    assert_eq!(why(assert_ready!(call.poll())), Some(Why::Refused));
    let readiness = assert_ready_err!(service.poll_ready());
    assert!(matches!(readiness, FencedError::Lost(_)));
    assert_pending!(server.poll_request());
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_the_lease() {
    let silent = service_fn(|_: Request| pending::<Result<(), &str>>());
    let began = Instant::now();
    let layer = FencedLayer::with(Until::new(TEN), stamp);
    let reply = layer.layer(silent).oneshot((0, "write")).await;
    assert_eq!(why(reply), Some(Why::Expired));
    assert_eq!(began.elapsed(), TEN);
}

/// The task that would say so hangs: whoever looks at the clock knows.
#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_after_the_lease_is_not_believed() {
    let mut lease = Until::new(TEN);
    lease.tells = false;
    let slow = service_fn(|_: Request| async {
        sleep(TEN + Duration::from_millis(1)).await;
        Ok::<_, &str>(())
    });
    let layer = FencedLayer::with(lease, stamp);
    let reply = layer.layer(slow).oneshot((0, "write")).await;
    assert_eq!(why(reply), Some(Why::Expired));
}

/// A future that lies about until the lease is over does not begin.
#[tokio::test(start_paused = true)]
async fn a_future_that_was_not_polled_in_time_does_not_begin() {
    let ran = Arc::new(AtomicBool::new(false));
    let lazy = {
        let ran = Arc::clone(&ran);
        service_fn(move |_: Request| {
            let ran = Arc::clone(&ran);
            async move {
                ran.store(true, Ordering::SeqCst);
                Ok::<_, &str>(())
            }
        })
    };
    let mut service = FencedLayer::with(Until::new(TEN), stamp).layer(lazy);
    let call = service.ready().await.unwrap().call((0, "write"));
    sleep(TEN).await;
    assert_eq!(why(call.await), Some(Why::Expired));
    assert!(!ran.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn the_call_is_dropped_when_the_lease_is_lost_not_later() {
    let held = Arc::new(());
    let holds = {
        let held = Arc::clone(&held);
        service_fn(move |_: Request| {
            let held = Arc::clone(&held);
            async move {
                let _held = held;
                pending::<Result<(), &str>>().await
            }
        })
    };
    let lease = Until::new(TEN);
    let mut service = FencedLayer::with(lease.clone(), stamp).layer(holds);
    let mut call = task::spawn(service.call((0, "write")));
    assert_pending!(call.poll());
    assert_eq!(Arc::strong_count(&held), 3);
    lease.lose();
    assert!(call.is_woken());
    assert_eq!(why(assert_ready!(call.poll())), Some(Why::Refused));
    assert_eq!(Arc::strong_count(&held), 2, "the call's own is gone");
}

#[tokio::test(start_paused = true)]
async fn too_little_left_sends_nothing_either() {
    let echo = service_fn(|request: Request| ready(Ok::<_, &str>(request)));
    let second = Duration::from_secs(1);
    let layer = FencedLayer::with(Until::new(TEN), stamp).at_least(second);
    let service = layer.layer(echo);
    assert!(service.clone().oneshot((0, "write")).await.is_ok());
    sleep(TEN - Duration::from_millis(999)).await;
    let remaining = Duration::from_millis(999);
    assert_eq!(
        service.oneshot((0, "write")).await,
        Err(FencedError::Short {
            remaining,
            least: second
        })
    );
}

#[tokio::test(start_paused = true)]
async fn the_readied_instance_is_the_one_that_is_called() {
    let layer = FencedLayer::with(Until::new(TEN), stamp);
    let (mut service, mut server) = tower_test::mock::spawn_layer::<Request, &str, _>(layer);
    server.allow(0);
    assert_pending!(service.poll_ready());
    server.allow(1);
    assert!(service.is_woken());
    assert_ready_ok!(service.poll_ready());
    // The mock panics if another instance were called.
    let mut call = task::spawn(service.call((0, "write")));
    assert_pending!(call.poll());
    let (request, reply) = assert_ready!(server.poll_request()).unwrap();
    assert_eq!(request, (34, "write"));
    reply.send_response("done");
    assert!(call.is_woken());
    assert_eq!(assert_ready_ok!(call.poll()), "done");
}

#[tokio::test(start_paused = true)]
async fn what_the_lease_ended_or_withheld_says_so_among_its_sources() {
    type Boxed = Box<dyn Error + Send + Sync>;
    let lost = FencedError::<Boxed>::Lost(Until::new(TEN).ended(Why::Expired));
    let lost = lost.source().unwrap();
    assert_eq!(lost.source().unwrap().downcast_ref(), Some(&OwnSide::Ended));
    let short = FencedError::<Boxed>::Short {
        remaining: Duration::ZERO,
        least: TEN,
    };
    let source = short.source().unwrap().downcast_ref();
    assert_eq!(source, Some(&OwnSide::Withheld));
    // The call's own error is none of it, and is not hidden.
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    let boxed = FencedError::<Boxed>::Inner(reset().into());
    let plain = FencedError::Inner(reset());
    for source in [boxed.source(), plain.source()] {
        let io: &io::Error = source.unwrap().downcast_ref().unwrap();
        assert_eq!(io.kind(), io::ErrorKind::ConnectionReset);
    }
}
