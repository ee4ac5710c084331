//! Whatever a member's stack says is said within its call; and how loud the end is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_quorum::{HedgeAfter, Plan, Quorum, Threshold};
use tokio::time::sleep;
use tower::{ServiceExt, service_fn};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// At which levels it was said that there will be no quorum.
#[derive(Clone, Default)]
struct Levels(Arc<Mutex<Vec<Level>>>);

impl<S: Subscriber> Layer<S> for Levels {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.name() == "quorum.impossible" {
            self.0.lock().unwrap().push(*metadata.level());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_quorum_is_a_warning_and_of_a_quiet_one_it_is_not() {
    let levels = Levels::default();
    let subscriber = tracing_subscriber::registry().with(levels.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let member = service_fn(|()| async { Err::<(), _>("held") });
    let rule = Threshold::majority(3).unwrap();
    let quorum = Quorum::try_new((0..3).map(|n| (n, member)), rule).unwrap();
    quorum.clone().oneshot(()).await.unwrap_err();
    quorum.quiet().oneshot(()).await.unwrap_err();
    assert_eq!(*levels.0.lock().unwrap(), [Level::WARN, Level::DEBUG]);
}

/// The members in whose calls something was said, and how many calls there were.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(Vec<u64>, usize)>>);

struct Member(u64);

impl Visit for Member {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "member" {
            self.0 = value;
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Told {
    fn on_new_span(&self, span: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if span.metadata().name() == "quorum.call" {
            let mut member = Member(u64::MAX);
            span.record(&mut member);
            self.0.lock().unwrap().1 += 1;
            context.span(id).unwrap().extensions_mut().insert(member);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if let Some(span) = context.event_span(event) {
            let member = span.extensions().get::<Member>().map(|member| member.0);
            self.0.lock().unwrap().0.extend(member);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_speaks_within_its_call_and_who_is_not_asked_has_none() {
    let told = Told::default();
    let subscriber = tracing_subscriber::registry().with(told.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let member = service_fn(|()| async {
        sleep(Duration::from_millis(1)).await;
        tracing::info!("here");
        Ok::<_, &str>(())
    });
    let rule = Threshold::majority(3).unwrap();
    let quorum = Quorum::try_new((0..3).map(|n| (n, member)), rule).unwrap();
    let plan = Plan::Minimal(HedgeAfter::Delay(Duration::MAX));
    quorum.plan(plan).oneshot(()).await.unwrap();
    assert_eq!(*told.0.lock().unwrap(), (vec![0, 1], 2));
}
