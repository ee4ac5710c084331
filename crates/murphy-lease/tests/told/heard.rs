//! What is said and counted, in the words of the tables in the docs.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

/// The table of what stores say.
pub(crate) const STORES: (&str, &str) = (include_str!("../../src/lib.rs"), "# Events of stores");

/// One event, and its counter where the feature `metrics` is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) name: String,
    level: String,
    fields: BTreeSet<String>,
}

/// A counter, and its labels.
type Counted = (String, BTreeSet<String>);

/// The rows beneath this heading.
pub(crate) fn rows((docs, heading): (&str, &str)) -> impl Iterator<Item = (Row, Counted)> {
    let below = docs.split_once(heading).expect("the heading").1;
    let table = below.split("//! # ").next().unwrap_or(below);
    let cells = table.lines().filter(|line| line.starts_with("//! | `"));
    cells.map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let quoted = |at: usize| cells[at].split('`').skip(1).step_by(2).map(str::to_owned);
        let row = Row {
            name: quoted(1).next().expect("a name"),
            level: cells[2].to_owned(),
            fields: quoted(4).collect(),
        };
        let mut counter = quoted(5);
        (row, (counter.next().expect("a counter"), counter.collect()))
    })
}

/// What was heard.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(BTreeSet<Row>, BTreeSet<Counted>)>>);

impl<S: Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != "murphy::lease" {
            return;
        }
        let fields = metadata.fields().iter().map(|field| field.name());
        let row = Row {
            name: metadata.name().to_owned(),
            level: metadata.level().as_str().to_lowercase(),
            fields: fields
                .filter(|name| *name != "message")
                .map(str::to_owned)
                .collect(),
        };
        self.0.lock().unwrap().0.insert(row);
    }
}

impl Recorder for Heard {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| label.key().to_owned()).collect();
        let counted = (key.name().to_owned(), labels);
        self.0.lock().unwrap().1.insert(counted);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("{key} is no counter")
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is no counter")
    }
}

/// Does this, in this thread, and holds what was said and counted whose name is `told` against the rows of the table that are.
pub(crate) fn is_told(table: (&str, &str), told: impl Fn(&str) -> bool, work: impl FnOnce()) {
    // With one subscriber alone, what another thread says first would not be listened to any more, by nobody.
    static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(registry()));
    let _another = &*ANOTHER;
    let heard = Heard::default();
    let subscriber = registry().with(heard.clone());
    tracing::subscriber::with_default(subscriber, || metrics::with_local_recorder(&heard, work));
    let (said, counted) = heard.0.lock().unwrap().clone();
    let said: BTreeSet<_> = said.into_iter().filter(|row| told(&row.name)).collect();
    let (rows, counters): (BTreeSet<_>, BTreeSet<_>) =
        rows(table).filter(|(row, _)| told(&row.name)).unzip();
    assert!(!rows.is_empty(), "the docs list none");
    assert_eq!(said, rows);
    if cfg!(feature = "metrics") {
        let missing: Vec<_> = counters.difference(&counted).collect();
        assert!(missing.is_empty(), "{missing:?} are not among {counted:?}");
    }
}
