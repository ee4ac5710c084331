//! What acts says so: events, and counters where the feature is on.

use std::io::Write;
use std::sync::{Arc, Mutex};

use murphy_fault::Fault;
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::support::{ALWAYS, Echo, SITE, arm, chaos, fixed, ms, within};

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn what_acts_says_so() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let chaos = chaos();
    let service = chaos.site(SITE).layer().layer(service_fn(|_: u64| async {
        if true {
            panic!("on purpose");
        }
        Ok::<u64, BoxError>(1)
    }));
    let armed = arm(&chaos, [Fault::lost_reply(ALWAYS).named("gone")]);
    assert!(within(ms(5), service.oneshot(7)).await.is_none());
    drop(armed);
    let text = log.text();
    for (level, event) in [
        ("INFO", "chaos.armed"),
        ("DEBUG", "fault.injected"),
        ("ERROR", "fault.panicked"),
        ("INFO", "chaos.disarmed"),
    ] {
        let line = text.lines().find(|line| line.contains(event));
        let line = line.unwrap_or_else(|| panic!("no {event} in {text}"));
        assert!(
            line.contains(level) && line.contains("murphy::fault"),
            "{line}"
        );
    }
    assert!(
        text.contains("fault=\"gone\"") && text.contains("seed=0x2a"),
        "{text}"
    );
}

#[cfg(feature = "metrics")]
mod counted {
    use super::*;
    use metrics::{
        Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

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
            format!(
                "{name}{{site={SITE},fault=lost-request,kind=loss,leg=request,masked=false}} +1"
            ),
            format!("{name}{{site={SITE},fault=latency,kind=latency,leg=request,masked=true}} +1"),
        ];
        assert_eq!(*counts.0.lock().unwrap(), want);
    }
}
