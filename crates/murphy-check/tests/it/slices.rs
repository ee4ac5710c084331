//! Parts take turns, and bounds are kept.

use std::cell::Cell;

use murphy_check::model::key_value::{KeyValue, Reply, Request};
use murphy_check::{Checker, Operation, Outcome, Verdict, Why};

type Op = Operation<Request<&'static str, u32>, Reply<u32>>;

fn done(request: Request<&'static str, u32>, reply: Reply<u32>, called: u64, ended: u64) -> Op {
    Operation::try_new(called, request, called, Some((ended, Outcome::Done(reply)))).unwrap()
}

/// 24 different writes at the same time, and then a value that none of them wrote: every subset of them has to be tried.
fn exploding(key: &'static str) -> Vec<Op> {
    let write = |value| done(Request::Put(key, value), Reply::Done, 1, 2);
    let mut history: Vec<Op> = (0..24).map(write).collect();
    history.push(done(Request::Get(key), Reply::Value(Some(99)), 3, 4));
    history
}

fn illegal(key: &'static str) -> Vec<Op> {
    vec![
        done(Request::Put(key, 1), Reply::Done, 5, 6),
        done(Request::Get(key), Reply::Value(None), 7, 8),
    ]
}

#[test]
fn a_part_that_explodes_does_not_keep_an_illegal_neighbour_from_being_found() {
    let checker = Checker::new().steps(20_000);
    let alone = checker.check(&KeyValue::new(), &exploding("a"));
    assert!(
        matches!(alone, Verdict::Unknown(Why::Steps { left: 1, .. })),
        "{alone:?}"
    );
    // First in order, and last.
    for (one, other) in [("a", "b"), ("b", "a")] {
        let mut history = exploding(one);
        history.extend(illegal(other));
        let verdict = checker.check(&KeyValue::new(), &history);
        let witness = verdict.witness().expect("in 20,000 steps");
        assert_eq!((witness.key, witness.operations.len()), (Some(other), 2));
    }
}

#[test]
fn a_part_that_takes_too_much_memory_is_given_up_and_the_others_go_on() {
    // Enough for both at first; the one that explodes is out of it long before it is out of steps.
    let checker = Checker::new().bytes(400_000);
    let mut history = exploding("a");
    history.extend(illegal("b"));
    assert!(checker.check(&KeyValue::new(), &history).is_illegal());
    history.pop();
    let verdict = checker.check(&KeyValue::new(), &history);
    let why = Why::Bytes {
        bytes: 400_000,
        left: 1,
    };
    assert_eq!(verdict, Verdict::Unknown(why));
    assert_eq!(verdict.exit_code(), 2);
}

/// Looked at all at once, they would not fit; added up at each turn, they would take until tomorrow.
#[test]
fn as_many_keys_as_operations_take_no_more_than_one_at_a_time() {
    let put = |key: u32| {
        let (request, called) = (Request::Put(key, 1), u64::from(key) * 2);
        let end = Some((called + 1, Outcome::Done(Reply::<u32>::Done)));
        Operation::try_new(0, request, called, end).unwrap()
    };
    let history: Vec<_> = (0..100_000).map(put).collect();
    let verdict = Checker::new().bytes(4096).check(&KeyValue::new(), &history);
    assert!(verdict.is_legal(), "{verdict}");
}

#[test]
fn whoever_says_stop_gets_unknown() {
    let asked = Cell::new(0);
    let verdict = Checker::new().check_until(&KeyValue::new(), &exploding("a"), || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    });
    assert_eq!(verdict, Verdict::Unknown(Why::Stopped { left: 1 }));
    assert_eq!(asked.get(), 4);
}

#[test]
fn the_same_history_gets_the_same_answer() {
    let mut history = illegal("b");
    history.extend(exploding("a"));
    let first = Checker::new().check(&KeyValue::new(), &history);
    assert_eq!(first, Checker::new().check(&KeyValue::new(), &history));
}

#[test]
fn nothing_is_legal_and_so_is_what_never_happened() {
    assert_eq!(
        Checker::new().check(&KeyValue::<u8, u8>::new(), &[]),
        Verdict::Legal { order: vec![] }
    );
    let lost: Op =
        Operation::try_new(1, Request::Put("a", 1), 1, Some((2, Outcome::Failed))).unwrap();
    let read = done(Request::Get("a"), Reply::Value(Some(1)), 3, 4);
    assert!(
        Checker::new()
            .check(&KeyValue::new(), &[lost, read])
            .is_illegal()
    );
}
