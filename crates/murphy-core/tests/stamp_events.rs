//! What a hostile peer sends is not repeated in a log. Alone here: `tracing` remembers who listened.

use std::io;
use std::sync::{Arc, Mutex};

use murphy_core::ManualClock;
use murphy_core::order::{BadStamp, Hybrid, HybridStamp};
use murphy_core::stamp::{Carrier, StampLayer};
use tower::{Layer, Service, service_fn};
use tracing_subscriber::filter::LevelFilter;

/// A message is its stamp's text.
struct Text;

impl Carrier<String, HybridStamp> for Text {
    fn get(&self, message: &String) -> Option<Result<HybridStamp, BadStamp>> {
        Some(message.parse())
    }

    fn set(&self, message: &mut String, stamp: HybridStamp) {
        *message = stamp.to_string();
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_dropped_stamp_is_told_without_its_content() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let clock = Hybrid::over(ManualClock::new(), "bank".parse().expect("a name"));
    let echo = service_fn(|request: String| async { Ok::<_, io::Error>(request) });
    let mut server = StampLayer::server(clock, Text).layer(echo);
    tracing::subscriber::with_default(subscriber, || {
        for request in ["SECRET", "9000000000000000000.0@SECRET"] {
            drop(server.call(request.into()));
        }
    });
    let log = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(
        !log.contains("SECRET") && !log.contains("9000000000000000000"),
        "{log}"
    );
    for says in [
        "murphy::order",
        "side=Server",
        "kind=\"hybrid stamp\"",
        "reason=\"too far ahead\"",
    ] {
        assert!(log.contains(says), "{says}: {log}");
    }
}
