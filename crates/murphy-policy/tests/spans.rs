//! Further attempts run in spans of their own; calls that go well make none.

mod common;

use std::future::{Future, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{BoxError, listen, probe};
use murphy_policy::hedge::Idempotent;
use murphy_policy::{Backoff, HedgeLayer, RetryLayer};
use tokio::time::sleep;
use tower::{Layer, ServiceExt, service_fn};
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const SECOND: Duration = Duration::from_secs(1);

/// Notes which spans the peer was in when it was called, and when it answered.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    names: Vec<&'static str>,
    entered: Vec<usize>,
    seen: Vec<Vec<&'static str>>,
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "murphy::policy" || metadata.target() == "peer"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut noted = self.0.lock().unwrap();
        noted.names.push(span.metadata().name());
        Id::from_u64(noted.names.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "peer" {
            let mut noted = self.0.lock().unwrap();
            let within = noted.entered.iter().map(|at| noted.names[*at]).collect();
            noted.seen.push(within);
        }
    }

    fn enter(&self, id: &Id) {
        self.0
            .lock()
            .unwrap()
            .entered
            .push(id.into_u64() as usize - 1);
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().entered.pop();
    }
}

/// Where the peer was each time that it was looked at, and how many spans there were.
async fn noted<T>(call: impl Future<Output = T>) -> (T, Vec<Vec<&'static str>>, usize) {
    listen();
    let notes = Notes::default();
    let result = call.with_subscriber(notes.clone()).await;
    let noted = notes.0.lock().unwrap();
    assert!(noted.entered.is_empty(), "each is left again");
    (result, noted.seen.clone(), noted.names.len())
}

fn look() {
    tracing::debug!(target: "peer", "here");
}

#[tokio::test(start_paused = true)]
async fn each_further_attempt_runs_in_a_span_and_the_first_in_the_callers() {
    let peer = service_fn(|_: &str| {
        look();
        async {
            sleep(SECOND).await;
            look();
            Err::<(), BoxError>("no".into())
        }
    });
    let retry = RetryLayer::new().pace(Backoff::none()).layer(peer);
    let (_, seen, spans) = noted(retry.oneshot("hello")).await;
    let (first, again) = (vec![], vec!["retry.call"]);
    assert_eq!(
        seen,
        [&first, &first, &again, &again, &again, &again].map(Clone::clone)
    );
    assert_eq!(spans, 2);
}

#[tokio::test(start_paused = true)]
async fn each_further_request_of_a_hedge_runs_in_a_span() {
    let slow_at_first = probe(|n| {
        look();
        async move {
            sleep(SECOND * 4 / n).await;
            look();
            Ok::<_, BoxError>(n)
        }
    });
    let hedge = HedgeLayer::new(SECOND, Idempotent).layer(slow_at_first);
    let (reply, seen, spans) = noted(hedge.oneshot(())).await;
    // The second answers before the first.
    assert_eq!(reply.unwrap(), 2);
    assert_eq!(seen, [vec![], vec!["hedge.call"], vec!["hedge.call"]]);
    assert_eq!(spans, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_goes_well_has_no_span() {
    let peer = service_fn(|_: &str| ready(Ok::<_, BoxError>(())));
    let hedge = HedgeLayer::new(SECOND, Idempotent);
    let stack = hedge.layer(RetryLayer::new().layer(peer));
    let (reply, _, spans) = noted(stack.oneshot("hello")).await;
    reply.unwrap();
    assert_eq!(spans, 0);
}
