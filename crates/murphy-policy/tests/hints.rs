//! Scripts of peers that say when to come again.

mod common;

use std::future::ready;
use std::time::Duration;

use common::{BoxError, events, probe};
use murphy_policy::{
    Attempt, Backoff, Hints, Kind, Pace, RetryError, RetryLayer, Step, Verdict, find,
};
use tower::{Layer, ServiceExt};

const SECOND: Duration = Duration::from_secs(1);
const HINT: Duration = Duration::from_millis(10);

/// The waits of a call of four attempts at a peer that says "in 10 ms" after those of `hinted`.
async fn waits(hints: Hints, pace: impl Pace + Clone, hinted: &'static [u32]) -> Vec<Duration> {
    let probe = probe(|_| ready(Err::<(), BoxError>("busy".into())));
    let verdict = |attempt: &Attempt, _: Result<&(), &BoxError>| {
        if hinted.contains(&attempt.number()) {
            Verdict::RetryAfter(Kind::Throttled, HINT)
        } else {
            Verdict::Retry(Kind::Transient)
        }
    };
    let layer = RetryLayer::new().attempts(4).unwrap().no_budget();
    let service = layer
        .pace(pace)
        .hints(hints)
        .classify(verdict)
        .layer(probe.clone());
    service.oneshot(()).await.unwrap_err();
    probe.gaps()
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_is_the_whole_wait_does_not_make_the_pace_older() {
    let pace = Backoff::exponential(SECOND, SECOND * 60);
    for (name, hints, hinted, want) in [
        (
            "gRPC begins anew",
            Hints::Exact,
            &[1, 2][..],
            [10, 10, 1_000],
        ),
        (
            "gRPC begins anew, in between",
            Hints::Exact,
            &[2],
            [1_000, 10, 1_000],
        ),
        ("at last", Hints::Exact, &[3], [1_000, 2_000, 10]),
        (
            "on top, the pace goes on",
            Hints::Plus,
            &[1, 2],
            [1_010, 2_010, 4_000],
        ),
        (
            "near the pace, it goes on",
            Hints::Within(HINT),
            &[1, 2],
            [1_000, 2_000, 4_000],
        ),
    ] {
        let millis: Vec<_> = waits(hints, pace, hinted)
            .await
            .iter()
            .map(Duration::as_millis)
            .collect();
        assert_eq!(millis, want, "{name}");
    }
    // Envoy's: the hint, up to half of it on top, and the pace goes on from where it was.
    let spread = waits(Hints::Spread, pace, &[2]).await;
    assert_eq!((spread[0], spread[2]), (SECOND, SECOND * 2));
    assert!(
        (HINT..=HINT * 3 / 2 + SECOND / 1_000).contains(&spread[1]),
        "{spread:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pace_that_begins_anew_has_nothing_before_it() {
    let told = |step: Step| {
        let nothing_before = step.previous.is_zero() && step.earlier == step.draw;
        assert_eq!(nothing_before, step.n == 0, "{step:?}");
        SECOND * (step.n + 1)
    };
    let seconds = waits(Hints::Exact, told, &[2]).await;
    assert_eq!(seconds, [SECOND, HINT, SECOND]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_for_too_much_is_not_waited_for() {
    let probe = probe(|_| ready(Err::<(), BoxError>("in two minutes".into())));
    let verdict =
        |_: &Attempt, _: Result<&(), &BoxError>| Verdict::RetryAfter(Kind::Throttled, SECOND * 120);
    let layer = RetryLayer::new()
        .classify(verdict)
        .give_up_beyond(SECOND * 60);
    let began = tokio::time::Instant::now();
    let (result, names) = events(layer.layer(probe.clone()).oneshot(())).await;
    let error = result.unwrap_err();
    let Some(RetryError::<BoxError>::Deferred {
        hint,
        longest,
        attempts,
        ..
    }) = find(&*error)
    else {
        panic!("{error}");
    };
    assert_eq!((*hint, *longest, *attempts), (SECOND * 120, SECOND * 60, 1));
    assert_eq!((probe.calls(), names), (1, vec!["retry.deferred"]));
    assert_eq!(began.elapsed(), Duration::ZERO);
    // What is allowed is waited for.
    let patient = layer.give_up_beyond(SECOND * 120).pace(Backoff::none());
    patient.layer(probe.clone()).oneshot(()).await.unwrap_err();
    assert_eq!(probe.calls(), 4);
}
