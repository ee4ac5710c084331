//! Cheap checks name the first violation.

use murphy_check::invariant::{
    BadSum, Fell, OwnWriteMissed, Twice, TwoLeaders, at_most_once, one_leader_a_term,
    reads_own_writes, sum_is_kept, tokens_never_fall, tokens_rise,
};
use murphy_check::model::key_value::{KeyValue, Reply, Request};
use murphy_check::{Checker, History, Operation, Outcome, Verdict};

use crate::random::{Random, Words, history};

#[test]
fn each_names_the_first_violation() {
    let twice = Twice {
        key: 'b',
        first: 1,
        again: 2,
    };
    assert_eq!(at_most_once(['a', 'b', 'b', 'a']), Err(twice));
    let fell = Fell {
        token: 2,
        at: 2,
        before: 2,
    };
    assert_eq!(tokens_rise([1, 2, 2, 1]), Err(fell));
    let fell = Fell {
        token: 1,
        at: 3,
        before: 2,
    };
    assert_eq!(tokens_never_fall([1, 2, 2, 1]), Err(fell));
    let two = TwoLeaders {
        term: 2,
        one: 'b',
        other: 'c',
        at: 3,
    };
    assert_eq!(
        one_leader_a_term([(1, 'a'), (2, 'b'), (1, 'a'), (2, 'c')]),
        Err(two)
    );
    let sum = BadSum {
        at: 1,
        found: -1,
        wanted: 0,
    };
    assert_eq!(sum_is_kept(0, [[-5, 5], [4, -5]]), Err(sum));
    assert!(tokens_rise([f64::NAN, 1.0]).is_err());
}

#[test]
fn own_writes_are_read_unless_others_came_after() {
    type Op = Operation<Request<char, u8>, Reply<u8>>;
    let op = |process, request, reply, called, ended| -> Op {
        Operation::try_new(
            process,
            request,
            called,
            Some((ended, Outcome::Done(reply))),
        )
        .unwrap()
    };
    let put =
        |process, value, from, to| op(process, Request::Put('x', value), Reply::Done, from, to);
    let get =
        |process, value, from, to| op(process, Request::Get('x'), Reply::Value(value), from, to);
    let missed = |write, read| {
        Err(OwnWriteMissed {
            process: 1,
            write,
            read,
        })
    };
    for (name, history, want) in [
        (
            "its own",
            vec![put(1, 1, 1, 2), get(1, Some(1), 3, 4)],
            Ok(()),
        ),
        (
            "another's, later",
            vec![put(1, 1, 1, 2), put(2, 2, 3, 4), get(1, Some(2), 5, 6)],
            Ok(()),
        ),
        (
            "another's, at the same time",
            vec![put(2, 2, 1, 4), put(1, 1, 2, 3), get(1, Some(2), 5, 6)],
            Ok(()),
        ),
        (
            "another's, before",
            vec![put(2, 2, 1, 2), put(1, 1, 3, 4), get(1, Some(2), 5, 6)],
            missed(1, 2),
        ),
        (
            "nothing",
            vec![put(1, 1, 1, 2), get(1, None, 3, 4)],
            missed(0, 1),
        ),
        (
            "nobody's",
            vec![put(1, 1, 1, 2), get(1, Some(9), 3, 4)],
            missed(0, 1),
        ),
        (
            "another process may be behind",
            vec![put(1, 1, 1, 2), get(2, None, 3, 4)],
            Ok(()),
        ),
    ] {
        assert_eq!(reads_own_writes(&history), want, "{name}");
    }
}

#[test]
fn what_is_linearizable_reads_its_own_writes() {
    let words = Words::<KeyValue<char, u8>> {
        requests: (0..9)
            .map(|v| Request::Put('x', v))
            .chain((0..9).map(|_| Request::Get('x')))
            .collect(),
        replies: (0..9)
            .map(|v| Reply::Value(Some(v)))
            .chain([Reply::Value(None), Reply::Done])
            .collect(),
        lies: 10,
    };
    let mut missed = 0;
    for seed in 0..1_000 {
        let history = history(&KeyValue::new(), &words, 12, &mut Random(seed));
        let verdict = Checker::new().check(&KeyValue::new(), &history);
        let own = reads_own_writes(&history);
        missed += usize::from(own.is_err());
        assert!(
            own.is_ok() || !matches!(verdict, Verdict::Legal { .. }),
            "{history:#?}"
        );
    }
    assert!(missed > 20, "{missed}");
    let recorder: History<Request<char, u8>, Reply<u8>> = History::new();
    assert_eq!(reads_own_writes(&recorder.operations()), Ok(()));
}
