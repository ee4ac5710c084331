//! The recorder counts events, and says what cannot have been.

use std::thread;

use murphy_check::{History, Misuse, Outcome};

#[test]
fn events_are_counted_in_their_order() {
    let history = History::new();
    let a = history.call(1, "a").unwrap();
    let b = history.clone().call(2, "b").unwrap();
    history.done(b, 20).unwrap();
    history.lost_request(a).unwrap();
    let c = history.call(1, "c").unwrap();
    history.lost_reply(c).unwrap();
    _ = history.call(2, "d").unwrap();
    let told: Vec<_> = history
        .operations()
        .iter()
        .map(|o| {
            (
                *o.request(),
                o.called(),
                o.ended(),
                o.returned(),
                o.outcome().clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a", 1, Some(4), None, Outcome::Failed),
            ("b", 2, Some(3), Some(3), Outcome::Done(20)),
            ("c", 5, Some(6), None, Outcome::Unknown),
            ("d", 7, None, None, Outcome::Unknown),
        ]
    );
}

#[test]
fn what_cannot_have_been_is_refused_by_name() {
    let history: History<&str, ()> = History::bounded(2);
    let a = history.call(1, "a").unwrap();
    let (process, operation) = (1, 0);
    assert_eq!(
        history.call(1, "b"),
        Err(Misuse::Busy { process, operation })
    );
    history.done(a, ()).unwrap();
    for outcome in [Outcome::Done(()), Outcome::Failed, Outcome::Unknown] {
        assert_eq!(
            history.end(a, outcome),
            Err(Misuse::EndedTwice { process, operation })
        );
    }
    let other: History<&str, ()> = History::new();
    assert_eq!(other.done(a, ()), Err(Misuse::NotCalled { operation: 0 }));
    _ = history.call(1, "b").unwrap();
    assert_eq!(history.call(2, "c"), Err(Misuse::Full { most: 2 }));
    history.clear();
    assert!(history.is_empty());
    assert_eq!(history.done(a, ()), Err(Misuse::NotCalled { operation: 0 }));
    _ = history.call(1, "d").unwrap();
    assert!(
        history.operations()[0].called() > 3,
        "the count of events goes on"
    );
    let e = Misuse::Busy { process, operation }.to_string();
    assert_eq!(
        e,
        "process 1 is still at operation 0: end it, or use another process"
    );
}

#[test]
fn threads_share_one_recorder() {
    let history = History::new();
    thread::scope(|scope| {
        for process in 0..4 {
            let history = &history;
            scope.spawn(move || {
                for n in 0..500 {
                    let call = history.call(process, n).unwrap();
                    history.done(call, n).unwrap();
                }
            });
        }
    });
    let operations = history.operations();
    let mut events: Vec<u64> = operations
        .iter()
        .flat_map(|o| [o.called(), o.ended().unwrap()])
        .collect();
    events.sort_unstable();
    assert!(events.iter().copied().eq(1..=4_000));
    assert_eq!(history.len(), 2_000);
}
