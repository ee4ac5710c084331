//! Leases under a network that is rough, on nodes that pause, crash and have clocks of their own rate, in as many ways as
//! there are seeds: in virtual time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use murphy_core::Seed;
use murphy_fault::{Chaos, TimeLimit};
use murphy_lease::{
    Lease, LeaseReply, LeaseRequest, Locks, MemoryStore, Nonce, QuorumStore, Rank, Ttl,
};
use tests::ms;
use tests::rough::{Draws, weather};
use tests::schedule::{
    FEWER, SCHEDULES, first, in_virtual_time, line, schedules, skewed, unsteady,
};
use tokio::time::{Instant, sleep, timeout};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt, service_fn};

const CLIENTS: [&str; 3] = ["a", "b", "c"];
const MEMBERS: [&str; 5] = ["n0", "n1", "n2", "n3", "n4"];
const NODES: [&str; 6] = ["n0", "n1", "n2", "n3", "n4", "db"];

const TTL: Ttl = Ttl::from_millis(200);

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
    memory: Memory,
    is_counting: bool,
}

/// Whether members keep what they know.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Memory {
    Keeps,
    /// Two at a time forget it, now and then.
    Forgets,
    /// And then say nothing for as long as a lease may last.
    ForgetsAndWaits,
}

const SOUND: World = World {
    kept: Kept::OnMajority,
    is_fenced: true,
    is_skewed: true,
    memory: Memory::Keeps,
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
    locks: Locks<Store>,
    counter: BoxCloneSyncService<((Rank, Nonce), Op), Option<u64>, BoxError>,
    draws: Draws,
    story: Arc<Mutex<Story>>,
}

impl Client {
    async fn run(self) {
        for round in 0..8 {
            sleep(ms(self.draws.below(self.name, round, 30))).await;
            let began = self.tick();
            let Ok(lease) = self.locks.acquire("counter").deadline(ms(1200)).await else {
                continue;
            };
            self.hold(&lease, began, round).await;
            if self.draws.draw(self.name, 60 + round).unit() < 0.5 {
                let _told = timeout(ms(120), lease.release()).await;
            }
        }
    }

    fn tick(&self) -> u64 {
        let mut story = self.story.lock().unwrap();
        story.ticks += 1;
        story.ticks
    }

    async fn hold(&self, lease: &Lease, began: u64, round: u64) {
        let ended = self.tick();
        let token = lease.stale_token();
        let token = (token.rank(), token.nonce());
        let now = Instant::now();
        let at = {
            let mut story = self.story.lock().unwrap();
            story.grants.push(Seen {
                client: self.name,
                nonce: token.1,
                rank: token.0,
                began,
                ended,
                held: (now, now),
            });
            story.grants.len() - 1
        };
        // The chapter's own check: it is held now. What becomes of it after that, the holder cannot know.
        let is_held = || {
            let is_held = lease.token().is_ok();
            if is_held {
                self.story.lock().unwrap().grants[at].held.1 = Instant::now();
            }
            is_held
        };
        for n in 1..=6 {
            if !is_held() {
                break;
            }
            let Some(value) = self.ask(token, Op::Read).await else {
                break;
            };
            let work = self.draws.below(self.name, 70 + 10 * round + n, 30);
            sleep(ms(work)).await;
            if !is_held() {
                break;
            }
            sleep(ms(3 * work)).await;
            let value = value + 1;
            if self.ask(token, Op::Write { n, value }).await.is_none() {
                break;
            }
        }
        is_held();
    }

    /// An operation of which nobody heard is one that may come later: nothing more is done under its token.
    async fn ask(&self, token: (Rank, Nonce), op: Op) -> Option<u64> {
        let asked = timeout(ms(150), self.counter.clone().oneshot((token, op))).await;
        asked.ok()?.ok()?
    }
}

/// A store that may forget.
#[derive(Clone)]
struct Member {
    store: MemoryStore,
    shut: Arc<Mutex<Option<Instant>>>,
}

impl Member {
    fn forget(&self, and_wait: bool) {
        self.store.wipe();
        let until = Instant::now() + TTL.get();
        *self.shut.lock().unwrap() = and_wait.then_some(until);
    }
}

impl Service<LeaseRequest> for Member {
    type Response = LeaseReply;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<LeaseReply, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: LeaseRequest) -> Self::Future {
        let shut = *self.shut.lock().unwrap();
        if shut.is_some_and(|until| Instant::now() < until) {
            return Box::pin(async { Err("it does not know".into()) });
        }
        let store = self.store.clone();
        Box::pin(async move { Ok(store.oneshot(request).await?) })
    }
}

async fn forgetful(seed: u64, memory: Memory, members: [Member; 5]) {
    let draws = Draws::new(seed);
    for n in 0..16 {
        sleep(ms(draws.below("forgets", n, 200))).await;
        let which = draws.below("which", n, 5) as usize;
        for at in [which, (which + 1) % 5] {
            members[at].forget(memory == Memory::ForgetsAndWaits);
        }
    }
}

/// The store as a client has it.
fn store(chaos: &Chaos, client: &'static str, world: World, members: &[Member]) -> Store {
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
        plan = skewed(seed, plan, &CLIENTS, 2.0);
        plan = skewed(seed, plan, &MEMBERS, 2.0);
    }
    plan = unsteady(
        seed,
        plan,
        &CLIENTS,
        &[CLIENTS.as_slice(), &MEMBERS].concat(),
    );
    let members = MEMBERS.map(|node| Member {
        store: MemoryStore::on(Arc::new(chaos.node(node).clock())),
        shut: Arc::default(),
    });
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
        let (node, tasks) = (chaos.node(name), chaos.node(name));
        let seed_of_it = Seed::new(seed ^ murphy_core::hash_bytes(name.as_bytes()));
        let locks = Locks::new(store(&chaos, name, world, &members))
            .ttl(TTL)
            .clock(Arc::new(node.clock()))
            .executor(move |task| drop(tasks.spawn(task)))
            .seed(seed_of_it);
        Client {
            name,
            locks,
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
    let forgets = async {
        if world.memory != Memory::Keeps {
            forgetful(seed, world.memory, members).await;
        }
    };
    let _ended = tokio::join!(a, b, c, forgets);
    // What is on its way arrives.
    sleep(ms(2000)).await;
    drop(armed);
    let counter = counter.lock().unwrap();
    let mut story = story.lock().unwrap().clone();
    (story.admitted, story.value) = (counter.admitted, counter.value);
    story
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Look {
    /// Updates that are lost.
    Updates,
    /// And ranks that two have, or that fall.
    Ranks,
    /// And two who hold it at once.
    Time,
}

/// What is wrong with it, if anything is.
fn wrong(story: &Story, look: Look) -> Option<String> {
    if story.admitted != story.value {
        let Story {
            admitted, value, ..
        } = story;
        return Some(format!("{admitted} writes, and it is {value}"));
    }
    if look == Look::Updates {
        return None;
    }
    for one in &story.grants {
        for other in story.grants.iter().filter(|other| other.nonce != one.nonce) {
            let overlap = one.held.0.max(other.held.0) < one.held.1.min(other.held.1);
            let what = match () {
                () if one.rank == other.rank => "one rank, two holders",
                () if one.ended < other.began && one.rank > other.rank => "a rank that fell",
                () if look == Look::Time && overlap => "two at once",
                () => continue,
            };
            return Some(format!("{what}: {one:?} and {other:?}"));
        }
    }
    None
}

fn wrong_ones(of: u64, world: World, look: Look) -> Vec<(u64, String)> {
    schedules(of, |seed| wrong(&in_virtual_time(story(seed, world)), look))
}

fn first_wrong(of: u64, world: World, look: Look) -> Option<(u64, String)> {
    first(of, |seed| wrong(&in_virtual_time(story(seed, world)), look))
}

#[test]
fn no_schedule_loses_an_update_behind_a_fence() {
    assert_eq!(wrong_ones(SCHEDULES / 2, SOUND, Look::Ranks), []);
    let kept = Kept::InMemory;
    assert_eq!(
        wrong_ones(SCHEDULES / 2, World { kept, ..SOUND }, Look::Ranks),
        []
    );
    // And the lock is taken, and the counter counted: safety is not silence.
    let counted = |seed| {
        let story = in_virtual_time(story(seed, SOUND));
        (story.grants.len() >= 2 && story.admitted >= 2).then_some(())
    };
    let counted = schedules(100, counted).len();
    assert!(counted > 50, "{counted} of 100");
    let once = |seed| {
        let world = World {
            is_counting: true,
            ..SOUND
        };
        let Story {
            grants, admitted, ..
        } = in_virtual_time(story(seed, world));
        let of = |seen: Seen| (seen.client, seen.rank, seen.began, seen.ended);
        (grants.into_iter().map(of).collect::<Vec<_>>(), admitted)
    };
    assert_eq!(once(7), once(7), "a seed repeats");
}

#[test]
fn without_the_fence_one_schedule_in_twenty_at_least_loses_an_update() {
    for kept in [Kept::InMemory, Kept::OnMajority] {
        let world = World {
            kept,
            is_fenced: false,
            ..SOUND
        };
        let lost = wrong_ones(2 * FEWER, world, Look::Updates);
        let share = lost.len() as f64 / (2 * FEWER) as f64;
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
        assert_eq!(wrong_ones(FEWER, world, Look::Time), []);
    }
    let kept = Kept::OnDisagreement;
    let world = World {
        kept,
        is_skewed,
        ..SOUND
    };
    assert_ne!(first_wrong(2000, world, Look::Time), None);
}

#[test]
fn members_that_forget_let_two_hold_it_at_once_but_not_past_a_fence_nor_if_they_wait() {
    let world = World {
        is_skewed: false,
        memory: Memory::Forgets,
        ..SOUND
    };
    assert_eq!(wrong_ones(FEWER, world, Look::Updates), []);
    assert_ne!(first_wrong(5000, world, Look::Time), None);
    let memory = Memory::ForgetsAndWaits;
    assert_eq!(wrong_ones(FEWER, World { memory, ..world }, Look::Time), []);
}
