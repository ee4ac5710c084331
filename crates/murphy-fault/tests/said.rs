//! What acts says so. In a process of its own: who listens to events is decided once a process.

use std::io::Write;
use std::sync::{Arc, Mutex};

use murphy_core::{Probability, Seed};
use murphy_fault::{Chaos, Fault, Plan, TimeLimit};
use tower::{BoxError, Layer, ServiceExt, service_fn};

const SITE: &str = "api->payments";

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
    let chaos = Chaos::new(Seed::new(42));
    let service = chaos.site(SITE).layer().layer(service_fn(|_: u64| async {
        if true {
            panic!("on purpose");
        }
        Ok::<u64, BoxError>(1)
    }));
    let gone = Fault::lost_reply(Probability::ALWAYS).named("gone");
    let plan = Plan::new().with(SITE, gone);
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let patience = std::time::Duration::from_millis(5);
    assert!(
        tokio::time::timeout(patience, service.oneshot(7))
            .await
            .is_err()
    );
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
