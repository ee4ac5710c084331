//! The server's layer, without a wire: order, readiness, callers that leave, and what they are told.

#![cfg(feature = "http")]

use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use murphy_lease::FencingToken;
use murphy_lease::fence::{
    Denied, FENCING_OP, FENCING_OP_LAST, FENCING_TOKEN, FENCING_TOKEN_CURRENT, FenceGuard,
    FenceGuardLayer, FencingOp, Horizon, NothingDone, Refused, Serialize,
};
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt, service_fn};

fn token(seq: u64) -> String {
    format!("orders;era=0;seq={seq};nonce={seq:x}")
}

fn put(path: &str, token: &str) -> Request<()> {
    let request = Request::put(path).header(FENCING_TOKEN, token);
    request.body(()).unwrap()
}

fn by_path() -> FenceGuardLayer<Serialize> {
    FenceGuardLayer::serialize(|request| request.uri.path().to_owned())
}

/// Which tokens' handlers began, and ended.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<String>>>);

impl Book {
    fn note(&self, what: &str, token: &FencingToken) {
        let line = format!("{what} {}", token.rank().seq);
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Takes a second.
fn slow(
    book: &Book,
) -> impl Service<
    Request<()>,
    Response = Response<()>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<()>, Infallible>> + Send + use<>,
> + Clone
+ use<> {
    let book = book.clone();
    service_fn(move |request: Request<()>| {
        let book = book.clone();
        async move {
            let token: &FencingToken = request.extensions().get().unwrap();
            book.note("begins", token);
            sleep(Duration::from_secs(1)).await;
            book.note("ends", token);
            Ok(Response::new(()))
        }
    })
}

async fn status<S>(service: &FenceGuard<S, Serialize>, request: Request<()>) -> StatusCode
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible> + Clone,
    S::Future: Send + 'static,
{
    let reply = service.clone().oneshot(request).await;
    reply.unwrap().status()
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_for_each_resource() {
    let book = Book::default();
    let service = by_path().layer(slow(&book));
    let (a, b, other) = tokio::join!(
        status(&service, put("/a", &token(1))),
        status(&service, put("/a", &token(1))),
        status(&service, put("/b", &token(9))),
    );
    assert_eq!([a, b, other], [200; 3]);
    let lines = book.lines();
    assert_eq!(lines[1], "begins 9", "it does not wait for the other");
    let (others, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.ends_with('9'));
    assert_eq!(lines, ["begins 1", "ends 1", "begins 1", "ends 1"]);
    assert_eq!(others, ["begins 9", "ends 9"]);
}

#[tokio::test(start_paused = true)]
async fn those_in_line_go_when_a_higher_one_comes() {
    let book = Book::default();
    let service = by_path().layer(slow(&book));
    let (runs, waits, higher, late) = tokio::join!(
        status(&service, put("/a", &token(1))),
        status(&service, put("/a", &token(1))),
        status(&service, put("/a", &token(2))),
        status(&service, put("/a", &token(1))),
    );
    assert_eq!(
        [runs, waits, higher, late].map(|status| status.as_u16()),
        [200, 412, 200, 412]
    );
    assert_eq!(book.lines(), ["begins 1", "ends 1", "begins 2", "ends 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_holder_is_told_above_what_to_acquire() {
    let service = by_path().layer(slow(&Book::default()));
    status(&service, put("/a", &token(7))).await;
    let reply = service.oneshot(put("/a", &token(6))).await.unwrap();
    assert_eq!(reply.status(), 412);
    assert_eq!(reply.headers()[FENCING_TOKEN_CURRENT], "era=0;seq=7");
    assert!(matches!(
        reply.extensions().get(),
        Some(Denied::Refused(Refused::Stale { .. }))
    ));
}

#[tokio::test(start_paused = true)]
async fn what_carries_no_token_does_not_come_through() {
    let two = || {
        let mut request = put("/a", &token(1));
        let second = token(2).parse().unwrap();
        request.headers_mut().append(FENCING_TOKEN, second);
        request
    };
    let odd = || {
        let mut request = put("/a", &token(1));
        request
            .headers_mut()
            .insert(FENCING_OP, "-1".parse().unwrap());
        request
    };
    let book = Book::default();
    let serial = by_path().layer(slow(&book));
    let mut passes = FenceGuardLayer::pass_through().layer(slow(&book));
    for (request, want) in [
        (Request::new(()), 428),
        (put("/a", ""), 400),
        (put("/a", "orders;era=0;seq=1"), 400),
        (put("/a", &"x".repeat(4096)), 400),
        (two(), 400),
        (odd(), 400),
    ] {
        let same = request.clone();
        assert_eq!(status(&serial, request).await, want);
        let reply = passes.ready().await.unwrap().call(same).await.unwrap();
        assert_eq!(reply.status(), want);
    }
    assert!(book.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_repeated_operation_is_told_apart() {
    let service = by_path().layer(slow(&Book::default()));
    let numbered = |op: u64| {
        let mut request = put("/a", &token(1));
        request.headers_mut().insert(FENCING_OP, op.into());
        request
    };
    assert_eq!(status(&service, numbered(7)).await, 200);
    for op in [7, 6] {
        let reply = service.clone().oneshot(numbered(op)).await.unwrap();
        assert_eq!(reply.status(), 409);
        assert_eq!(reply.headers()[FENCING_OP_LAST], "7");
    }
    assert_eq!(status(&service, numbered(8)).await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_full_line_and_a_full_table_are_said() {
    let service = by_path()
        .queue(1)
        .resources(1)
        .layer(slow(&Book::default()));
    let (runs, waits, busy, full) = tokio::join!(
        status(&service, put("/a", &token(1))),
        status(&service, put("/a", &token(1))),
        service.clone().oneshot(put("/a", &token(1))),
        service.clone().oneshot(put("/b", &token(1))),
    );
    assert_eq!([runs, waits], [200; 2]);
    for (reply, want) in [(busy, Denied::Busy), (full, Denied::Full)] {
        let reply = reply.unwrap();
        assert_eq!(reply.status(), 503);
        assert_eq!(reply.headers()["retry-after"], "1");
        assert_eq!(reply.extensions().get(), Some(&want));
    }
}

/// Its handler may have a write under way somewhere: the next holder does not begin before it ends.
#[tokio::test(start_paused = true)]
async fn a_handler_whose_caller_left_keeps_its_turn() {
    let book = Book::default();
    let service = by_path().layer(slow(&book));
    let mut call = task::spawn(service.clone().oneshot(put("/a", &token(1))));
    assert_pending!(call.poll());
    drop(call);
    assert_eq!(status(&service, put("/a", &token(2))).await, 200);
    assert_eq!(book.lines(), ["begins 1", "ends 1", "begins 2", "ends 2"]);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_line_is_not_waited_for() {
    let book = Book::default();
    let service = by_path().layer(slow(&book));
    let mut runs = task::spawn(service.clone().oneshot(put("/a", &token(1))));
    assert_pending!(runs.poll());
    let mut leaves = task::spawn(service.clone().oneshot(put("/a", &token(1))));
    assert_pending!(leaves.poll());
    let mut last = task::spawn(service.oneshot(put("/a", &token(1))));
    assert_pending!(last.poll());
    drop(leaves);
    sleep(Duration::from_secs(1)).await;
    assert_ready_ok!(runs.poll());
    assert!(last.is_woken());
    assert_pending!(last.poll());
    assert_eq!(book.lines(), ["begins 1", "ends 1", "begins 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_leaves() {
    let panics = service_fn(|request: Request<()>| async move {
        assert!(
            request.method() != http::Method::DELETE,
            "as the test wants"
        );
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = by_path().layer(panics);
    let mut request = put("/a", &token(1));
    *request.method_mut() = http::Method::DELETE;
    let call = tokio::spawn(service.clone().oneshot(request));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!(status(&service, put("/a", &token(1))).await, 200);
}

/// While it readies the service, a higher one comes: it has not acted yet, and does not.
#[tokio::test(start_paused = true)]
async fn who_is_overtaken_before_it_acts_does_not() {
    let layer = by_path();
    let (mut service, mut server) =
        tower_test::mock::spawn_layer::<Request<()>, Response<()>, _>(layer);
    server.allow(0);
    assert_ready_ok!(service.poll_ready());
    let mut older = task::spawn(service.call(put("/a", &token(1))));
    assert_pending!(older.poll());
    let mut newer = task::spawn(service.call(put("/a", &token(2))));
    assert_pending!(newer.poll());
    server.allow(2);
    assert!(older.is_woken());
    assert_eq!(assert_ready_ok!(older.poll()).status(), 412);
    drop(older);
    assert!(newer.is_woken());
    assert_pending!(newer.poll());
    let (_, reply) = assert_ready!(server.poll_request()).unwrap();
    reply.send_response(Response::new(()));
    assert_eq!(assert_ready_ok!(newer.poll()).status(), 200);
}

/// In line, none holds a permit; at its turn, each readies the very instance that it calls.
#[tokio::test(start_paused = true)]
async fn the_readied_instance_is_the_one_that_is_called() {
    let (mut service, mut server) =
        tower_test::mock::spawn_layer::<Request<()>, Response<()>, _>(by_path());
    server.allow(1);
    let mut first = task::spawn(service.call(put("/a", &token(1))));
    assert_pending!(first.poll());
    let mut second = task::spawn(service.call(put("/a", &token(1))));
    assert_pending!(second.poll());
    let (_, reply) = assert_ready!(server.poll_request()).unwrap();
    assert_pending!(server.poll_request());
    reply.send_response(Response::new(()));
    assert_ready_ok!(first.poll());
    server.allow(1);
    assert_pending!(second.poll());
    let (_, reply) = assert_ready!(server.poll_request()).unwrap();
    reply.send_error("broken");
    assert_ready_err!(second.poll());
}

#[tokio::test(start_paused = true)]
async fn passing_through_passes_readiness_on_and_the_token() {
    let (mut service, mut server) = tower_test::mock::spawn_layer::<Request<()>, Response<()>, _>(
        FenceGuardLayer::pass_through(),
    );
    server.allow(0);
    assert_pending!(service.poll_ready());
    server.allow(1);
    assert_ready_ok!(service.poll_ready());
    let mut request = put("/a", &token(5));
    request.headers_mut().insert(FENCING_OP, 9.into());
    let mut call = task::spawn(service.call(request));
    assert_pending!(call.poll());
    let (request, reply) = assert_ready!(server.poll_request()).unwrap();
    let passed: &FencingToken = request.extensions().get().unwrap();
    assert_eq!(*passed, token(5).parse().unwrap());
    assert_eq!(request.extensions().get(), Some(&FencingOp(9)));
    reply.send_response(Response::new(()));
    assert_ready_ok!(call.poll());
}

/// A readied instance may hold a permit: what is denied gives it back.
#[test]
#[should_panic(expected = "polled after it was done")]
fn what_was_denied_is_not_polled_again() {
    let mut service = FenceGuardLayer::pass_through().layer(slow(&Book::default()));
    let mut denied = task::spawn(service.call(Request::new(())));
    assert_ready_ok!(denied.poll());
    let _ = denied.poll();
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_gives_its_permit_back() {
    let silent = service_fn(|_: Request<()>| pending::<Result<Response<()>, Infallible>>());
    let limited = tower::limit::ConcurrencyLimit::new(silent, 1);
    let mut service = FenceGuardLayer::pass_through().layer(limited);
    for _ in 0..3 {
        let readied = service.ready().await.unwrap();
        let reply = readied.call(Request::new(())).await.unwrap();
        assert_eq!(reply.status(), 428);
        // Another clone gets the only permit, and leaves.
        service.clone().ready().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_from_the_future_are_forbidden() {
    let minute = Horizon::new(Duration::from_secs(60));
    let service = by_path().horizon(minute).layer(slow(&Book::default()));
    assert_eq!(status(&service, put("/a", &token(u64::MAX))).await, 403);
    assert_eq!(status(&service, put("/a", &token(1))).await, 200);
}

#[cfg(feature = "sign")]
#[tokio::test(start_paused = true)]
async fn unsigned_tokens_are_forbidden_where_signatures_are_wanted() {
    use murphy_lease::fence::Signer;
    let signer = |byte: u8| Signer::try_new(&[byte; 32]).unwrap();
    let service = by_path().signed(signer(1)).layer(slow(&Book::default()));
    let parsed: FencingToken = token(1).parse().unwrap();
    for (text, want) in [
        (token(1), 403),
        (signer(2).sign(&parsed), 403),
        (signer(1).sign(&parsed), 200),
    ] {
        assert_eq!(status(&service, put("/a", &text)).await, want);
    }
}

#[cfg(feature = "grpc")]
#[tokio::test(start_paused = true)]
async fn grpc_is_told_in_its_own_words() {
    let service = by_path().layer(slow(&Book::default()));
    let grpc = |token: &str| {
        let mut request = put("/payments.Payments/Charge", token);
        let kind = "application/grpc+proto".parse().unwrap();
        request.headers_mut().insert("content-type", kind);
        request
    };
    assert_eq!(status(&service, grpc(&token(2))).await, 200);
    let reply = service.oneshot(grpc(&token(1))).await.unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["grpc-status"], "9");
    assert_eq!(reply.headers()[FENCING_TOKEN_CURRENT], "era=0;seq=2");
}

fn numbered(op: u64) -> Request<()> {
    let mut request = put("/a", &token(1));
    request.headers_mut().insert(FENCING_OP, op.into());
    request
}

/// Takes a second; of these calls, counted from 1, the replies say that nothing was done.
fn busy_at(
    busy: &'static [u32],
) -> impl Service<
    Request<()>,
    Response = Response<()>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<()>, Infallible>> + Send + use<>,
> + Clone
+ use<> {
    let calls = Arc::new(AtomicU32::new(0));
    service_fn(move |_: Request<()>| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            sleep(Duration::from_secs(1)).await;
            let mut reply = Response::new(());
            if busy.contains(&call) {
                *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                reply.extensions_mut().insert(NothingDone);
            }
            Ok(reply)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_did_nothing_frees_its_number() {
    let service = by_path().layer(busy_at(&[2]));
    for (op, want) in [(5, 200), (7, 503), (5, 409), (7, 200), (7, 409), (6, 409)] {
        assert_eq!(status(&service, numbered(op)).await, want, "{op}");
    }
    let reply = service.oneshot(numbered(6)).await.unwrap();
    assert_eq!(reply.headers()[FENCING_OP_LAST], "7");
    // It is said to this guard alone: one further out has numbers of its own.
    let busy = by_path().layer(busy_at(&[1])).oneshot(numbered(1)).await;
    assert!(busy.unwrap().extensions().get::<NothingDone>().is_none());
}

#[tokio::test(start_paused = true)]
async fn one_in_line_with_the_same_number_has_its_turn_only_if_nothing_was_done() {
    for (busy, want) in [(&[2][..], [503, 200]), (&[], [200, 409])] {
        let service = by_path().layer(busy_at(busy));
        let (_, first, second) = tokio::join!(
            // Both come while this one runs.
            status(&service, put("/a", &token(1))),
            status(&service, numbered(7)),
            status(&service, numbered(7)),
        );
        assert_eq!([first.as_u16(), second.as_u16()], want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_under_way_is_refused_whatever_comes_of_it() {
    let service = by_path().layer(busy_at(&[1]));
    let (first, second) =
        tokio::join!(status(&service, numbered(7)), status(&service, numbered(7)),);
    assert_eq!([first.as_u16(), second.as_u16()], [503, 409]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_caller_left_frees_its_number_too() {
    for (busy, want) in [(&[1][..], 200), (&[], 409)] {
        let service = by_path().layer(busy_at(busy));
        let mut call = task::spawn(service.clone().oneshot(numbered(7)));
        assert_pending!(call.poll());
        drop(call);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(status(&service, numbered(7)).await, want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_holder_is_not_touched_by_a_number_that_is_freed() {
    let service = by_path().layer(busy_at(&[2]));
    assert_eq!(status(&service, numbered(5)).await, 200);
    let mut later = put("/a", &token(2));
    later.headers_mut().insert(FENCING_OP, 3.into());
    let (first, second) = tokio::join!(status(&service, numbered(7)), status(&service, later));
    // It counts its own, from wherever it likes.
    assert_eq!([first.as_u16(), second.as_u16()], [503, 200]);
    assert_eq!(status(&service, numbered(7)).await, 412);
}

/// Nobody knows what was done: the number stays used up.
#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_and_says_no_more_keeps_its_number() {
    let fails = service_fn(
        async |request: Request<()>| match request.method().as_str() {
            "DELETE" => panic!("as the test wants"),
            "POST" => Err("broken"),
            _ => {
                let reply = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
                Ok::<_, &str>(reply.body(()).unwrap())
            }
        },
    );
    let service = by_path().layer(fails);
    for (op, method) in [(1, "PUT"), (2, "POST"), (3, "DELETE")] {
        let of = |op| {
            let mut request = numbered(op);
            *request.method_mut() = method.parse().unwrap();
            request
        };
        let first = tokio::spawn(service.clone().oneshot(of(op)));
        _ = first.await;
        let reply = service.clone().oneshot(of(op)).await.unwrap();
        assert_eq!(reply.status(), 409, "{method}");
        assert_eq!(reply.headers()[FENCING_OP_LAST], op.to_string());
    }
}
