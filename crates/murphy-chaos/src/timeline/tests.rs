//! Runs in short, and builders of records that other tests use too.

use murphy_core::Key;
use murphy_fault::{Finding, Outcome};

use super::*;
use crate::exchange::Answer;
use crate::promise::Promise;

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn broken(at: Duration) -> Violation {
    Violation {
        promise: Promise::Safety,
        name: "an order is charged once".into(),
        detail: String::new(),
        at,
    }
}

/// A call to `site` at `at` that was only watched.
pub(crate) fn watched(site: &str, occurrence: u64, at: Duration) -> Record {
    Record {
        site: site.into(),
        fault: "watch".into(),
        kind: "loss".into(),
        leg: Leg::Request,
        ordinal: occurrence,
        key: Key::new(17),
        occurrence,
        keyed: true,
        at,
        magnitude: None,
        finding: Finding::Missed,
        why: None,
        outcome: Outcome::Nothing,
    }
}

/// A fault that struck the call of `record`.
pub(crate) fn struck(record: &Record, kind: &str, leg: Leg, by: Option<Duration>) -> Record {
    Record {
        fault: kind.into(),
        kind: kind.into(),
        leg,
        magnitude: by,
        finding: Finding::Injected,
        ..record.clone()
    }
}

/// The rows in short.
fn told(timeline: &Timeline) -> Vec<String> {
    let lane = |lane: usize| &timeline.lanes[lane];
    let row = |row: &Row| match &row.what {
        What::Message(m) => format!("{}->{} {}", lane(m.from), lane(m.to), m.fate),
        What::Lands(number) => format!("{number} lands"),
        What::Deed { words, .. } => words.clone(),
        What::GaveUp { lane: l, call } => format!("{} gave up on {call}", lane(*l)),
        What::Passed { calls, .. } => format!("{calls} pass"),
        What::LeftOut(n) => format!("{n} left out"),
        What::Broken => "broken".into(),
    };
    let rows = timeline.rows.iter();
    rows.map(|r| {
        format!("{} {}", r.at.as_secs(), row(r))
            .trim_end()
            .to_owned()
    })
    .collect()
}

/// Done at that second.
pub(crate) fn event(at: u64, verb: Verb, whom: &str) -> Event {
    Event {
        at: secs(at),
        verb,
        whom: whom.into(),
    }
}

#[test]
fn a_lost_reply_is_a_request_that_arrives_and_a_reply_that_does_not() {
    let first = watched("api->pay", 0, secs(0));
    let records = [
        first.clone(),
        struck(&first, "loss", Leg::Reply, None),
        watched("api->pay", 1, secs(5)),
    ];
    let timeline = Timeline::new(&[], &records, &[], &broken(secs(5)));
    assert_eq!(
        told(&timeline),
        [
            "0 api->pay",
            "0 pay->api reply lost: the work was done",
            "5 api->pay",
            "5 broken",
        ]
    );
    assert_eq!(timeline.calls, 2);
}

#[test]
fn each_fate_is_told() {
    let call = watched("api->pay", 0, secs(1));
    for (kind, leg, by, want) in [
        ("loss", Leg::Request, None, "1 api->pay request lost"),
        (
            "partition",
            Leg::Request,
            None,
            "1 api->pay request lost: the link is cut",
        ),
        ("refuse", Leg::Request, None, "1 api->pay refused"),
        (
            "refuse",
            Leg::Reply,
            None,
            "1 pay->api refused after the work was done",
        ),
        (
            "latency",
            Leg::Request,
            Some(2),
            "1 api->pay request 2s late",
        ),
        ("latency", Leg::Reply, Some(2), "1 pay->api reply 2s late"),
        (
            "duplicate",
            Leg::Request,
            Some(2),
            "1 api->pay a copy arrives 2s later",
        ),
        ("alter", Leg::Reply, None, "1 pay->api reply altered"),
        ("truncate", Leg::Reply, None, "1 pay->api reply: truncate"),
    ] {
        let records = [call.clone(), struck(&call, kind, leg, by.map(secs))];
        let told = told(&Timeline::new(&[], &records, &[], &broken(secs(9))));
        assert!(told.iter().any(|row| row.starts_with(want)), "{told:?}");
        let late = told
            .iter()
            .any(|row| row.starts_with("3 ") && row.ends_with("lands"));
        assert_eq!(late, by.is_some(), "{told:?}");
    }
}

/// What a client asked at `at`, and how that ended.
fn asked(asked: &str, at: u64, end: Option<(u64, Answer)>) -> Exchange {
    Exchange {
        site: "api->pay".into(),
        at: secs(at),
        asked: asked.into(),
        end: end.map(|(at, end)| (secs(at), end)),
    }
}

#[test]
fn what_a_client_asked_and_was_told_is_shown_and_when_it_gave_up() {
    let first = watched("api->pay", 0, secs(0));
    let records = [
        first.clone(),
        struck(&first, "loss", Leg::Reply, None),
        watched("api->pay", 1, secs(5)),
        watched("api->bank", 0, secs(5)),
    ];
    let exchanges = [
        asked("POST /charge", 0, Some((5, Answer::GaveUp))),
        asked("POST /again", 5, Some((6, Answer::Told("200 OK".into())))),
    ];
    let timeline = Timeline::new(&[], &records, &exchanges, &broken(secs(7)));
    assert_eq!(
        told(&timeline),
        [
            "0 api->pay",
            "0 pay->api reply lost: the work was done",
            "5 api gave up on POST /charge",
            "5 api->pay",
            "5 api->bank",
            "6 pay->api",
            "7 broken",
        ]
    );
    let calls = timeline.rows.iter().filter_map(|row| match &row.what {
        What::Message(message) => Some(message.call.as_str()),
        _ => None,
    });
    let want = [
        "POST /charge (key 0x11, passage 0)",
        "POST /charge (key 0x11, passage 0)",
        "POST /again (key 0x11, passage 1)",
        "key 0x11, passage 0",
        "200 OK",
    ];
    assert_eq!(calls.collect::<Vec<_>>(), want);
}

#[test]
fn a_slow_reply_arrives_when_it_was_heard() {
    let call = watched("api->pay", 0, secs(0));
    let slow = struck(&call, "latency", Leg::Reply, Some(secs(2)));
    let end = Some((5, Answer::Told("200 OK".into())));
    let exchanges = [asked("POST /charge", 0, end)];
    let timeline = Timeline::new(&[], &[call, slow], &exchanges, &broken(secs(7)));
    let want = [
        "0 api->pay",
        "3 pay->api reply 2s late",
        "5 1 lands",
        "7 broken",
    ];
    assert_eq!(told(&timeline), want);
}

#[test]
fn a_refusal_is_the_answer() {
    let call = watched("api->pay", 0, secs(0));
    let records = [call.clone(), struck(&call, "refuse", Leg::Request, None)];
    let end = Answer::Told("connection refused".into());
    let timeline = Timeline::new(
        &[],
        &records,
        &[asked("POST /charge", 0, Some((0, end)))],
        &broken(secs(1)),
    );
    assert_eq!(
        told(&timeline),
        ["0 api->pay refused before the work", "1 broken"]
    );
}

#[test]
fn an_exchange_of_another_time_is_of_another_call() {
    let records = [watched("api->pay", 0, secs(3))];
    let other = [asked("POST /charge", 0, Some((9, Answer::GaveUp)))];
    let timeline = Timeline::new(&[], &records, &other, &broken(secs(9)));
    assert_eq!(told(&timeline), ["3 api->pay", "9 broken"]);
}

#[test]
fn what_did_not_strike_is_not_shown() {
    let call = watched("db", 0, secs(0));
    let mut withheld = struck(&call, "loss", Leg::Request, None);
    withheld.finding = Finding::Withheld;
    let timeline = Timeline::new(&[], &[call, withheld], &[], &broken(secs(0)));
    assert_eq!(told(&timeline), ["0 the test->db", "0 broken"]);
}

#[test]
fn deeds_come_before_the_calls_of_their_time() {
    let events = [
        event(1, Verb::Pause, "pay"),
        event(2, Verb::Partition, "api -> pay"),
    ];
    let records = [watched("api->pay", 0, secs(1))];
    let timeline = Timeline::new(&events, &records, &[], &broken(secs(3)));
    assert_eq!(
        told(&timeline),
        [
            "1 pause pay",
            "1 api->pay",
            "2 partition api -> pay",
            "3 broken"
        ]
    );
    assert_eq!(timeline.lanes, ["api", "pay"], "a cut has no lane");
}

#[test]
fn more_nodes_than_lanes_share_the_last() {
    let records: Vec<_> = (0..50)
        .map(|n| watched(&format!("api->n{n}"), 0, secs(n)))
        .collect();
    let timeline = Timeline::new(&[], &records, &[], &broken(secs(60)));
    assert_eq!(timeline.lanes.len(), MOST_LANES);
    assert_eq!(timeline.lanes[MOST_LANES - 1], "all others");
}
