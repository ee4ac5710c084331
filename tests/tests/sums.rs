//! Fates add up: every subset of twelve faults at one call, against a model, and against the
//! subset without what the ledger says made no difference.

use std::collections::BTreeSet;

use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{Chaos, Fault, Finding, Leg, Outcome, Plan, TimeLimit, marker, refuse};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::{Arrivals, SITE, Saw, ms, quiet};
use tokio::time::{Instant, timeout};
use tower::{BoxError, Layer, ServiceExt, service_fn};

const PATIENCE: Duration = ms(10_000);

/// Twelve faults, a bit each.
type Faults = [Fault; 12];

/// Losses are silent, and the caller sees the original's reply.
fn plain() -> Faults {
    let always = Probability::ALWAYS;
    let by = |n| Distribution::fixed(ms(n));
    [
        Fault::latency(by(100), always),
        Fault::slow_server(by(30), always),
        Fault::slow_reply(by(17), always),
        Fault::lost_request(always),
        Fault::lost_reply(always),
        Fault::refused(always),
        Fault::refused_after_work(always),
        Fault::duplicate(by(600), always),
        Fault::reorder(Leg::Request, 1, ms(500), always),
        Fault::reorder(Leg::Reply, 1, ms(900), always),
        Fault::altered_request(always),
        Fault::altered_reply(always),
    ]
}

/// Losses are given up, and the caller sees the copy's reply if it is later.
fn bounded() -> Faults {
    plain().map(|fault| match fault.name() {
        "lost-request" => fault.giving_up(ms(4_000)),
        "lost-reply" => fault.giving_up(ms(3_000)),
        "duplicate" => fault.keeping_last(),
        _ => fault,
    })
}

#[derive(Clone, Debug)]
struct Subset<'a> {
    of: &'a Faults,
    bits: usize,
}

impl Subset<'_> {
    fn has(&self, name: &str) -> bool {
        self.faults().any(|(_, fault)| fault.name() == name)
    }

    fn faults(&self) -> impl Iterator<Item = (usize, &Fault)> {
        let all = self.of.iter().enumerate();
        all.filter(|(i, _)| self.bits & (1 << i) != 0)
    }

    fn keeps_last(&self) -> bool {
        self.of[7] == bounded()[7]
    }

    /// Whether the caller waits for the reply to the copy.
    fn keeps_copys(&self) -> bool {
        self.keeps_last() && self.has("duplicate") && !self.has("reordered-reply")
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.faults().map(|(_, f)| f.name()).collect();
        names.join(" + ")
    }
}

/// All that a world can tell of a call: who arrived when, what was finished when, what the caller
/// saw and when.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    arrived: Vec<(u64, Duration)>,
    ended: Vec<Duration>,
    saw: Saw,
    took: Duration,
}

/// One call under a subset; and which of its faults were masked.
async fn call(subset: &Subset<'_>) -> (Seen, BTreeSet<usize>) {
    let chaos = Chaos::new(Seed::new(42));
    let start = Instant::now();
    let arrivals = Arrivals::default();
    let (arrived, ended) = (Arc::new(Mutex::new(vec![])), Arc::new(Mutex::new(vec![])));
    let (came, done) = (Arc::clone(&arrived), Arc::clone(&ended));
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .refusing(refuse::boxed)
        .altering_requests(|order: &mut u64, _| *order += 100)
        .altering_replies(|charged: &mut u64, _| *charged += 1000)
        .layer(service_fn(move |order: u64| {
            came.lock().unwrap().push((order, start.elapsed()));
            let (charged, done) = (arrivals.note(order), Arc::clone(&done));
            async move {
                tokio::time::sleep(ms(5)).await;
                done.lock().unwrap().push(start.elapsed());
                Ok::<_, BoxError>(charged)
            }
        }));
    let plan = subset.faults().fold(Plan::new(), |plan, (_, fault)| {
        plan.with(SITE, fault.clone())
    });
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let saw = match timeout(PATIENCE, service.oneshot(7)).await {
        Err(_) => Saw::Silence,
        Ok(Ok(charged)) => Saw::Reply(charged),
        Ok(Err(e)) => marker(&*e).map(|_| Saw::Refusal).expect("no real trouble"),
    };
    let took = start.elapsed();
    quiet(&armed.ledger()).await;

    let records = armed.ledger().records();
    assert_eq!(records.len(), subset.faults().count(), "each fires");
    let mut masked = BTreeSet::new();
    for ((index, fault), record) in subset.faults().zip(&records) {
        assert_eq!(fault.name(), record.fault);
        let is_masked = record.finding == Finding::Masked;
        assert_eq!(record.outcome == Outcome::Nothing, is_masked, "{record:?}");
        if is_masked {
            masked.insert(index);
        }
    }
    let (arrived, ended) = (
        arrived.lock().unwrap().clone(),
        ended.lock().unwrap().clone(),
    );
    (
        Seen {
            arrived,
            ended,
            saw,
            took,
        },
        masked,
    )
}

/// What must happen whatever the details: how often the service runs, and what the caller sees.
fn model(subset: &Subset<'_>) -> (usize, Saw) {
    let lost = if subset.keeps_last() {
        Saw::Refusal
    } else {
        Saw::Silence
    };
    let copied = subset.has("duplicate");
    // The original is the first to arrive; of two replies the last is the copy's, unless the
    // original's is held for longer. What is altered is another request than its copy.
    let reply = match (subset.keeps_copys(), subset.has("altered-request")) {
        (true, false) => 17,
        (true, true) | (false, false) => 7,
        (false, true) => 107,
    };
    let lie = 1000 * u64::from(subset.has("altered-reply"));
    let runs = 1 + usize::from(copied);
    match subset {
        s if s.has("lost-request") => (0, lost),
        s if s.has("refused") => (0, Saw::Refusal),
        s if s.has("lost-reply") => (runs, lost),
        s if s.has("refused-after-work") => (runs, Saw::Refusal),
        _ => (runs, Saw::Reply(reply + lie)),
    }
}

async fn every_subset_is_its_sum(of: Faults) {
    let mut seen = Vec::new();
    for bits in 0..1 << of.len() {
        seen.push(call(&Subset { of: &of, bits }).await);
    }
    let mut wrong = Vec::new();
    for (bits, (got, masked)) in seen.iter().enumerate() {
        let subset = Subset { of: &of, bits };
        let want = model(&subset);
        if (got.arrived.len(), got.saw) != want || got.ended.len() != want.0 {
            wrong.push(format!("{}: {got:?}, not {want:?}", subset.names()));
        }
        for (index, fault) in subset.faults() {
            let acts = *got != seen[bits & !(1 << index)].0;
            // A reply that is slow by less than the copy's is nobody's loss, and still slow.
            let unseen = fault.name() == "slow-reply" && subset.keeps_copys();
            if !unseen && acts == masked.contains(&index) {
                wrong.push(format!(
                    "{}: `{}` acts: {acts}",
                    subset.names(),
                    fault.name()
                ));
            }
        }
    }
    wrong.sort_by_key(|w| w.matches('+').count());
    let first: Vec<_> = wrong.iter().take(12).collect();
    assert!(wrong.is_empty(), "{} disagree, as {first:#?}", wrong.len());
}

#[tokio::test(start_paused = true)]
async fn every_subset_of_faults_is_their_sum() {
    every_subset_is_its_sum(plain()).await;
}

#[tokio::test(start_paused = true)]
async fn every_subset_of_bounded_faults_is_their_sum() {
    every_subset_is_its_sum(bounded()).await;
}
