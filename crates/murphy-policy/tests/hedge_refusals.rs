//! Who was refused, here or by the peer, does not end a call that another may still win.

mod common;

use std::time::Duration;

use common::{BoxError, events, probe};
use murphy_policy::bulkhead::Why;
use murphy_policy::hedge::Idempotent;
use murphy_policy::{
    Attempt, BreakerLayer, Budget, HedgeLayer, IoClassify, Kind, Limited, Open, Shed, Throttled,
    Verdict,
};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

/// What a request comes to.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Well,
    /// It may work if repeated.
    Badly,
    /// The peer asks not to be asked again.
    Forbids,
    /// Another would fail as well.
    Fatally,
    Open,
    Throttled,
    Shed,
    Limited,
}

impl Ends {
    fn error(self, n: u32) -> BoxError {
        let why = Why::Full { waiting: 0 };
        match self {
            Self::Open => Open::new(format!("{n}"), None).into(),
            Self::Throttled => Throttled::new(format!("{n}"), 0.9).into(),
            Self::Shed => Shed::new(format!("{n}"), why).into(),
            Self::Limited => Limited::new(format!("{n}"), 1, why).into(),
            other => format!("{other:?} {n}").into(),
        }
    }
}

fn judged(_: &Attempt, outcome: Result<&u32, &BoxError>) -> Verdict {
    let Err(error) = outcome else {
        return Verdict::Success;
    };
    match &error.to_string()[..5] {
        "Forbi" => Verdict::Forbid,
        "Fatal" => Verdict::Terminal,
        "Badly" => Verdict::Retry(Kind::Transient),
        // Of ours it knows nothing, and has no hope for what it does not know.
        _ => Verdict::Terminal,
    }
}

/// Hedges after 10 ms, three requests at most: what came, after how many milliseconds, and how many
/// requests were made. `steps` are what the n-th comes to, and after how many milliseconds.
async fn call(steps: &'static [(u64, Ends)], budget: &Budget) -> (Result<u32, String>, u64, u32) {
    let service = probe(move |n| async move {
        let (millis, ends) = steps[n as usize - 1];
        sleep(MS * millis as u32).await;
        match ends {
            Ends::Well => Ok(n),
            _ => Err(ends.error(n)),
        }
    });
    let layer = HedgeLayer::new(MS * 10, Idempotent)
        .attempts(3)
        .unwrap()
        .budget(budget.clone())
        .classify(judged);
    let began = Instant::now();
    let outcome = layer.layer(service.clone()).oneshot(()).await;
    let outcome = outcome.map_err(|error| error.to_string());
    (outcome, began.elapsed().as_millis() as u64, service.calls())
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_was_refused_here_ends_nothing() {
    use Ends::{Badly, Fatally, Limited, Open, Shed, Throttled, Well};

    let failed = |what: &str| Err(what.to_owned());
    let open = |n| failed(&format!("the breaker `{n}` is open"));
    for (name, steps, want) in [
        ("open", &[(50, Well), (0, Open)][..], (Ok(1), 50, 2)),
        ("throttled", &[(50, Well), (0, Throttled)], (Ok(1), 50, 2)),
        ("shed", &[(50, Well), (0, Shed)], (Ok(1), 50, 2)),
        ("limited, late", &[(50, Well), (9, Limited)], (Ok(1), 50, 2)),
        (
            "the first, and a hedge is under way",
            &[(15, Open), (40, Well)],
            (Ok(2), 50, 2),
        ),
        ("the first, and nobody is", &[(5, Open)], (open(1), 5, 1)),
        (
            "all: the first",
            &[(15, Open), (20, Open)],
            (open(1), 30, 2),
        ),
        (
            "one left and failed: it is not said that none did",
            &[(25, Open), (5, Badly), (30, Open)],
            (failed("Badly 2"), 45, 3),
        ),
        (
            "a failure of the first, and no more hedges",
            &[(20, Badly), (0, Open)],
            (failed("Badly 1"), 20, 2),
        ),
        (
            "the end is the end",
            &[(50, Well), (0, Fatally)],
            (failed("Fatally 2"), 10, 2),
        ),
    ] {
        assert_eq!(call(steps, &Budget::default()).await, want, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_forbids_a_hedge_forbids_further_ones_only() {
    use Ends::{Badly, Fatally, Forbids, Well};

    let failed = |what: &str| Err(what.to_owned());
    for (name, steps, want) in [
        ("the hedge", &[(50, Well), (5, Forbids)][..], (Ok(1), 50, 2)),
        (
            "the first, with a hedge under way",
            &[(15, Forbids), (40, Well)],
            (Ok(2), 50, 2),
        ),
        (
            "the first, alone",
            &[(5, Forbids)],
            (failed("Forbids 1"), 5, 1),
        ),
        (
            "the hedge, and the first fails",
            &[(50, Badly), (5, Forbids)],
            (failed("Badly 1"), 50, 2),
        ),
        (
            "the first, and the hedge fails",
            &[(15, Forbids), (40, Badly)],
            (failed("Forbids 1"), 50, 2),
        ),
        (
            "a fatal failure after it",
            &[(15, Forbids), (10, Fatally)],
            (failed("Fatally 2"), 20, 2),
        ),
    ] {
        assert_eq!(call(steps, &Budget::default()).await, want, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_behind_a_breaker_that_opens_lets_the_first_go_on() {
    let breaker = BreakerLayer::new().classify(IoClassify);
    let handle = breaker.handle();
    let peer = probe(|n| async move {
        sleep(MS * 50).await;
        Ok::<_, BoxError>(n)
    });
    let layer = HedgeLayer::new(MS * 10, Idempotent).classify(IoClassify);
    let service = layer.layer(breaker.layer(peer.clone()));
    let began = Instant::now();
    let others = async {
        sleep(MS * 5).await;
        handle.force_open();
    };
    let (outcome, ()) = tokio::join!(service.oneshot(()), others);
    assert_eq!(outcome.unwrap(), 1);
    assert_eq!((began.elapsed(), peer.calls()), (MS * 50, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_costs_no_budget_and_is_no_failure() {
    let budget = Budget::grpc(10, 0.1).unwrap();
    let before = budget.balance();
    for _ in 0..100 {
        let steps = &[(15, Ends::Open), (20, Ends::Shed)];
        call(steps, &budget).await.0.unwrap_err();
    }
    assert_eq!(budget.balance(), before);

    let one = Budget::try_new(0.0, 1).unwrap();
    let steps = &[(50, Ends::Well), (0, Ends::Shed)];
    assert_eq!(call(steps, &one).await.0, Ok(1));
    assert_eq!(one.balance(), 1);
}

/// A hedge that found no room leaves the next its turn: there may be room by then.
#[tokio::test(start_paused = true)]
async fn what_had_no_room_is_followed_after_the_delay_and_not_at_once() {
    let service = probe(|n| async move {
        match n {
            2 => Err(Ends::Shed.error(2)),
            1 => {
                sleep(MS * 900).await;
                Ok(1)
            }
            n => Ok(n),
        }
    });
    let layer = HedgeLayer::new(MS * 10, Idempotent).attempts(3).unwrap();
    let began = Instant::now();
    let call = layer.classify(IoClassify).layer(service).oneshot(());
    let (outcome, heard) = events(call).await;
    assert_eq!((outcome.unwrap(), began.elapsed()), (3, MS * 20));
    assert_eq!(heard, ["hedge.sent", "hedge.sent", "hedge.won"]);
}

/// Other replicas may have other breakers: where nobody is under way, the verdict decides.
#[tokio::test(start_paused = true)]
async fn what_was_refused_alone_is_followed_at_once_where_the_verdict_says_so() {
    let replicas = service_fn({
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        move |()| {
            let n = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            std::future::ready(if n == 0 {
                Err(Ends::Open.error(1))
            } else {
                Ok(n)
            })
        }
    });
    let began = Instant::now();
    let layer = HedgeLayer::new(MS * 10, Idempotent);
    assert_eq!(layer.layer(replicas).oneshot(()).await.unwrap(), 1);
    assert_eq!(began.elapsed(), Duration::ZERO);
}
