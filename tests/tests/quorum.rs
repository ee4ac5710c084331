//! Votes, locks and registers on quorums, under a network that is rough in as many ways as there are seeds: in virtual
//! time. What is off by one breaks under the same schedules, or the schedules would show nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use murphy_fault::{Chaos, TimeLimit};
use murphy_quorum::register::{Ask, Register, Stored, Versioned};
use murphy_quorum::{Compensate, Eventual, Outcome, Persisted, Quorum, Rule, Threshold, Voter};
use tests::ms;
use tests::rough::{Draws, weather};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep, timeout};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};

const NODES: [&str; 5] = ["n0", "n1", "n2", "n3", "n4"];
const CLIENTS: [&str; 3] = ["a", "b", "c"];

/// How many schedules: a hundred thousand where the compiler optimises, fewer where it does not.
const SCHEDULES: u64 = if cfg!(debug_assertions) {
    1_500
} else {
    100_000
};

/// Runs each schedule in a runtime of its own, on two threads, and gives what came of those that say something.
fn schedules<T: Send>(schedules: u64, run: impl Fn(u64) -> Option<T> + Sync) -> Vec<(u64, T)> {
    let half = |from: u64| {
        (from..schedules)
            .step_by(2)
            .filter_map(|seed| Some((seed, run(seed)?)))
            .collect()
    };
    let mut found: Vec<(u64, T)> = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut all: Vec<_> = half(0);
        all.extend(other.join().expect("no schedule panics"));
        all
    });
    found.sort_by_key(|(seed, _)| *seed);
    found
}

fn in_virtual_time<T>(run: impl Future<Output = T>) -> T {
    let mut builder = Builder::new_current_thread();
    builder
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(run)
}

/// A line from a client to a node: through the network's faults, to a service on the node.
fn line<Req, Res>(
    chaos: &Chaos,
    client: &str,
    node: &str,
    service: impl Fn(Req) -> Result<Res, BoxError> + Clone + Send + Sync + 'static,
) -> BoxCloneSyncService<Req, Res, BoxError>
where
    Req: Clone + Send + 'static,
    Res: Clone + Send + 'static,
{
    let service = service_fn(move |request: Req| {
        let told = service(request);
        async move { told }
    });
    let service = chaos.node(node).layer().layer(service);
    let layer = chaos
        .site(&format!("{client}->{node}"))
        .layer()
        .duplicating();
    BoxCloneSyncService::new(layer.layer(service))
}

/// Three candidates, up to four campaigns each: who was elected when.
async fn elections(
    seed: u64,
    rule: impl Rule<()> + Clone + std::fmt::Debug + Send + Sync + 'static,
) -> BTreeMap<u64, Vec<&'static str>> {
    let chaos = Chaos::new(murphy_core::Seed::new(seed));
    let plan = weather(seed, &chaos, &CLIENTS, &NODES);
    let voters = NODES.map(|_| Arc::new(Mutex::new(Voter::new(Persisted::default()))));
    let elected: Arc<Mutex<BTreeMap<u64, Vec<&str>>>> = Arc::default();
    let campaigns = CLIENTS.map(|client| {
        let lines = NODES.iter().zip(&voters).map(|(node, voter)| {
            let voter = Arc::clone(voter);
            let vote = move |term: u64| {
                let mut voter = voter.lock().unwrap();
                Ok(voter
                    .request(term, &client)
                    .map(drop)
                    .map_err(|_| voter.state().term))
            };
            (*node, line(&chaos, client, node, vote))
        });
        let judge = |told: Result<&Result<(), u64>, &BoxError>| match told {
            Ok(Ok(())) => Outcome::Yes(()),
            Ok(Err(_)) => Outcome::No,
            Err(_) => Outcome::Unknown,
        };
        let quorum = Quorum::try_new(lines, rule.clone()).unwrap();
        let quorum = quorum.judge(judge).patience(ms(80));
        let (draws, elected) = (Draws::new(seed), Arc::clone(&elected));
        async move {
            let mut term = 0;
            for round in 0..4 {
                sleep(ms(draws.below(client, round, 60))).await;
                term += 1;
                match quorum.clone().oneshot(term).await {
                    Ok(_) => elected
                        .lock()
                        .unwrap()
                        .entry(term)
                        .or_default()
                        .push(client),
                    Err(e) => {
                        let known = (0..NODES.len())
                            .filter_map(|at| e.outcomes().result(at)?.as_ref().ok());
                        // Who refused has said in which term it is.
                        let _seen = known.count();
                    }
                }
            }
        }
    });
    let _armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let [a, b, c] = campaigns;
    tokio::join!(a, b, c);
    let elected = elected.lock().unwrap();
    elected.clone()
}

#[test]
fn no_schedule_elects_two_leaders_in_a_term_and_of_two_of_five_some_do() {
    let doubled = |seed, rule: Threshold| {
        let elected = in_virtual_time(elections(seed, rule));
        let most = elected.values().map(Vec::len).max();
        (most > Some(1)).then_some(elected)
    };
    let majority = Threshold::majority(5).unwrap();
    assert_eq!(schedules(SCHEDULES, |seed| doubled(seed, majority)), []);
    let off_by_one = Threshold::of_first(2, 5).unwrap();
    assert_ne!(schedules(200, |seed| doubled(seed, off_by_one)), []);
    // And some are elected: safety is not silence.
    let some = |seed| {
        let elected = in_virtual_time(elections(seed, majority));
        (!elected.is_empty()).then_some(())
    };
    assert!(schedules(200, some).len() > 100);
    let once = in_virtual_time(elections(7, majority));
    assert_eq!(
        once,
        in_virtual_time(elections(7, majority)),
        "a seed repeats"
    );
}

/// What a lock is asked; by whom, in its how-manieth attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hold {
    Take(&'static str),
    Undo(&'static str),
}

/// Held by one at a time. Who was refused, or has let go, does not get it by a copy of the request that comes later:
/// a no is for good.
#[derive(Debug, Default)]
struct Lock {
    holder: Option<&'static str>,
    over: Vec<&'static str>,
}

impl Lock {
    fn on(&mut self, ask: Hold) -> bool {
        match ask {
            Hold::Take(who) if self.over.contains(&who) => false,
            Hold::Take(who) => {
                let granted = *self.holder.get_or_insert(who) == who;
                if !granted {
                    self.over.push(who);
                }
                granted
            }
            Hold::Undo(who) => {
                self.over.push(who);
                self.holder.take_if(|holder| *holder == who);
                true
            }
        }
    }
}

/// Two clients want five locks, and one may leave early: who won, and who holds what at the end.
async fn locks(seed: u64, compensates: bool) -> (Vec<&'static str>, Vec<Option<&'static str>>) {
    let chaos = Chaos::new(murphy_core::Seed::new(seed));
    let clients = ["a", "b"];
    let plan = weather(seed, &chaos, &clients, &NODES);
    let locks = NODES.map(|_| Arc::new(Mutex::new(Lock::default())));
    let undo = move |ask: &Hold| match ask {
        Hold::Take(who) if compensates => Some(Hold::Undo(who)),
        _ => None,
    };
    let draws = Draws::new(seed);
    let takes = clients.map(|client| {
        let lines = NODES.iter().zip(&locks).map(|(node, lock)| {
            let lock = Arc::clone(lock);
            let hold = move |ask: Hold| Ok(lock.lock().unwrap().on(ask));
            (*node, line(&chaos, client, node, hold))
        });
        let judge = |told: Result<&bool, &BoxError>| match told {
            Ok(true) => Outcome::Yes(()),
            Ok(false) => Outcome::No,
            Err(_) => Outcome::Unknown,
        };
        let quorum = Quorum::try_new(lines, Threshold::majority(5).unwrap()).unwrap();
        let stragglers = Compensate::new(undo).patience(ms(200)).attempts(60, ms(20));
        let quorum = quorum.judge(judge).patience(ms(100)).stragglers(stragglers);
        // Now and then nobody waits to the end.
        let leaves = ms(40 + draws.below(client, 9, 200));
        async move {
            let taken = timeout(leaves, quorum.oneshot(Hold::Take(client))).await;
            matches!(taken, Ok(Ok(_))).then_some(client)
        }
    });
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let [a, b] = takes;
    let (a, b) = tokio::join!(a, b);
    // Until the weather has passed, and then some.
    sleep(ms(30_000)).await;
    drop(armed);
    let held = locks.map(|lock| lock.lock().unwrap().holder);
    (a.into_iter().chain(b).collect(), held.to_vec())
}

#[test]
fn no_schedule_leaves_a_grant_behind_and_without_compensation_some_do() {
    let left = |seed, compensates| {
        let (won, held) = in_virtual_time(locks(seed, compensates));
        assert!(won.len() <= 1, "two holders: {won:?}, seed {seed}");
        let in_vain = held.iter().flatten().any(|holder| !won.contains(holder));
        in_vain.then_some((won, held))
    };
    assert_eq!(schedules(SCHEDULES / 2, |seed| left(seed, true)), []);
    assert_ne!(schedules(100, |seed| left(seed, false)), []);
}

/// An operation on a register, as a client saw it: by a counter of the test's.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Operation {
    began: usize,
    /// None: it may have taken effect at any time after it began, or never.
    ended: Option<usize>,
    wrote: Option<u32>,
    read: Option<u32>,
}

/// Two clients with three operations each.
async fn history(seed: u64, eventual: bool) -> Vec<Operation> {
    let chaos = Chaos::new(murphy_core::Seed::new(seed));
    let (clients, nodes) = (["a", "b"], ["n0", "n1", "n2"]);
    let plan = weather(seed, &chaos, &clients, &nodes);
    let stored = nodes.map(|_| Arc::new(Mutex::new(Stored::<u32>::default())));
    let (draws, clock) = (Draws::new(seed), Arc::new(Mutex::new(0)));
    let done = [0_u64, 1].map(|client| {
        let lines = nodes.iter().zip(&stored).map(|(node, stored)| {
            let stored = Arc::clone(stored);
            let on = move |ask: Ask<u32>| Ok(stored.lock().unwrap().on(ask));
            (*node, line(&chaos, clients[client as usize], node, on))
        });
        let mut register: Register<&str, BoxCloneSyncService<Ask<u32>, Versioned<u32>, BoxError>> =
            if eventual {
                Register::eventual(lines, client, Eventual::try_new(3, 1, 1).unwrap()).unwrap()
            } else {
                Register::try_new(lines, client).unwrap()
            }
            .patience(ms(100));
        let (draws, clock) = (draws.clone(), Arc::clone(&clock));
        let tick = move || {
            let mut clock = clock.lock().unwrap();
            *clock += 1;
            *clock
        };
        async move {
            let mut done = Vec::new();
            for round in 0..3_u64 {
                sleep(ms(draws.below(clients[client as usize], round, 50))).await;
                let writes = draws.draw("writes", 10 * client + round).bits() >> 60 & 1 == 0;
                let (began, value) = (tick(), (10 * client + round + 1) as u32);
                if writes {
                    let ended = register.write(value).await.is_ok();
                    let ended = ended.then(&tick);
                    done.push(Operation {
                        began,
                        ended,
                        wrote: Some(value),
                        read: None,
                    });
                } else if let Ok(read) = register.read().await {
                    let ended = Some(tick());
                    let read = read.into_value();
                    done.push(Operation {
                        began,
                        ended,
                        wrote: None,
                        read,
                    });
                }
            }
            done
        }
    });
    let _armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let [a, b] = done;
    let (a, b) = tokio::join!(a, b);
    a.into_iter().chain(b).collect()
}

/// By brute force: is there an order, in which each takes effect between its beginning and its end, and each read reads
/// what was written last?
fn is_linearizable(left: &[Operation], value: Option<u32>) -> bool {
    // What has not ended need not take effect.
    if left.iter().all(|operation| operation.ended.is_none()) {
        return true;
    }
    let first_end = left.iter().filter_map(|operation| operation.ended).min();
    (0..left.len()).any(|at| {
        let next = left[at];
        let may_be_next = first_end.is_none_or(|end| next.began < end);
        let reads_right = next.wrote.is_some() || next.read == value;
        let rest = || -> Vec<Operation> {
            let others = left.iter().enumerate().filter(|(n, _)| *n != at);
            others.map(|(_, operation)| *operation).collect()
        };
        may_be_next && reads_right && is_linearizable(&rest(), next.wrote.or(value))
    })
}

#[test]
fn the_judge_of_histories_knows_right_from_wrong() {
    let write = |value, began, ended| Operation {
        began,
        ended,
        wrote: Some(value),
        read: None,
    };
    let read = |value, began, ended| Operation {
        began,
        ended: Some(ended),
        wrote: None,
        read: value,
    };
    for (history, want) in [
        (vec![write(1, 1, Some(2)), read(Some(1), 3, 4)], true),
        (vec![write(1, 1, Some(2)), read(None, 3, 4)], false),
        (vec![write(1, 1, Some(4)), read(None, 2, 3)], true),
        (
            vec![write(1, 1, None), read(None, 2, 3), read(Some(1), 4, 5)],
            true,
        ),
        (
            vec![write(1, 1, None), read(Some(1), 2, 3), read(None, 4, 5)],
            false,
        ),
    ] {
        assert_eq!(is_linearizable(&history, None), want, "{history:?}");
    }
}

#[test]
fn every_history_of_the_register_is_linearizable_and_those_of_one_that_is_eventual_are_not() {
    let wrong = |seed, eventual| {
        let history = in_virtual_time(history(seed, eventual));
        (!is_linearizable(&history, None)).then_some(history)
    };
    assert_eq!(schedules(SCHEDULES, |seed| wrong(seed, false)), []);
    assert_ne!(schedules(300, |seed| wrong(seed, true)), []);
}

#[tokio::test(start_paused = true)]
async fn one_of_five_silent_costs_what_the_third_fastest_takes() {
    let chaos = Chaos::new(murphy_core::Seed::new(1));
    let lines = NODES.iter().enumerate().map(|(n, node)| {
        let service = service_fn(move |()| async move {
            sleep(ms(10 * (n as u64 + 1))).await;
            Ok::<_, BoxError>(n)
        });
        let layer = chaos.site(&format!("a->{node}")).layer();
        (*node, BoxCloneSyncService::new(layer.layer(service)))
    });
    let quorum = Quorum::try_new(lines, Threshold::majority(5).unwrap()).unwrap();
    for node in NODES {
        let _declared = chaos.node(node);
    }
    let _armed = chaos
        .arm(&murphy_fault::Plan::new(), TimeLimit::None)
        .unwrap();
    let _cut = chaos.network().isolate("n1").unwrap();
    let began = Instant::now();
    let answer = quorum.oneshot(()).await.unwrap();
    assert_eq!((began.elapsed(), answer.elapsed()), (ms(40), ms(40)));
}
