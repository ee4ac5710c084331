//! What is said, and within what.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::time::sleep;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::store::{Fate, Store, TTL, ms};

/// Each event by its name, and the span that it was said in.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<BTreeSet<(String, String)>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        assert_eq!(event.metadata().target(), "murphy::lease");
        assert!(event.metadata().fields().field("site").is_some());
        assert!(event.metadata().fields().field("lock").is_some());
        let span = context.event_span(event).map_or("", |span| span.name());
        let told = (event.metadata().name().to_owned(), span.to_owned());
        self.0.lock().unwrap().insert(told);
    }
}

/// The names in the table of the crate's docs.
fn listed() -> BTreeSet<String> {
    let docs = include_str!("../../src/lib.rs").lines();
    let rows = docs.filter(|line| line.starts_with("//! | `lease."));
    let names = rows.filter_map(|row| row.split('`').nth(1));
    names.map(str::to_owned).collect()
}

/// A life in which everything happens.
pub(crate) async fn everything() {
    let store = Store::new();
    let locks = store.locks(1).site("locks");
    let lease = locks.acquire("orders").await.unwrap();
    sleep(TTL.get()).await;
    store.all(Fate::Fail);
    lease.lost().await;
    store.all(Fate::Pass);
    drop(lease);
    sleep(ms(1)).await;
    let lease = locks.acquire("orders").await.unwrap();
    store.all(Fate::Fail);
    assert!(lease.release().await.is_err());
    assert!(locks.try_acquire("orders").await.is_err());
    sleep(TTL.get() * 2).await;
}

#[tokio::test(start_paused = true)]
async fn every_event_that_is_listed_is_said_and_within_its_span() {
    let told = Told::default();
    let subscriber = tracing_subscriber::registry().with(told.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    everything().await;
    let told = told.0.lock().unwrap().clone();
    let names: BTreeSet<_> = told.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, listed());
    for (name, span) in told {
        let within: &[_] = match name.as_str() {
            "lease.acquired" => &["lease.acquire"],
            // What was never had has no lease to be held.
            "lease.not_released" | "lease.released" => &["lease.hold", ""],
            _ => &["lease.hold"],
        };
        assert!(within.contains(&span.as_str()), "{name} in {span}");
    }
}

#[cfg(feature = "metrics")]
mod counted {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    use metrics::{
        Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::*;

    /// All counters, by name.
    #[derive(Default)]
    struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    impl Recorder for Counters {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let labels: Vec<_> = key
                .labels()
                .map(|label| (label.key(), label.value()))
                .collect();
            assert_eq!(labels, [("site", "locks")], "{key}");
            let mut counters = self.0.lock().unwrap();
            let counter = counters.entry(key.name().to_owned()).or_default();
            Counter::from_arc(Arc::clone(counter))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            panic!("{key} is no counter")
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            panic!("{key} is no counter")
        }
    }

    #[test]
    fn every_counter_that_is_listed_counts() {
        let counters = Counters::default();
        metrics::with_local_recorder(&counters, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build();
            runtime.unwrap().block_on(everything());
        });
        let counters = counters.0.into_inner().unwrap();
        let docs = include_str!("../../src/lib.rs").lines();
        let rows = docs.filter(|line| line.starts_with("//! | `lease."));
        let listed: BTreeSet<_> = rows.filter_map(|row| row.rsplit('`').nth(1)).collect();
        assert_eq!(
            counters.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            listed
        );
        for (name, n) in counters {
            assert!(n.load(Ordering::SeqCst) > 0, "{name}");
        }
    }
}
