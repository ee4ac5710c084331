//! Leases under a network that is rough, on nodes that pause, crash and have clocks of their own rate, in as many ways as
//! there are seeds: in virtual time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_core::{Clock, Seed};
use murphy_fault::{Chaos, TimeLimit};
use murphy_lease::{
    Acquire, Claim, LeaseReply, LeaseRequest, LockName, MemoryStore, Nonce, QuorumStore, Rank,
    Renew, Ttl,
};
use tests::ms;
use tests::rough::{Draws, weather};
use tests::schedule::{SCHEDULES, in_virtual_time, line, schedules, skewed, unsteady};
use tokio::time::{Instant, sleep, timeout};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt, service_fn};

const CLIENTS: [&str; 3] = ["a", "b", "c"];
const MEMBERS: [&str; 5] = ["n0", "n1", "n2", "n3", "n4"];
const NODES: [&str; 6] = ["n0", "n1", "n2", "n3", "n4", "db"];

type Store = BoxCloneSyncService<LeaseRequest, LeaseReply, BoxError>;

/// On what leases are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    /// One store, on the first node.
    InMemory,
    /// All five.
    OnMajority,
    /// Each client has another three of the five for all: two majorities need not meet.
    OnDisagreement,
}

/// What goes wrong with a schedule, beside its weather.
#[derive(Clone, Copy, Debug, PartialEq)]
struct World {
    kept: Kept,
    is_fenced: bool,
    is_skewed: bool,
    /// One member forgets all it knew, some time.
    forgets: bool,
    is_counting: bool,
}

const SOUND: World = World {
    kept: Kept::OnMajority,
    is_fenced: true,
    is_skewed: true,
    forgets: false,
    is_counting: false,
};

/// A grant as its holder saw it.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    client: &'static str,
    nonce: Nonce,
    rank: Rank,
    /// Between these two ticks of a counter it was granted.
    began: u64,
    ended: u64,
    /// From when to when its holder took it for its own, by the true clock.
    held: (Instant, Instant),
}

/// What came of a schedule.
#[derive(Clone, Debug, Default, PartialEq)]
struct Story {
    ticks: u64,
    grants: Vec<Seen>,
    /// Of the counter that they all count up: writes that were admitted, and its value.
    admitted: u64,
    value: u64,
}

/// A counter that everybody reads and writes. Fenced, it admits no write whose token is below one that it has seen; else it admits
/// whatever comes. Copies of a write are none, to both.
#[derive(Debug, Default)]
struct Counter {
    is_fenced: bool,
    high: Option<(Rank, Nonce)>,
    done: BTreeMap<Nonce, u64>,
    value: u64,
    admitted: u64,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    /// Seals, and reads.
    Read,
    Write {
        n: u64,
        value: u64,
    },
}

impl Counter {
    fn on(&mut self, (rank, nonce): (Rank, Nonce), op: Op) -> Option<u64> {
        let token = (rank, nonce);
        if self.is_fenced {
            let high = *self.high.get_or_insert(token);
            if rank < high.0 || (rank == high.0 && nonce != high.1) {
                return None;
            }
            self.high = Some(token);
        }
        if let Op::Write { n, value } = op {
            let done = self.done.entry(nonce).or_default();
            if *done >= n {
                return None;
            }
            *done = n;
            self.value = value;
            self.admitted += 1;
        }
        Some(self.value)
    }
}

/// One who wants the lock a few times, and each time counts up a few times.
struct Client {
    name: &'static str,
    clock: Arc<dyn Clock>,
    store: Store,
    counter: BoxCloneSyncService<((Rank, Nonce), Op), Option<u64>, BoxError>,
    draws: Draws,
    story: Arc<Mutex<Story>>,
}

const TTL: Duration = ms(200);

fn lock() -> LockName {
    "counter".try_into().unwrap()
}

impl Client {
    async fn run(self) {
        for round in 0..6 {
            sleep(ms(self.draws.below(self.name, round, 40))).await;
            let nonce = self.draws.draw(self.name, 50 + round);
            let nonce = Nonce::from_bits(u128::from(nonce.bits()));
            if let Some((rank, until, at)) = self.acquire(nonce).await {
                self.hold((rank, nonce), until, at, round).await;
            }
            // Now and then it is left to its end.
            if self.draws.draw(self.name, 60 + round).unit() < 0.8 {
                let release = LeaseRequest::Release {
                    lock: lock(),
                    nonce,
                };
                let _told = timeout(ms(120), self.store.clone().oneshot(release)).await;
            }
        }
    }

    fn tick(&self) -> u64 {
        let mut story = self.story.lock().unwrap();
        story.ticks += 1;
        story.ticks
    }

    /// By its own clock, from before it asked, with the customary drift and margin.
    fn valid(&self, sent: Instant, ttl: Duration) -> Instant {
        (sent + ttl.mul_f64(0.99)).checked_sub(ms(2)).unwrap()
    }

    async fn acquire(&self, nonce: Nonce) -> Option<(Rank, Instant, usize)> {
        let asked = LeaseRequest::Acquire(Acquire {
            lock: lock(),
            nonce,
            ttl: Ttl::try_new(TTL).unwrap(),
            claim: Claim::Above(Rank::ZERO),
            wait: Duration::ZERO,
        });
        let (sent, truly, began) = (self.clock.now(), Instant::now(), self.tick());
        let told = timeout(ms(150), self.store.clone().oneshot(asked)).await;
        let Ok(Ok(LeaseReply::Granted(grant))) = told else {
            return None;
        };
        let ended = self.tick();
        let until = self.valid(sent, grant.ttl);
        let mut story = self.story.lock().unwrap();
        story.grants.push(Seen {
            client: self.name,
            nonce,
            rank: grant.rank,
            began,
            ended,
            held: (Instant::now(), self.valid(truly, grant.ttl)),
        });
        Some((grant.rank, until, story.grants.len() - 1))
    }

    async fn hold(&self, token: (Rank, Nonce), mut until: Instant, at: usize, round: u64) {
        for n in 1..=4 {
            until = self.renewed(token, until, at).await;
            if self.clock.now() >= until {
                break;
            }
            let Some(value) = self.ask(token, Op::Read).await else {
                break;
            };
            let work = self.draws.below(self.name, 70 + 10 * round + n, 30);
            sleep(ms(work)).await;
            // The chapter's own check. What becomes of it after that, it cannot know.
            if self.clock.now() >= until {
                break;
            }
            sleep(ms(work)).await;
            let value = value + 1;
            if self.ask(token, Op::Write { n, value }).await.is_none() {
                break;
            }
        }
        let held = &mut self.story.lock().unwrap().grants[at].held;
        held.1 = held.1.min(Instant::now());
    }

    async fn renewed(&self, (rank, nonce): (Rank, Nonce), until: Instant, at: usize) -> Instant {
        let (sent, truly) = (self.clock.now(), Instant::now());
        if sent + TTL / 2 < until {
            return until;
        }
        let renew = LeaseRequest::Renew(Renew {
            lock: lock(),
            nonce,
            rank,
            ttl: Ttl::try_new(TTL).unwrap(),
        });
        match timeout(ms(100), self.store.clone().oneshot(renew)).await {
            Ok(Ok(LeaseReply::Renewed { ttl })) if self.clock.now() < until => {
                let held = &mut self.story.lock().unwrap().grants[at].held;
                held.1 = held.1.max(self.valid(truly, ttl));
                until.max(self.valid(sent, ttl))
            }
            Ok(Ok(LeaseReply::NotHolder { .. })) => sent,
            _ => until,
        }
    }

    /// An operation of which nobody heard is one that may come later: nothing more is done under its token.
    async fn ask(&self, token: (Rank, Nonce), op: Op) -> Option<u64> {
        let asked = timeout(ms(150), self.counter.clone().oneshot((token, op))).await;
        asked.ok()?.ok()?
    }
}

/// The store as a client has it.
fn store(chaos: &Chaos, client: &'static str, world: World, members: &[MemoryStore]) -> Store {
    let lines = MEMBERS.iter().zip(members);
    let mut lines = lines.map(|(node, store)| (*node, line(chaos, client, node, store.clone())));
    let lines: Vec<_> = match world.kept {
        Kept::InMemory => return lines.next().unwrap().1,
        Kept::OnMajority => lines.collect(),
        Kept::OnDisagreement => {
            let first = 2 * CLIENTS.iter().position(|name| *name == client).unwrap();
            lines.cycle().skip(first).take(3).collect()
        }
    };
    let quorum = QuorumStore::try_new(lines).unwrap();
    let quorum = quorum.patience(ms(80)).seed(chaos.seed());
    let quorum = if world.is_counting {
        quorum.counting()
    } else {
        quorum
    };
    BoxCloneSyncService::new(quorum.map_err(|_| BoxError::from("no majority")))
}

async fn story(seed: u64, world: World) -> Story {
    let chaos = Chaos::new(Seed::new(seed));
    let mut plan = weather(seed, &chaos, &CLIENTS, &NODES);
    if world.is_skewed {
        plan = skewed(seed, plan, &CLIENTS);
        plan = skewed(seed, plan, &MEMBERS);
    }
    plan = unsteady(
        seed,
        plan,
        &CLIENTS,
        &[CLIENTS.as_slice(), &MEMBERS].concat(),
    );
    let members = MEMBERS.map(|node| MemoryStore::on(Arc::new(chaos.node(node).clock())));
    let counter = Arc::new(Mutex::new(Counter {
        is_fenced: world.is_fenced,
        ..Counter::default()
    }));
    let story: Arc<Mutex<Story>> = Arc::default();
    let clients = CLIENTS.map(|name| {
        let counts = Arc::clone(&counter);
        let counts = service_fn(move |(token, op)| {
            let told = counts.lock().unwrap().on(token, op);
            async move { Ok::<_, Infallible>(told) }
        });
        let node = chaos.node(name);
        Client {
            name,
            clock: Arc::new(node.clock()),
            store: store(&chaos, name, world, &members),
            counter: line(&chaos, name, "db", counts),
            draws: Draws::new(seed),
            story: Arc::clone(&story),
        }
    });
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let [a, b, c] = clients.map(|client| {
        let node = chaos.node(client.name);
        timeout(ms(20_000), node.run(client.run()))
    });
    let _ended = tokio::join!(a, b, c);
    // What is on its way arrives.
    sleep(ms(2000)).await;
    drop(armed);
    let counter = counter.lock().unwrap();
    let mut story = story.lock().unwrap().clone();
    (story.admitted, story.value) = (counter.admitted, counter.value);
    story
}

/// What is wrong with it, if anything is.
fn wrong(story: &Story, with_time: bool) -> Option<String> {
    if story.admitted != story.value {
        let Story {
            admitted, value, ..
        } = story;
        return Some(format!("{admitted} writes, and it is {value}"));
    }
    for one in &story.grants {
        for other in story.grants.iter().filter(|other| other.nonce != one.nonce) {
            let overlap = one.held.0.max(other.held.0) < one.held.1.min(other.held.1);
            let what = match () {
                () if one.rank == other.rank => "one rank, two holders",
                () if one.ended < other.began && one.rank > other.rank => "a rank that fell",
                () if with_time && overlap => "two at once",
                () => continue,
            };
            return Some(format!("{what}: {one:?} and {other:?}"));
        }
    }
    None
}

fn wrong_ones(of: u64, world: World) -> Vec<(u64, String)> {
    let run = |seed| wrong(&in_virtual_time(story(seed, world)), !world.is_skewed);
    schedules(of, run)
}

#[test]
fn no_schedule_loses_an_update_behind_a_fence() {
    let on_majority = wrong_ones(SCHEDULES / 2, SOUND);
    assert_eq!(on_majority, []);
    let kept = Kept::InMemory;
    assert_eq!(wrong_ones(SCHEDULES / 2, World { kept, ..SOUND }), []);
    // And the lock is taken, and the counter counted: safety is not silence.
    let counted = |seed| {
        let story = in_virtual_time(story(seed, SOUND));
        (story.grants.len() >= 2 && story.admitted >= 2).then_some(())
    };
    let counted = schedules(200, counted).len();
    assert!(counted > 100, "{counted} of 200");
    let once = |seed| {
        let Story {
            grants, admitted, ..
        } = in_virtual_time(story(
            seed,
            World {
                is_counting: true,
                ..SOUND
            },
        ));
        let of = |seen: Seen| (seen.client, seen.rank, seen.began, seen.ended);
        (grants.into_iter().map(of).collect::<Vec<_>>(), admitted)
    };
    assert_eq!(once(7), once(7), "a seed repeats");
}

#[test]
fn without_the_fence_one_schedule_in_twenty_at_least_loses_an_update() {
    for kept in [Kept::InMemory, Kept::OnMajority] {
        let is_fenced = false;
        let lost = wrong_ones(
            SCHEDULES / 5,
            World {
                kept,
                is_fenced,
                ..SOUND
            },
        );
        let share = lost.len() as f64 / (SCHEDULES / 5) as f64;
        println!(
            "without the fence, {kept:?}: {:.1} % lose an update",
            100.0 * share
        );
        assert!(share >= 0.05, "{kept:?}: {share}");
    }
}

#[test]
fn with_true_clocks_no_two_hold_it_at_once_and_where_majorities_do_not_meet_they_do() {
    let is_skewed = false;
    for kept in [Kept::InMemory, Kept::OnMajority] {
        let world = World {
            kept,
            is_skewed,
            ..SOUND
        };
        assert_eq!(wrong_ones(SCHEDULES / 4, world), []);
    }
    let kept = Kept::OnDisagreement;
    assert_ne!(
        wrong_ones(
            100,
            World {
                kept,
                is_skewed,
                ..SOUND
            }
        ),
        []
    );
}
