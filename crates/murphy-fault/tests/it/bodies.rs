//! Bodies that stop: what comes through, what does not, and what the ledger says of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use murphy_fault::{After, Armed, Fault, Leg, Outcome, marker};
use proptest::prelude::*;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::support::{ALWAYS, SITE, arm, chaos, ms, within};

pub(crate) type Body = BoxBody<Bytes, BoxError>;

/// Frames that are there at once, and perhaps trailers; counts what was taken of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    data: Vec<Bytes>,
    trailers: bool,
    /// As long as its maker says, or in chunks.
    announced: bool,
    taken: Arc<AtomicU64>,
}

impl Frames {
    pub(crate) fn of(data: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        let copy = |chunk: &_| Bytes::copy_from_slice(AsRef::<[u8]>::as_ref(chunk));
        Self {
            data: data.into_iter().map(|chunk| copy(&chunk)).collect(),
            announced: true,
            ..Self::default()
        }
    }

    fn with_trailers(mut self) -> Self {
        self.trailers = true;
        self
    }

    fn taken(&self) -> u64 {
        self.taken.load(SeqCst)
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.data.is_empty() {
            self.taken.fetch_add(1, SeqCst);
            return Poll::Ready(Some(Ok(Frame::data(self.data.remove(0)))));
        }
        if std::mem::take(&mut self.trailers) {
            let trailers = HeaderMap::from_iter([(http::header::ETAG, "7".parse().unwrap())]);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && !self.trailers
    }

    fn size_hint(&self) -> SizeHint {
        match self.announced {
            true => SizeHint::with_exact(self.data.iter().map(|d| d.len() as u64).sum()),
            false => SizeHint::default(),
        }
    }
}

/// What a reader got: the bytes, whether there were trailers, and how it ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Got {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: bool,
    pub(crate) end: End,
}

#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Clean,
    Reset,
    Silence,
}

pub(crate) async fn read(mut body: Body) -> Got {
    let mut got = Got {
        bytes: Vec::new(),
        trailers: false,
        end: End::Silence,
    };
    while let Some(frame) = within(ms(1000), body.frame()).await {
        match frame {
            None => got.end = End::Clean,
            Some(Err(e)) => {
                assert!(marker(&*e).is_some(), "{e}");
                got.end = End::Reset;
            }
            Some(Ok(frame)) => {
                match frame.into_data() {
                    Ok(data) => got.bytes.extend_from_slice(&data),
                    Err(_) => got.trailers = true,
                }
                continue;
            }
        }
        break;
    }
    got
}

/// A site whose service answers with `frames`, and one whose service reads what it is sent.
fn answering(
    chaos: &murphy_fault::Chaos,
    frames: Frames,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + use<> {
    let layer = chaos.site(SITE).layer().http();
    layer.layer(service_fn(move |_: Request<Body>| {
        let reply = Response::new(frames.clone().boxed());
        async move { Ok::<_, Infallible>(reply) }
    }))
}

fn ask() -> Request<Body> {
    Request::new(Empty::new().map_err(|e| match e {}).boxed())
}

/// One reply, under one fault.
async fn reply_under(fault: Fault, frames: Frames) -> (Got, Outcome) {
    let chaos = chaos();
    let service = answering(&chaos, frames);
    let armed = arm(&chaos, [fault]);
    let reply = service.oneshot(ask()).await.unwrap();
    let got = read(reply.into_body()).await;
    (got, outcome(&armed))
}

fn outcome(armed: &Armed) -> Outcome {
    armed.ledger().records()[0].outcome
}

#[tokio::test(start_paused = true)]
async fn a_body_stops_after_so_much_of_it() {
    use End::{Clean, Reset, Silence};
    use Outcome::{Broken, Nothing};

    type Make = fn(Leg, After, murphy_core::Probability) -> Fault;
    let (stall, truncate, reset): (Make, Make, Make) = (
        Fault::stalled_body,
        Fault::truncated_body,
        Fault::reset_body,
    );
    let message = |text: &str| {
        let prefix = [0, 0, 0, 0, text.len() as u8];
        [&prefix[..], text.as_bytes()].concat()
    };
    let plain = || Frames::of(["abc", "defg", "h"]).with_trailers();
    let messages = || Frames::of([[message("one"), message("two")].concat()]);
    let first = message("one");
    #[rustfmt::skip]
    let rows: [(&str, Make, After, Frames, &[u8], bool, End, Outcome); 14] = [
        ("silence within a frame", stall, After::Bytes(5), plain(), b"abcde", false, Silence, Broken),
        ("an end within a frame", truncate, After::Bytes(5), plain(), b"abcde", false, Clean, Broken),
        ("a reset within a frame", reset, After::Bytes(5), plain(), b"abcde", false, Reset, Broken),
        ("between frames", reset, After::Bytes(3), plain(), b"abc", false, Reset, Broken),
        ("at once", reset, After::Bytes(0), plain(), b"", false, Reset, Broken),
        ("before the trailers", truncate, After::Bytes(8), plain(), b"abcdefgh", false, Clean, Broken),
        ("before the end", stall, After::Bytes(3), Frames::of(["abc"]), b"abc", false, Silence, Broken),
        ("after frames", reset, After::Frames(2), plain(), b"abcdefg", false, Reset, Broken),
        ("after messages", reset, After::Messages(1), messages(), &first, false, Reset, Broken),
        ("longer than it is", reset, After::Bytes(9), plain(), b"abcdefgh", true, Clean, Nothing),
        ("more frames than it has", stall, After::Frames(4), plain(), b"abcdefgh", true, Clean, Nothing),
        ("more messages than it has", stall, After::Messages(3), messages(), &[&first[..], &message("two")].concat(), false, Clean, Nothing),
        ("nothing to stop", reset, After::Bytes(0), Frames::of([""; 0]), b"", false, Clean, Nothing),
        ("no announced length", stall, After::Bytes(5), Frames { announced: false, ..plain() }, b"abcde", false, Silence, Broken),
    ];
    for (name, fault, after, frames, bytes, trailers, end, outcome) in rows {
        let want = Got {
            bytes: bytes.to_vec(),
            trailers,
            end,
        };
        let got = reply_under(fault(Leg::Reply, after, ALWAYS), frames).await;
        assert_eq!(got, (want, outcome), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_trailers_are_all_that_is_lost() {
    for (frames, outcome) in [
        (Frames::of(["abc"]).with_trailers(), Outcome::Broken),
        (Frames::of(["abc"]), Outcome::Nothing),
    ] {
        let want = Got {
            bytes: b"abc".to_vec(),
            trailers: false,
            end: End::Clean,
        };
        let got = reply_under(Fault::lost_trailers(Leg::Reply, ALWAYS), frames).await;
        assert_eq!(got, (want, outcome));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_silence_until_it_is_given_up() {
    let stall = || Fault::stalled_body(Leg::Reply, After::Bytes(1), ALWAYS);
    let (got, _) = reply_under(stall(), Frames::of(["abc"])).await;
    assert_eq!(got.end, End::Silence);

    let start = Instant::now();
    let (got, _) = reply_under(stall().giving_up(ms(300)), Frames::of(["abc"])).await;
    assert_eq!((got.end, start.elapsed()), (End::Reset, ms(300)));
}

/// A peer announces its body before it knows that it will break.
#[tokio::test(start_paused = true)]
async fn a_faulted_body_announces_what_it_will_not_keep() {
    let chaos = chaos();
    let service = answering(&chaos, Frames::of(["abc", "def"]));
    let _armed = arm(
        &chaos,
        [Fault::truncated_body(Leg::Reply, After::Bytes(3), ALWAYS)],
    );
    let mut body = service.oneshot(ask()).await.unwrap().into_body();
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(6), false)
    );
    body.frame().await.unwrap().unwrap();
    assert!(!body.is_end_stream(), "what is struck is no end");
    assert!(body.frame().await.is_none());
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(0), true)
    );
}

/// Two runs of a few calls, the second by the first one's ledger.
#[tokio::test(start_paused = true)]
async fn a_ledger_of_broken_bodies_replays_to_an_identical_one() {
    let half = crate::support::p(0.5);
    let faults = [
        Fault::truncated_body(Leg::Reply, After::Frames(1), half),
        Fault::stalled_body(Leg::Reply, After::Bytes(2), half).giving_up(ms(30)),
        Fault::refused_after_work(half).status(murphy_fault::HttpStatus::BAD_GATEWAY),
    ];
    let mut plan = crate::support::plan(faults);
    let mut runs = Vec::new();
    for _ in 0..2 {
        let chaos = chaos();
        let service = answering(&chaos, Frames::of(["abc", "d"]));
        let armed = chaos.arm(&plan, murphy_fault::TimeLimit::None).unwrap();
        let mut got = Vec::new();
        for _ in 0..32 {
            let reply = service.clone().oneshot(ask()).await.unwrap();
            got.push((reply.status(), read(reply.into_body()).await));
        }
        plan = armed.ledger().to_plan().unwrap();
        runs.push((got, armed.ledger().records()));
    }
    assert!(runs[0].1.len() > 32, "{:?}", runs[0].1);
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_struck_at_its_very_end_does_not_end() {
    let chaos = chaos();
    let service = answering(&chaos, Frames::of(["abc"]));
    let stall = Fault::stalled_body(Leg::Reply, After::Bytes(3), ALWAYS);
    let _armed = arm(&chaos, [stall]);
    let mut body = service.oneshot(ask()).await.unwrap().into_body();
    assert!(!body.is_end_stream());
    body.frame().await.unwrap().unwrap();
    assert!(!body.is_end_stream(), "before the stall");
    assert!(within(ms(100), body.frame()).await.is_none());
    assert!(!body.is_end_stream(), "in it");
}

#[tokio::test(start_paused = true)]
async fn both_legs_break_by_themselves() {
    let chaos = chaos();
    let echo = service_fn(|request: Request<Body>| async move {
        let got = read(request.into_body()).await;
        let reply = Frames::of([got.bytes, format!("{:?}", got.end).into_bytes()]);
        Ok::<_, Infallible>(Response::new(reply.boxed()))
    });
    let service = chaos.site(SITE).layer().http().layer(echo);
    let armed = arm(
        &chaos,
        [
            Fault::reset_body(Leg::Request, After::Bytes(2), ALWAYS),
            Fault::truncated_body(Leg::Reply, After::Bytes(4), ALWAYS),
        ],
    );
    let reply = service.oneshot(Request::new(Frames::of(["abc"]).boxed()));
    let got = read(reply.await.unwrap().into_body()).await;
    assert_eq!(got.bytes, b"abRe");
    let lines = armed.ledger().records().into_iter();
    let lines: Vec<_> = lines.map(|r| (r.kind, r.leg, r.outcome)).collect();
    let line = |kind: &str, leg| (kind.to_owned(), leg, Outcome::Broken);
    assert_eq!(
        lines,
        [line("reset", Leg::Request), line("truncate", Leg::Reply)]
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_at_one_body_the_earlier_acts() {
    let chaos = chaos();
    let service = answering(&chaos, Frames::of(["abcdef"]));
    let armed = arm(
        &chaos,
        [
            Fault::stalled_body(Leg::Reply, After::Bytes(4), ALWAYS),
            Fault::reset_body(Leg::Reply, After::Bytes(2), ALWAYS),
        ],
    );
    let got = read(service.oneshot(ask()).await.unwrap().into_body()).await;
    assert_eq!((&*got.bytes, got.end), (&b"ab"[..], End::Reset));
    let outcomes: Vec<_> = armed.ledger().records().iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, [Outcome::Nothing, Outcome::Broken]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_is_a_caller_that_left() {
    let chaos = chaos();
    let service = answering(&chaos, Frames::of(["abc"]));
    let armed = arm(
        &chaos,
        [Fault::reset_body(Leg::Reply, After::Bytes(1), ALWAYS)],
    );
    let reply = service.oneshot(ask()).await.unwrap();
    assert_eq!(outcome(&armed), Outcome::UnderWay);
    drop(reply);
    assert_eq!(outcome(&armed), Outcome::CallerLeft);
}

#[tokio::test(start_paused = true)]
async fn an_error_has_no_body_to_stop() {
    let chaos = chaos();
    let broken = service_fn(|_: Request<Body>| async { Err::<Response<Body>, &str>("down") });
    let service = chaos.site(SITE).layer().http().layer(broken);
    let armed = arm(
        &chaos,
        [Fault::reset_body(Leg::Reply, After::Bytes(0), ALWAYS)],
    );
    assert_eq!(service.oneshot(ask()).await.unwrap_err(), "down");
    assert_eq!(outcome(&armed), Outcome::Nothing);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_nobody_hears_runs_to_the_end_of_its_body() {
    use Outcome::{Ran, Refused};

    let copy = || Fault::duplicate(crate::support::fixed(0), ALWAYS);
    for (name, fault, taken, outcome) in [
        ("lost", Fault::lost_reply(ALWAYS), 3, Ran),
        (
            "refused after the work",
            Fault::refused_after_work(ALWAYS),
            3,
            Refused,
        ),
        // The original's is the caller's to read.
        ("a copy's", copy(), 3, Ran),
    ] {
        let (chaos, frames) = (chaos(), Frames::of(["a", "b", "c"]));
        let reply = frames.clone();
        let layer = chaos.site(SITE).layer().http();
        let layer = layer.duplicating_with(|_: &Request<Body>| Some(ask()));
        let service = layer.layer(service_fn(move |_: Request<Body>| {
            let reply = Response::new(reply.clone().boxed());
            async move { Ok::<_, Infallible>(reply) }
        }));
        let armed = arm(&chaos, [fault]);
        let _kept = within(ms(5), service.oneshot(ask())).await;
        tokio::time::sleep(ms(5)).await;
        assert_eq!(
            (frames.taken(), self::outcome(&armed)),
            (taken, outcome),
            "{name}"
        );
    }
}

// The clock stands still as long as somebody is busy.
#[tokio::test(start_paused = true)]
async fn a_body_without_end_is_not_read_for_ever() {
    #[derive(Clone, Copy)]
    struct Endless;
    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
        }
    }
    let chaos = chaos();
    let endless = service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Endless.boxed()))
    });
    let service = chaos.site(SITE).layer().http().layer(endless);
    let armed = arm(&chaos, [Fault::lost_reply(ALWAYS)]);
    let silence = within(ms(5), service.oneshot(ask())).await;
    assert!(silence.is_none());
    assert_eq!(outcome(&armed), Outcome::Cut);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn exactly_n_bytes_come_through_any_framing(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..9),
        n in 0..40u64,
        how in 0..3usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        let make = [Fault::stalled_body, Fault::truncated_body, Fault::reset_body][how];
        let end = [End::Silence, End::Clean, End::Reset];
        let whole = frames.concat();
        let fault = make(Leg::Reply, After::Bytes(n), ALWAYS);
        let struck = n <= whole.len() as u64 && !frames.is_empty();
        let (got, outcome) = runtime.block_on(reply_under(fault, Frames::of(frames)));
        prop_assert_eq!(&got.bytes, &whole[..whole.len().min(n as usize)]);
        if struck {
            prop_assert_eq!((&got.end, outcome), (&end[how], Outcome::Broken));
        } else {
            prop_assert_eq!((&got.end, outcome), (&End::Clean, Outcome::Nothing));
        }
    }
}
