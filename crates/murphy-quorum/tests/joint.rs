//! Members are exchanged, and nothing is decided twice or lost: old, then both, then new.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_quorum::register::{Ask, Register, Stored, Versioned};
use murphy_quorum::{
    BadQuorum, Joint, Members, Outcome, Quorum, ReadWrite, Rule, Set, System, Threshold,
};
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

const OLD: [&str; 3] = ["a", "b", "c"];
const NEW: [&str; 3] = ["c", "d", "e"];
const ALL: [&str; 5] = ["a", "b", "c", "d", "e"];
const PATIENCE: Duration = Duration::from_millis(10);

/// Which configuration one decides by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Old,
    Both,
    New,
}

use Step::{Both, New, Old};

fn both() -> (Joint<Threshold>, Members<&'static str>) {
    Joint::majorities(OLD, NEW).unwrap()
}

/// Who voted for whom, one vote each: those of `ones` for 1, the others for 2.
async fn is_elected(candidate: u8, step: Step, ones: Set) -> bool {
    let voter = |name: &'static str| {
        let at = ALL.iter().position(|known| *known == name);
        let vote = if ones.contains(at.unwrap()) { 1 } else { 2 };
        let voter = service_fn(move |candidate: u8| async move {
            if candidate == vote {
                Ok(())
            } else {
                Err("voted for another")
            }
        });
        (name, voter)
    };
    let judge = |told: Result<&(), &&str>| match told {
        Ok(()) => Outcome::Yes(()),
        Err(_) => Outcome::No,
    };
    async fn ask<S: tower::Service<u8, Response = (), Error = &'static str> + Clone>(
        voters: impl Iterator<Item = (&'static str, S)>,
        rule: impl Rule<()> + Clone,
        judge: impl Fn(Result<&(), &&'static str>) -> Outcome<()> + Clone,
        candidate: u8,
    ) -> bool {
        let quorum = Quorum::try_new(voters, rule).unwrap().judge(judge);
        quorum.oneshot(candidate).await.is_ok()
    }
    let majority = Threshold::majority(3).unwrap();
    match step {
        Old => ask(OLD.map(voter).into_iter(), majority, judge, candidate).await,
        New => ask(NEW.map(voter).into_iter(), majority, judge, candidate).await,
        Both => {
            let (rule, members) = both();
            let voters = members.into_names().into_iter().map(voter);
            ask(voters, rule, judge, candidate).await
        }
    }
}

/// Whether some votes elect one candidate by one configuration, and another by another.
async fn may_elect_two(one: Step, other: Step) -> bool {
    for ones in (0..1 << ALL.len()).map(Set::from_bits) {
        if is_elected(1, one, ones).await && is_elected(2, other, ones).await {
            return true;
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn who_is_a_step_behind_elects_nobody_else() {
    for (one, other) in [(Old, Both), (Both, Both), (Both, New)] {
        assert!(!may_elect_two(one, other).await, "{one:?} {other:?}");
        assert!(!may_elect_two(other, one).await, "{other:?} {one:?}");
    }
    // In one step from old to new: what the test would see.
    assert!(may_elect_two(Old, New).await);
}

/// A value on all five; who is down is silent.
#[derive(Clone, Default)]
struct World {
    stored: [Arc<Mutex<Stored<u32>>>; 5],
    down: Arc<Mutex<Set>>,
}

type Replica = BoxCloneSyncService<Ask<u32>, Versioned<u32>, Infallible>;

impl World {
    fn replica(&self, name: &'static str) -> (&'static str, Replica) {
        let at = ALL.iter().position(|known| *known == name).unwrap();
        let (stored, down) = (Arc::clone(&self.stored[at]), Arc::clone(&self.down));
        let replica = service_fn(move |ask: Ask<u32>| {
            let is_up = !down.lock().unwrap().contains(at);
            let told = is_up.then(|| stored.lock().unwrap().on(ask));
            async move {
                match told {
                    Some(told) => Ok(told),
                    None => std::future::pending().await,
                }
            }
        });
        (name, BoxCloneSyncService::new(replica))
    }

    /// One read or write by a configuration, while these are down.
    async fn run(&self, step: Step, down: Set, write: Option<u32>) -> Result<Option<u32>, String> {
        *self.down.lock().unwrap() = down;
        let replicas = |names: &[&'static str]| -> Vec<_> {
            names.iter().map(|name| self.replica(name)).collect()
        };
        match step {
            Old => does(Register::try_new(replicas(&OLD), 1).unwrap(), write).await,
            New => does(Register::try_new(replicas(&NEW), 3).unwrap(), write).await,
            Both => {
                let (joint, members) = both();
                let quorums = ReadWrite::of(joint.clone(), joint).unwrap();
                let replicas = replicas(&members.into_names());
                does(Register::over(replicas, 2, &quorums).unwrap(), write).await
            }
        }
    }
}

async fn does<Q>(
    register: Register<&'static str, Replica, Q>,
    write: Option<u32>,
) -> Result<Option<u32>, String>
where
    Q: System + Clone + Send + 'static,
{
    let mut register = register.patience(PATIENCE);
    let done = match write {
        Some(value) => register.write(value).await.map(|_| Some(value)),
        None => register.read().await.map(|read| read.into_value()),
    };
    done.map_err(|e| e.to_string())
}

/// Whom a step does without: one of the old and one of the new at most.
fn spared() -> impl Iterator<Item = Set> + Clone {
    let sets = (0..1 << ALL.len()).map(Set::from_bits);
    sets.filter(|down| {
        let of = |bits| down.and(Set::from_bits(bits)).len();
        of(0b00111) <= 1 && of(0b11100) <= 1
    })
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_read_a_step_behind_and_a_step_ahead() {
    for (writes, reads) in [(Old, Both), (Both, Old), (Both, New), (New, Both)] {
        for write_down in spared() {
            for read_down in spared() {
                let world = World::default();
                world.run(writes, write_down, Some(7)).await.unwrap();
                let read = world.run(reads, read_down, None).await;
                assert_eq!(
                    read,
                    Ok(Some(7)),
                    "{writes:?} {reads:?} {write_down:?} {read_down:?}"
                );
            }
        }
    }
}

/// The way from one to the other: one read by both carries the value over.
#[tokio::test(start_paused = true)]
async fn a_read_by_both_carries_the_value_over_and_without_it_it_is_left_behind() {
    let mut left_behind = 0;
    for down in spared() {
        for later in spared() {
            let world = World::default();
            world.run(Old, down, Some(7)).await.unwrap();
            let found = world.run(New, later, None).await.unwrap();
            left_behind += u32::from(found.is_none());

            let world = World::default();
            world.run(Old, down, Some(7)).await.unwrap();
            world.run(Both, later, None).await.unwrap();
            let found = world.run(New, down, None).await;
            assert_eq!(found, Ok(Some(7)), "{down:?} {later:?}");
            // From here on nobody asks the old ones.
            let old = Set::first(2);
            world.run(New, old, Some(8)).await.unwrap();
            assert_eq!(world.run(New, old, None).await, Ok(Some(8)));
        }
    }
    assert!(left_behind > 0, "the test would see it");
}

#[tokio::test(start_paused = true)]
async fn by_both_neither_half_decides_alone() {
    let world = World::default();
    for (down, who) in [(0b11000, "d and e"), (0b00011, "a and b")] {
        let e = world.run(Both, Set::from_bits(down), Some(1)).await;
        assert!(e.unwrap_err().starts_with("impossible"), "without {who}");
    }
}

#[test]
fn positions_are_by_name_and_a_bad_configuration_is_refused() {
    let (joint, members) = Joint::majorities(["a", "b"], ["c", "b", "d"]).unwrap();
    assert_eq!(members.into_names(), ["a", "b", "c", "d"]);
    assert_eq!(
        joint.into_new(),
        Threshold::majority_of(Set::from_bits(0b1110)).unwrap()
    );
    let e = |old: &[u8], new: &[u8]| {
        let made = Joint::majorities(old.to_vec(), new.to_vec());
        made.unwrap_err()
    };
    assert_eq!(e(&[], &[1]), BadQuorum::NoMembers);
    assert_eq!(e(&[1], &[]), BadQuorum::NoMembers);
    assert!(matches!(e(&[1], &[2, 3, 2]), BadQuorum::Twice { .. }));
    let many: Vec<u8> = (0..40).collect();
    let others: Vec<u8> = (30..100).collect();
    assert_eq!(e(&many, &others), BadQuorum::TooMany { members: 65 });
    let others: Vec<u8> = (30..80).collect();
    assert_eq!(e(&many, &others), BadQuorum::TooMany { members: 65 });
}
