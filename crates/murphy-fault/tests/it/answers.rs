//! What HTTP is refused with, and the words that it is narrowed by.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use murphy_fault::{ArmError, Chaos, Fault, HttpStatus, Marker, Why, refuse};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::bodies::{Body, Frames};
use crate::support::{ALWAYS, SITE, arm, chaos, fixed, ms, plan, within};

fn ok() -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Frames::of(["ok"]).boxed()))
    })
}

fn ask(method: &str, path: &str, user: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("x-user", user);
    request.body(Frames::of([""]).boxed()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_fault_names_its_answer() {
    let drill = |fault: Fault| fault.try_header("x-drill", "7").unwrap();
    let refused = || Fault::refused(ALWAYS);
    let own = |status| refuse::http::<Body, Infallible>(status);
    for (name, fault, own, status, retry, drilled) in [
        ("the usual one", refused(), None, 503, None, false),
        (
            "its own",
            refused().status(HttpStatus::TOO_MANY_REQUESTS),
            None,
            429,
            None,
            false,
        ),
        (
            "with a wait",
            refused().retry_after(ms(1500)),
            None,
            503,
            Some("2"),
            false,
        ),
        ("with a header", drill(refused()), None, 503, None, true),
        (
            "the site's",
            refused(),
            Some(own(StatusCode::IM_A_TEAPOT)),
            418,
            None,
            false,
        ),
        (
            "the site's, with a wait",
            refused().retry_after(ms(1000)),
            Some(own(StatusCode::IM_A_TEAPOT)),
            418,
            Some("1"),
            false,
        ),
        (
            "its own before the site's",
            refused().status(HttpStatus::BAD_GATEWAY),
            Some(own(StatusCode::IM_A_TEAPOT)),
            502,
            None,
            false,
        ),
        (
            "after the work",
            Fault::refused_after_work(ALWAYS).status(HttpStatus::GATEWAY_TIMEOUT),
            None,
            504,
            None,
            false,
        ),
        (
            "after a silence",
            Fault::lost_request(ALWAYS)
                .giving_up(ms(20))
                .status(HttpStatus::GATEWAY_TIMEOUT),
            None,
            504,
            None,
            false,
        ),
    ] {
        let chaos = chaos();
        let layer = chaos.site(SITE).layer().http();
        let _armed = arm(&chaos, [fault]);
        let ask = ask("GET", "/", "17");
        let reply = match own {
            Some(own) => layer.refusing(own).layer(ok()).oneshot(ask).await,
            None => layer.layer(ok()).oneshot(ask).await,
        };
        let reply = reply.unwrap();
        let header = |name| reply.headers().get(name).map(|v| v.to_str().unwrap());
        assert_eq!(reply.status().as_u16(), status, "{name}");
        assert_eq!(header("retry-after"), retry, "{name}");
        assert_eq!(header("x-drill").is_some(), drilled, "{name}");
        assert!(reply.extensions().get::<Marker>().is_some(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn words_of_http_narrow_a_fault() {
    for (word, struck) in [
        ("POST", [true, false, true]),
        ("/charge/*", [true, true, false]),
        ("POST /charge/*", [true, false, false]),
        ("x-user: 17", [true, false, false]),
        ("x-user: 1*", [true, true, false]),
        ("x-nobody: *", [false; 3]),
    ] {
        for (spares, fault) in [
            (false, Fault::refused(ALWAYS).only(word)),
            (true, Fault::refused(ALWAYS).except(word)),
        ] {
            let chaos = chaos();
            let service = chaos.site(SITE).layer().http().layer(ok());
            let _armed = arm(&chaos, [fault]);
            let mut got = Vec::new();
            for request in [
                ask("POST", "/charge/7?x=1", "17"),
                ask("GET", "/charge/8", "18"),
                ask("POST", "/refund", "27"),
            ] {
                let reply = service.clone().oneshot(request).await.unwrap();
                got.push((reply.status() == StatusCode::SERVICE_UNAVAILABLE) != spares);
            }
            assert_eq!(got, struck, "{word}, spares: {spares}");
        }
    }
}

#[test]
fn a_word_that_is_none_of_https_is_refused_unless_the_site_has_its_own() {
    let remedy = "write a method `POST`, a path `/charge/*`, both `POST /charge/*`, or a header `x-user: 17`";
    let faults = || [Fault::refused(ALWAYS).only("charge")];
    let chaos = chaos();
    let _service = chaos.site(SITE).layer().http().layer(ok());
    let say = |e: ArmError| e.to_string();
    let got = chaos
        .arm(&plan(faults()), murphy_fault::TimeLimit::None)
        .map(drop)
        .map_err(say);
    assert_eq!(
        got.unwrap_err(),
        format!("plan: `fault[0].only` is `charge`: {remedy}")
    );
    let spared = plan([])
        .with(SITE, Fault::refused(ALWAYS))
        .limits(|l| l.exclude.push("health".into()));
    let got = chaos
        .arm(&spared, murphy_fault::TimeLimit::None)
        .map(drop)
        .map_err(say);
    assert_eq!(
        got.unwrap_err(),
        format!("plan: `limits.exclude` is `health`: {remedy}")
    );

    let layer = chaos.site(SITE).layer().http();
    let _own = layer
        .matching(|_: &Request<Body>, word| word == "charge")
        .layer(ok());
    drop(arm(&chaos, faults()));
}

#[test]
fn what_only_http_can_do_is_asked_of_http() {
    use murphy_fault::{After, GrpcCode, Leg};

    let refused = || Fault::refused(ALWAYS);
    for (fault, setter) in [
        (refused().status(HttpStatus::BAD_GATEWAY), ".http()"),
        (refused().retry_after(ms(1)), ".http()"),
        (refused().code(GrpcCode::Aborted), ".grpc()"),
        (Fault::lost_request(ALWAYS).requested(), ".http()"),
        (Fault::lost_trailers(Leg::Reply, ALWAYS), ".http()"),
        (
            Fault::stalled_body(Leg::Request, After::Bytes(1), ALWAYS),
            ".http()",
        ),
    ] {
        let chaos = chaos();
        let layer = chaos
            .site(SITE)
            .layer()
            .refusing(refuse::http::<Body, Infallible>(StatusCode::OK));
        let _service = layer.layer(ok());
        match chaos.arm(&plan([fault]), murphy_fault::TimeLimit::None) {
            Err(ArmError::Unable { remedy, .. }) => assert_eq!(remedy, setter),
            other => panic!("{other:?}"),
        }
    }
    let chaos = chaos();
    let _service = chaos.site(SITE).layer().http_replies().layer(ok());
    let stall = |leg| plan([Fault::stalled_body(leg, After::Bytes(1), ALWAYS)]);
    let armed = |leg| {
        chaos
            .arm(&stall(leg), murphy_fault::TimeLimit::None)
            .is_ok()
    };
    assert_eq!((armed(Leg::Request), armed(Leg::Reply)), (false, true));
}

/// How long each of `headers` is delayed by a fault of 100 ms that every second one may have.
async fn delays(chaos: &Chaos, fault: Fault, headers: &[&str]) -> Vec<Duration> {
    let service = chaos.site(SITE).layer().http().layer(ok());
    let _armed = arm(chaos, [fault]);
    let mut delays = Vec::new();
    for header in headers {
        let mut request = ask("GET", "/", "17");
        if !header.is_empty() {
            request
                .headers_mut()
                .insert("x-murphy-fault", header.parse().unwrap());
        }
        let start = tokio::time::Instant::now();
        service.clone().oneshot(request).await.unwrap();
        delays.push(start.elapsed());
    }
    delays
}

fn slow() -> Fault {
    Fault::latency(fixed(100), ALWAYS).named("slow")
}

#[tokio::test(start_paused = true)]
async fn a_header_asks_for_a_fault_and_never_for_more() {
    let chaos = chaos();
    let headers = [
        "",
        "slow",
        "other",
        "other, slow;delay=30ms",
        "slow;delay=1h",
        "slow;chance=0",
        "slow;chance=200%",
    ];
    let got = delays(&chaos, slow().requested(), &headers).await;
    assert_eq!(got, [0, 100, 0, 30, 100, 0, 0].map(ms));
    assert_eq!(chaos.ledger().unwrap().summaries()[0].malformed, 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_fault_that_is_requested_a_header_does_nothing() {
    let chaos = chaos();
    let never = Fault::refused(murphy_core::Probability::NEVER);
    let got = delays(&chaos, never, &["slow", "refused", ";;;"]).await;
    assert_eq!(got, [ms(0); 3]);
    let all = delays(&chaos, slow(), &["", "slow;delay=1ms", "slow;chance=0"]).await;
    assert_eq!(
        all,
        [ms(100); 3],
        "a fault for everybody is not the header's to change"
    );
}

#[tokio::test(start_paused = true)]
async fn a_header_moves_no_other_calls_fate() {
    let half = || {
        let half = murphy_core::Probability::try_new(0.5).unwrap();
        Fault::latency(fixed(100), half).named("slow").requested()
    };
    let asks = |which: fn(usize) -> &'static str| (0..64).map(which).collect::<Vec<_>>();
    let all = delays(&chaos(), half(), &asks(|_| "slow")).await;
    let odd = delays(&chaos(), half(), &asks(|n| ["", "slow"][n % 2])).await;
    let rare = delays(&chaos(), half(), &asks(|_| "slow;chance=25%")).await;
    let struck = |d: &[Duration]| d.iter().filter(|d| !d.is_zero()).count();
    assert!((20..44).contains(&struck(&all)), "{all:?}");
    for (n, d) in odd.iter().enumerate() {
        assert_eq!(*d, if n % 2 == 1 { all[n] } else { ms(0) }, "call {n}");
    }
    // Asked for at half the chance it strikes fewer, and no others.
    assert!((4..struck(&all)).contains(&struck(&rare)), "{rare:?}");
    assert!(rare.iter().zip(&all).all(|(r, a)| r.is_zero() || r == a));
}

#[tokio::test(start_paused = true)]
async fn the_ledger_says_who_did_not_ask() {
    let chaos = chaos();
    chaos.explain(true);
    delays(&chaos, slow().requested(), &[""]).await;
    let why = chaos.ledger().unwrap().everything()[0].why;
    assert_eq!(why, Some(Why::NotRequested));
}

/// What was asked for once is in the ledger, and is replayed without a header.
#[tokio::test(start_paused = true)]
async fn a_requested_fault_replays_without_its_header() {
    let chaos = chaos();
    let headers = ["", "slow;delay=30ms", "slow"];
    let was = delays(&chaos, slow().requested(), &headers).await;
    let script = chaos.ledger().unwrap().to_plan().unwrap();
    let (_, fault) = script.faults()[0].clone();
    assert_eq!(delays(&chaos, fault, &[""; 3]).await, was);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_bounded_by_what_the_caller_waits() {
    let chaos = chaos();
    let service = chaos.site(SITE).layer().http().layer(ok());
    let _armed = arm(&chaos, [Fault::lost_request(ALWAYS)]);
    assert!(
        within(ms(100), service.oneshot(ask("GET", "/", "17")))
            .await
            .is_none()
    );
}
