//! What is said, and within what: in a process of its own, for other threads would have a say in what is listened to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_lease::{Locks, MemoryStore, QuorumStore};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

#[path = "told/life.rs"]
mod life;

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

/// What was said louder than debug.
#[derive(Clone, Default)]
struct Loud(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Loud {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() < Level::DEBUG {
            self.0.lock().unwrap().push(metadata.name().to_owned());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn to_try_a_lock_that_is_held_at_a_quorum_is_no_cause_for_alarm() {
    let loud = Loud::default();
    let subscriber = tracing_subscriber::registry().with(loud.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let stores = ["a", "b", "c"].map(|name| (name, MemoryStore::new()));
    let locks = Locks::new(QuorumStore::try_new(stores).unwrap());
    let lease = locks.acquire("orders").await.unwrap();
    for _ in 0..3 {
        locks.try_acquire("orders").await.unwrap_err();
    }
    lease.release().await.unwrap();
    assert_eq!(*loud.0.lock().unwrap(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_release_is_said_within_the_lease_whether_anything_was_due_or_not() {
    let told = Told::default();
    let subscriber = tracing_subscriber::registry().with(told.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let locks = Locks::new(MemoryStore::new());
    for is_due in [false, true] {
        for is_dropped in [false, true] {
            let lease = locks.acquire("orders").await.unwrap();
            if is_due {
                tokio::time::sleep(lease.remaining() / 2).await;
            }
            if is_dropped {
                drop(lease);
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                lease.release().await.unwrap();
            }
            let told = std::mem::take(&mut *told.0.lock().unwrap());
            let released = ("lease.released".to_owned(), "lease.hold".to_owned());
            assert!(told.contains(&released), "{told:?}");
        }
    }
}

/// The names in the table of the crate's docs.
fn listed() -> BTreeSet<String> {
    let docs = include_str!("../src/lib.rs").split("# Events of stores");
    let rows = docs
        .take(1)
        .flat_map(str::lines)
        .filter(|line| line.starts_with("//! | `lease."));
    let names = rows.filter_map(|row| row.split('`').nth(1));
    names.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn every_event_that_is_listed_is_said_and_within_its_span() {
    let told = Told::default();
    let subscriber = tracing_subscriber::registry().with(told.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    life::everything().await;
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
