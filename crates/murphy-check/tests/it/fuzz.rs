//! The search against brute force, on every model: 100,000 histories of up to 7 operations with `--release`, 2,000 without.

use std::collections::BTreeSet;

use murphy_check::model::{
    cas, counter, fenced, key_value, lease, mutex, queue, register, set, text,
};
use murphy_check::{Checker, Model, OperationOf, Outcome, Verdict, Witness, check};

use crate::brute::{self, Step};
use crate::random::{Random, Words, history};

const MODELS: usize = 10;
const OPERATIONS: usize = 7;

fn histories() -> usize {
    let all = if cfg!(debug_assertions) {
        2_000
    } else {
        100_000
    };
    all / MODELS
}

/// Every verdict is brute force's; every order explains the history; every witness is one.
fn agree<M: Model>(name: &str, model: &M, words: &Words<M>)
where
    M::Request: PartialEq,
{
    let (mut legal, mut illegal) = (0, 0);
    let all = histories();
    for seed in 0..all as u64 {
        let history = history(model, words, OPERATIONS, &mut Random(seed));
        let is_legal = brute::is_legal(model, &brute::steps::<M>(&history));
        match check(model, &history) {
            Verdict::Legal { order } => {
                assert!(is_legal, "{name} {seed}: illegal, not legal: {history:#?}");
                explains(model, &history, &order);
                legal += 1;
            }
            Verdict::Illegal(witness) => {
                assert!(!is_legal, "{name} {seed}: legal, not illegal: {history:#?}");
                shows(model, &history, &witness);
                illegal += 1;
            }
            Verdict::Unknown(why) => panic!("{name} {seed}: {why}: {history:#?}"),
        }
    }
    println!("{name}: {legal} legal, {illegal} illegal");
    let fifth = all / 5;
    assert!(
        legal > fifth && illegal > fifth,
        "{name}: {legal} : {illegal}"
    );
}

fn explains<M: Model>(model: &M, history: &[OperationOf<M>], order: &[usize]) {
    let placed: BTreeSet<usize> = order.iter().copied().collect();
    assert_eq!(placed.len(), order.len(), "each once: {order:?}");
    for (at, operation) in history.iter().enumerate() {
        let is_needed = matches!(operation.outcome(), Outcome::Done(_));
        let is_read = model.is_read(operation.request(), None);
        assert!(placed.contains(&at) || !is_needed, "{at} of {history:?}");
        assert!(!placed.contains(&at) || is_needed || !is_read);
    }
    for (i, &first) in order.iter().enumerate() {
        for &second in &order[i + 1..] {
            let returned = history[second].returned();
            assert!(
                returned.is_none_or(|r| r >= history[first].called()),
                "{order:?}"
            );
        }
    }
    // All parts in one order; each part has its own state.
    let is_whole = history.iter().any(|o| model.key(o.request()).is_none());
    let mut states: Vec<(Option<M::Key>, Vec<M::State>)> = Vec::new();
    for &at in order {
        let operation = &history[at];
        let key = if is_whole {
            None
        } else {
            model.key(operation.request())
        };
        let place = states
            .iter()
            .position(|(k, _)| *k == key)
            .unwrap_or_else(|| {
                states.push((key, vec![model.initial()]));
                states.len() - 1
            });
        let after = |state| model.step(state, operation.request(), operation.reply());
        let next: Vec<M::State> = states[place].1.iter().flat_map(after).collect();
        assert!(!next.is_empty(), "{at} of {order:?} in {history:#?}");
        states[place].1 = next;
    }
}

/// A witness is illegal by itself, whatever the others did; and each of its operations is needed.
fn shows<M: Model>(
    model: &M,
    history: &[OperationOf<M>],
    witness: &Witness<M::Key, M::Request, M::Reply>,
) {
    let Witness {
        operations,
        places,
        stuck,
        is_smallest,
        ..
    } = witness;
    assert!(
        !brute::is_legal(model, &brute::steps::<M>(operations)),
        "{history:#?} {witness:#?}"
    );
    assert!(
        places.contains(stuck) && *is_smallest,
        "{history:#?} {witness:#?}"
    );
    assert!(check(model, operations).is_illegal());
    let end = history[*stuck]
        .returned()
        .expect("what is stuck was answered");
    let others = |kept: &[usize]| -> Vec<Step<'_, M>> {
        let happened = |o: &OperationOf<M>| !matches!(o.outcome(), Outcome::Failed);
        let about =
            |o: &OperationOf<M>| witness.key.is_none() || model.key(o.request()) == witness.key;
        let in_play =
            |(_, o): &(usize, &OperationOf<M>)| happened(o) && about(o) && o.called() <= end;
        let step = |(at, operation): (usize, _)| {
            let returned = OperationOf::<M>::returned(operation).filter(|r| *r <= end);
            Step {
                operation,
                may_be_left_out: !kept.contains(&at) || returned.is_none(),
                returned,
            }
        };
        history
            .iter()
            .enumerate()
            .filter(in_play)
            .map(step)
            .collect()
    };
    assert!(
        !brute::is_legal(model, &others(places)),
        "{history:#?} {witness:#?}"
    );
    for at in places {
        let fewer: Vec<usize> = places.iter().copied().filter(|other| other != at).collect();
        assert!(
            brute::is_legal(model, &others(&fewer)),
            "without {at}: {history:#?} {witness:#?}"
        );
    }
}

#[test]
fn registers_are_judged_as_by_brute_force() {
    use register::{Reply, Request};
    let words = Words {
        requests: vec![
            Request::Read,
            Request::Read,
            Request::Write(1),
            Request::Write(2),
            Request::Write(3),
        ],
        replies: vec![
            Reply::Value(None),
            Reply::Value(Some(1)),
            Reply::Value(Some(2)),
            Reply::Value(Some(3)),
            Reply::Written,
        ],
        lies: 25,
    };
    agree("register", &register::Register::new(), &words);
}

#[test]
fn compare_and_set_is_judged_as_by_brute_force() {
    use cas::{Reply, Request};
    let cas = |from, to| Request::Cas { from, to };
    let words = Words {
        requests: vec![
            Request::Read,
            Request::Read,
            Request::Write(1),
            cas(None, 1),
            cas(Some(1), 2),
            cas(Some(2), 1),
            cas(Some(1), 1),
        ],
        replies: vec![
            Reply::Value(None),
            Reply::Value(Some(1)),
            Reply::Value(Some(2)),
            Reply::Written,
            Reply::Swapped(true),
            Reply::Swapped(false),
        ],
        lies: 25,
    };
    agree("cas", &cas::CasRegister::new(), &words);
}

#[test]
fn key_values_are_judged_as_by_brute_force() {
    use key_value::{Reply, Request};
    let mut requests = Vec::new();
    for key in ["a", "b"] {
        requests.extend([
            Request::Get(key),
            Request::Get(key),
            Request::Put(key, 1),
            Request::Put(key, 2),
            Request::Delete(key),
            Request::Cas {
                key,
                from: Some(1),
                to: 2,
            },
        ]);
    }
    let words = Words {
        requests,
        replies: vec![
            Reply::Value(None),
            Reply::Value(Some(1)),
            Reply::Value(Some(2)),
            Reply::Done,
            Reply::Swapped(true),
            Reply::Swapped(false),
        ],
        lies: 25,
    };
    // One state for both keys would be another model: the honest one is asked key by key.
    agree_by_key(&words);
}

fn agree_by_key(words: &Words<key_value::KeyValue<&'static str, i32>>) {
    let model = key_value::KeyValue::new();
    let (mut legal, mut illegal) = (0, 0);
    for seed in 0..histories() as u64 {
        let mut random = Random(seed);
        let half = |key: &'static str| Words::<key_value::KeyValue<_, _>> {
            requests: words
                .requests
                .iter()
                .filter(|r| model.key(r) == Some(key))
                .cloned()
                .collect(),
            replies: words.replies.clone(),
            lies: words.lies,
        };
        // Two histories side by side, event by event: what one key does is nothing to the other.
        let mut all = history(&model, &half("a"), 4, &mut random);
        all.extend(history(&model, &half("b"), 3, &mut random));
        all.sort_by_key(murphy_check::Operation::called);
        let part = |key| {
            let mut part = all.clone();
            part.retain(|o| model.key(o.request()) == Some(key));
            part
        };
        let (a, b) = (part("a"), part("b"));
        let is_legal = [&a, &b]
            .iter()
            .all(|part| brute::is_legal(&model, &brute::steps(part)));
        match check(&model, &all) {
            Verdict::Legal { order } => {
                assert!(is_legal, "{all:#?}");
                explains(&model, &all, &order);
                legal += 1;
            }
            Verdict::Illegal(witness) => {
                assert!(!is_legal, "{all:#?}");
                shows(&model, &all, &witness);
                illegal += 1;
            }
            Verdict::Unknown(why) => panic!("{why}"),
        }
    }
    println!("key-value: {legal} legal, {illegal} illegal");
    assert!(
        legal > histories() / 5 && illegal > histories() / 5,
        "{legal} : {illegal}"
    );
}

#[test]
fn texts_are_judged_as_by_brute_force() {
    use text::{Reply, Request};
    let append = |t: &str| Request::Append("k".into(), t.into());
    let value = |t: &str| Reply::Value(t.into());
    let words = Words {
        requests: vec![
            Request::Get("k".into()),
            Request::Get("k".into()),
            Request::Put("k".into(), "a".into()),
            append("b"),
            append("c"),
        ],
        replies: vec![
            value(""),
            value("a"),
            value("b"),
            value("ab"),
            value("bc"),
            value("c"),
            value("abc"),
            Reply::Done,
        ],
        lies: 25,
    };
    agree("text", &text::Texts, &words);
}

#[test]
fn counters_are_judged_as_by_brute_force() {
    use counter::{Reply, Request};
    let mut replies: Vec<Reply> = (-3..6).map(Reply::Value).collect();
    replies.push(Reply::Added);
    let requests = vec![
        Request::Read,
        Request::Read,
        Request::Add(1),
        Request::Add(2),
        Request::Add(-1),
    ];
    let words = Words {
        requests,
        replies,
        lies: 25,
    };
    agree("counter", &counter::Counter, &words);
}

#[test]
fn sets_are_judged_as_by_brute_force() {
    use set::{Reply, Request};
    let these = |these: &[i32]| Reply::These(these.iter().copied().collect());
    let words = Words {
        requests: vec![
            Request::Add(1),
            Request::Add(2),
            Request::Remove(1),
            Request::Contains(1),
            Request::Contains(2),
            Request::All,
        ],
        replies: vec![
            Reply::Done,
            Reply::Is(true),
            Reply::Is(false),
            these(&[]),
            these(&[1]),
            these(&[2]),
            these(&[1, 2]),
        ],
        lies: 18,
    };
    agree("set", &set::Set::new(), &words);
}

#[test]
fn queues_are_judged_as_by_brute_force() {
    use queue::{Reply, Request};
    let words = Words {
        requests: vec![
            Request::Enqueue(1),
            Request::Enqueue(2),
            Request::Enqueue(3),
            Request::Dequeue,
            Request::Dequeue,
            Request::Dequeue,
        ],
        replies: vec![
            Reply::Enqueued,
            Reply::Dequeued(None),
            Reply::Dequeued(Some(1)),
            Reply::Dequeued(Some(2)),
            Reply::Dequeued(Some(3)),
        ],
        lies: 18,
    };
    agree("queue", &queue::Queue::new(), &words);
}

#[test]
fn mutexes_are_judged_as_by_brute_force() {
    use mutex::{Reply, Request};
    let words = Words {
        requests: vec![Request::Acquire, Request::Release],
        replies: vec![Reply::Done, Reply::Refused],
        lies: 30,
    };
    agree("mutex", &mutex::Mutex, &words);
}

#[test]
fn leases_are_judged_as_by_brute_force() {
    use lease::{Reply, Request};
    let mut requests = Vec::new();
    for who in ['a', 'b'] {
        requests.extend([
            Request::Acquire(who),
            Request::Acquire(who),
            Request::Renew(who),
            Request::Release(who),
            Request::Expire(who),
        ]);
    }
    let replies = vec![Reply::Done, Reply::Refused];
    agree(
        "lease",
        &lease::Lease::new(),
        &Words {
            requests,
            replies,
            lies: 30,
        },
    );
}

#[test]
fn fenced_leases_are_judged_as_by_brute_force() {
    use fenced::{Reply, Request};
    let mut requests = Vec::new();
    for who in ['a', 'b'] {
        requests.extend([
            Request::Acquire(who),
            Request::Acquire(who),
            Request::Renew(who),
            Request::Release(who),
            Request::Expire(who),
        ]);
    }
    requests.extend([Request::Write(1), Request::Write(2), Request::Write(3)]);
    let replies = vec![
        Reply::Done,
        Reply::Refused,
        Reply::Held(1),
        Reply::Held(2),
        Reply::Held(3),
    ];
    agree(
        "fenced",
        &fenced::FencedLease::new(),
        &Words {
            requests,
            replies,
            lies: 18,
        },
    );
}

#[test]
fn bounds_change_no_verdict_but_to_unknown() {
    use queue::{Queue, Reply, Request};
    let words = Words {
        requests: vec![Request::Enqueue(1), Request::Enqueue(2), Request::Dequeue],
        replies: vec![
            Reply::Enqueued,
            Reply::Dequeued(None),
            Reply::Dequeued(Some(1)),
            Reply::Dequeued(Some(2)),
        ],
        lies: 25,
    };
    let (model, mut unknown) = (Queue::new(), 0);
    for seed in 0..300 {
        let history = history(&model, &words, OPERATIONS, &mut Random(seed));
        let whole = check(&model, &history);
        for steps in 0..40 {
            let bounded = Checker::new().steps(steps).check(&model, &history);
            unknown += usize::from(bounded.is_unknown());
            assert!(bounded.is_unknown() || bounded.exit_code() == whole.exit_code());
        }
    }
    assert!(unknown > 300, "{unknown}");
}
