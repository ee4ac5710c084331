//! Every counter that the docs list is counted, and none that they do not.
#![cfg(feature = "metrics")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending, ready};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use murphy_quorum::{Compensate, Detach, HedgeAfter, Plan, Quorum, Threshold};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use tower::{ServiceExt, service_fn};

const MS: Duration = Duration::from_millis(1);

/// All counters, by name, label and its value.
#[derive(Default)]
struct Counters(Mutex<BTreeMap<(String, String), Arc<AtomicU64>>>);

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let name = (key.name().to_owned(), labels.join(","));
        let mut counters = self.0.lock().unwrap();
        Counter::from_arc(Arc::clone(counters.entry(name).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("{key} is no counter")
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is no counter")
    }
}

/// What `script` counted, and the end of its runtime.
fn counted(script: impl Future<Output = ()>) -> BTreeMap<String, u64> {
    let counters = Counters::default();
    metrics::with_local_recorder(&counters, || {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(script);
    });
    let counters = counters.0.into_inner().unwrap().into_iter();
    let counters = counters.map(|((name, labels), n)| {
        assert_eq!(labels, "site=locks", "{name}");
        (name, n.load(SeqCst))
    });
    counters.collect()
}

/// The names in the table of the crate's docs.
fn listed() -> BTreeSet<String> {
    let docs = include_str!("../src/lib.rs").lines();
    let rows = docs.filter(|line| line.starts_with("//! | `quorum."));
    let names = rows.filter_map(|row| row.rsplit('`').nth(1));
    names.map(str::to_owned).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ask {
    Take,
    Undo,
}

/// Two of three refuse; `hears` says whether the undo of the third is answered.
async fn in_vain(hears: bool, most: usize) {
    let member = |grants: bool| {
        service_fn(move |ask: Ask| async move {
            match ask {
                Ask::Take if grants => Ok(()),
                Ask::Take => Err("refused"),
                Ask::Undo if hears => Ok(()),
                Ask::Undo => pending().await,
            }
        })
    };
    let members = [
        ("a", member(true)),
        ("b", member(false)),
        ("c", member(false)),
    ];
    let undo = Compensate::new(|ask: &Ask| (*ask == Ask::Take).then_some(Ask::Undo));
    let quorum = Quorum::try_new(members, Threshold::all(3).unwrap()).unwrap();
    let judge = |result: Result<&(), &&str>| match result {
        Ok(()) => murphy_quorum::Outcome::Yes(()),
        Err(_) => murphy_quorum::Outcome::No,
    };
    let quorum = quorum
        .judge(judge)
        .stragglers(undo.most(most))
        .named("locks");
    quorum.oneshot(Ask::Take).await.unwrap_err();
}

/// One answers, and one is late.
async fn late() {
    let member = |after: u32| {
        service_fn(move |()| async move {
            sleep(MS * after).await;
            Ok::<_, &str>(())
        })
    };
    let members = [("a", member(30)), ("b", member(1))];
    let quorum = Quorum::try_new(members, Threshold::any(2).unwrap()).unwrap();
    let plan = Plan::Minimal(HedgeAfter::Delay(MS));
    let quorum = quorum
        .plan(plan)
        .stragglers(Detach::new(0, MS))
        .named("locks");
    quorum.oneshot(()).await.unwrap();
}

#[test]
fn every_counter_of_the_docs_is_counted_and_no_other() {
    let counters = counted(async {
        in_vain(true, 9).await;
        in_vain(false, 9).await;
        late().await;
        sleep(MS * 60_000).await;
    });
    assert_eq!(counters.keys().cloned().collect::<BTreeSet<_>>(), listed());
    let of = |name: &str| counters[&format!("murphy_quorum_{name}_total")];
    assert_eq!(
        (of("impossible"), of("undone"), of("not_undone")),
        (2, 1, 1)
    );
    assert_eq!((of("hedges"), of("stragglers_dropped")), (1, 1));
}

#[test]
fn an_undo_is_told_to_be_owed_whatever_ends_it() {
    let owed =
        |counters: BTreeMap<String, u64>| counters.get("murphy_quorum_not_undone_total").copied();
    assert_eq!(owed(counted(in_vain(true, 0))), Some(1), "no room");
    // The runtime goes while it is under way, and before it has begun.
    let goes = async {
        in_vain(false, 9).await;
        sleep(MS * 500).await;
    };
    assert_eq!(owed(counted(goes)), Some(1));
    assert_eq!(owed(counted(in_vain(true, 9))), Some(1));
    assert_eq!(
        owed(counted(async { drop(timeout(MS, ready(())).await) })),
        None
    );
}
