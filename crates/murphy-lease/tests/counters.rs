//! Every counter that the docs list is counted, and none that they do not.
#![cfg(feature = "metrics")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

#[path = "told/life.rs"]
mod life;

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
        runtime.unwrap().block_on(life::everything());
    });
    let counters = counters.0.into_inner().unwrap();
    let docs = include_str!("../src/lib.rs").split("# Events of stores");
    let rows = docs
        .take(1)
        .flat_map(str::lines)
        .filter(|line| line.starts_with("//! | `lease."));
    let listed: BTreeSet<_> = rows.filter_map(|row| row.rsplit('`').nth(1)).collect();
    assert_eq!(
        counters.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        listed
    );
    for (name, n) in counters {
        assert!(n.load(Ordering::SeqCst) > 0, "{name}");
    }
}
