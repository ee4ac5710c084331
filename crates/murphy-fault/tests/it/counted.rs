//! Faults that strike are counted through the `metrics` facade.

use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use murphy_fault::Fault;
use tower::{Layer, ServiceExt};

use crate::support::{ALWAYS, Echo, SITE, arm, chaos, fixed, ms, within};

#[derive(Clone, Default)]
struct Counts(Arc<Mutex<Vec<String>>>);

struct One(Counts, String);

impl CounterFn for One {
    fn increment(&self, by: u64) {
        self.0.0.lock().unwrap().push(format!("{} +{by}", self.1));
    }

    fn absolute(&self, _: u64) {}
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key
            .labels()
            .map(|l| format!("{}={}", l.key(), l.value()))
            .collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        Counter::from_arc(Arc::new(One(self.clone(), name)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn what_strikes_is_counted() {
    let counts = Counts::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&counts, || {
        runtime.block_on(async {
            let chaos = chaos();
            let service = chaos.site(SITE).layer().layer(Echo::default());
            let _armed = arm(
                &chaos,
                [
                    Fault::lost_request(ALWAYS),
                    Fault::latency(fixed(1), ALWAYS),
                ],
            );
            let _ = within(ms(5), service.oneshot(7)).await;
        });
    });
    let name = "murphy_fault_injected_total";
    let want = [
        format!("{name}{{site={SITE},fault=lost-request,kind=loss,leg=request,masked=false}} +1"),
        format!("{name}{{site={SITE},fault=latency,kind=latency,leg=request,masked=true}} +1"),
    ];
    assert_eq!(*counts.0.lock().unwrap(), want);
}
