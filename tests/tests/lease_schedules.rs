//! Leases under a network that is rough, on nodes that pause, crash and have clocks of their own rate, in as many ways as
//! there are seeds: in virtual time.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use murphy_core::Seed;
use murphy_fault::{Chaos, Node, TimeLimit};
use murphy_lease::fence::{FencedStore, MemoryFenced};
use murphy_lease::{
    FencingToken, Lease, LeaseReply, LeaseRequest, Locks, MemoryStore, Nonce, QuorumStore, Rank,
    Ttl, UnfencedLock,
};
use tests::ms;
use tests::rough::{Draws, weather};
use tests::schedule::{
    FEWER, SCHEDULES, first, in_virtual_time, line, restless, schedules, skewed, unsteady,
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
    /// Whether the lock is a [`Lease`], and what it guards a [`MemoryFenced`]; or an [`UnfencedLock`], and nothing.
    is_fenced: bool,
    is_skewed: bool,
    memory: Memory,
    is_counting: bool,
}

/// Whether members keep what they know.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Memory {
    Keeps,
    /// Not when they crash.
    IsLost,
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

/// A counter that everybody reads and writes: behind a fence, and one beside it without. Copies of a write are none, to both.
#[derive(Clone)]
struct Counter {
    fenced: MemoryFenced<u64>,
    bare: Arc<Mutex<Bare>>,
    admitted: Arc<AtomicU64>,
    /// By which the fenced one can be read in the end.
    last: Arc<Mutex<Option<FencingToken>>>,
}

#[derive(Default)]
struct Bare {
    value: u64,
    done: BTreeSet<(&'static str, u64, u64)>,
}

/// Who asks for an operation: a token, or whose how-manieth hold of the lock, of which the counter makes nothing.
#[derive(Clone)]
enum Who {
    Token(FencingToken),
    Nobody(&'static str, u64),
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

const COUNTER: &str = "counter";

impl Counter {
    fn new() -> Self {
        Self {
            fenced: MemoryFenced::new(),
            bare: Arc::default(),
            admitted: Arc::default(),
            last: Arc::default(),
        }
    }

    async fn on(&self, who: Who, op: Op) -> Option<u64> {
        let value = match &who {
            Who::Token(token) => self.fenced(token, op).await?,
            Who::Nobody(name, hold) => self.bare((name, *hold), op)?,
        };
        if let Op::Write { .. } = op {
            self.admitted.fetch_add(1, Relaxed);
        }
        Some(value)
    }

    async fn fenced(&self, token: &FencingToken, op: Op) -> Option<u64> {
        let value = match op {
            Op::Read => {
                let sealed = self.fenced.seal(COUNTER, token).await.ok()?;
                sealed.value.unwrap_or_default()
            }
            Op::Write { n, value } => {
                let put = self.fenced.put(COUNTER, token, Some(n), value);
                put.await.ok().map(|_| value)?
            }
        };
        *self.last.lock().unwrap() = Some(token.clone());
        Some(value)
    }

    fn bare(&self, (name, hold): (&'static str, u64), op: Op) -> Option<u64> {
        let mut bare = self.bare.lock().unwrap();
        if let Op::Write { n, value } = op {
            bare.done.insert((name, hold, n)).then_some(())?;
            bare.value = value;
        }
        Some(bare.value)
    }

    async fn value(&self, is_fenced: bool) -> u64 {
        if !is_fenced {
            return self.bare.lock().unwrap().value;
        }
        let last = self.last.lock().unwrap().clone();
        match last {
            Some(last) => {
                let read = self.fenced.read_fenced(COUNTER, &last).await;
                read.unwrap().unwrap_or_default()
            }
            None => 0,
        }
    }
}

/// What a client has of the lock.
enum Guard {
    Lease(Lease),
    Unfenced(UnfencedLock),
}

impl Guard {
    /// The chapter's own check: it is held now. What becomes of it after that, the holder cannot know.
    fn is_held(&self) -> bool {
        match self {
            Self::Lease(lease) => lease.token().is_ok(),
            Self::Unfenced(lock) => lock.is_valid(),
        }
    }

    async fn release(self) {
        let _told = match self {
            Self::Lease(lease) => timeout(ms(120), lease.release()).await,
            Self::Unfenced(lock) => timeout(ms(120), lock.release()).await,
        };
    }
}

/// One who wants the lock a few times, and each time counts up a few times. After a crash it goes on with the next time.
#[derive(Clone)]
struct Client {
    name: &'static str,
    locks: Locks<Store>,
    is_fenced: bool,
    counter: BoxCloneSyncService<(Who, Op), Option<u64>, BoxError>,
    draws: Draws,
    story: Arc<Mutex<Story>>,
    rounds: Arc<AtomicU64>,
}

impl Client {
    async fn live(self, node: Node) {
        let _ended = node.serve(move |_| self.clone().run()).await;
    }

    async fn run(self) {
        loop {
            let round = self.rounds.fetch_add(1, Relaxed);
            if round >= 8 {
                return;
            }
            sleep(ms(self.draws.below(self.name, round, 30))).await;
            let began = self.tick();
            let Some(guard) = self.acquire().await else {
                continue;
            };
            self.hold(&guard, began, round).await;
            if self.draws.draw(self.name, 60 + round).unit() < 0.5 {
                guard.release().await;
            }
        }
    }

    async fn acquire(&self) -> Option<Guard> {
        let patience = ms(1200);
        if self.is_fenced {
            let lease = self.locks.acquire(COUNTER).deadline(patience).await;
            return lease.ok().map(Guard::Lease);
        }
        let lock = self.locks.unfenced(COUNTER).deadline(patience).await;
        lock.ok().map(Guard::Unfenced)
    }

    fn tick(&self) -> u64 {
        let mut story = self.story.lock().unwrap();
        story.ticks += 1;
        story.ticks
    }

    /// Notes the grant; where, to note how long it was held.
    fn note(&self, token: &FencingToken, began: u64) -> usize {
        let (ended, now) = (self.tick(), Instant::now());
        let mut story = self.story.lock().unwrap();
        story.grants.push(Seen {
            client: self.name,
            nonce: token.nonce(),
            rank: token.rank(),
            began,
            ended,
            held: (now, now),
        });
        story.grants.len() - 1
    }

    async fn hold(&self, guard: &Guard, began: u64, round: u64) {
        let (who, at) = match guard {
            Guard::Lease(lease) => {
                let token = lease.stale_token();
                (Who::Token(token.clone()), Some(self.note(token, began)))
            }
            Guard::Unfenced(_) => (Who::Nobody(self.name, round), None),
        };
        let is_held = || {
            let is_held = guard.is_held();
            if let Some(at) = at.filter(|_| is_held) {
                self.story.lock().unwrap().grants[at].held.1 = Instant::now();
            }
            is_held
        };
        for n in 1..=6 {
            if !is_held() {
                break;
            }
            let Some(value) = self.ask(&who, Op::Read).await else {
                break;
            };
            let work = self.draws.below(self.name, 70 + 10 * round + n, 30);
            sleep(ms(work)).await;
            if !is_held() {
                break;
            }
            sleep(ms(3 * work)).await;
            let value = value + 1;
            if self.ask(&who, Op::Write { n, value }).await.is_none() {
                break;
            }
        }
        is_held();
    }

    /// An operation of which nobody heard is one that may come later: nothing more is done under its token.
    async fn ask(&self, who: &Who, op: Op) -> Option<u64> {
        let asked = self.counter.clone().oneshot((who.clone(), op));
        timeout(ms(150), asked).await.ok()?.ok()?
    }
}

/// A store that may forget.
#[derive(Clone)]
struct Member {
    store: MemoryStore,
    node: Node,
    /// In which life it keeps what it knows, if not in all.
    life: Arc<Mutex<Option<u64>>>,
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
        let now = self.node.incarnation();
        if let Some(life) = self.life.lock().unwrap().as_mut()
            && std::mem::replace(life, now) != now
        {
            self.store.wipe();
        }
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
    let is_lost = world.memory == Memory::IsLost;
    if is_lost {
        plan = restless(seed, plan, &MEMBERS);
    }
    let members = MEMBERS.map(|name| {
        let node = chaos.node(name);
        let life = is_lost.then(|| node.incarnation());
        Member {
            store: MemoryStore::on(Arc::new(node.clock())),
            life: Arc::new(Mutex::new(life)),
            node,
            shut: Arc::default(),
        }
    });
    let counter = Counter::new();
    let story: Arc<Mutex<Story>> = Arc::default();
    let clients = CLIENTS.map(|name| {
        let counts = counter.clone();
        let counts = service_fn(move |(who, op)| {
            let counts = counts.clone();
            async move { Ok::<_, Infallible>(counts.on(who, op).await) }
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
            is_fenced: world.is_fenced,
            rounds: Arc::default(),
            counter: line(&chaos, name, "db", counts),
            draws: Draws::new(seed),
            story: Arc::clone(&story),
        }
    });
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let [a, b, c] = clients.map(|client| {
        let node = chaos.node(client.name);
        timeout(ms(20_000), client.live(node))
    });
    let forgets = async {
        if matches!(world.memory, Memory::Forgets | Memory::ForgetsAndWaits) {
            forgetful(seed, world.memory, members).await;
        }
    };
    let _ended = tokio::join!(a, b, c, forgets);
    // What is on its way arrives.
    sleep(ms(2000)).await;
    drop(armed);
    let value = counter.value(world.is_fenced).await;
    let mut story = story.lock().unwrap().clone();
    (story.admitted, story.value) = (counter.admitted.load(Relaxed), value);
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
    let counted = schedules(40, counted).len();
    assert!(counted > 20, "{counted} of 40");
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
        let lost = wrong_ones(8 * FEWER, world, Look::Updates);
        let share = lost.len() as f64 / (8 * FEWER) as f64;
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
fn a_store_that_a_crash_empties_lets_two_hold_it_at_once_and_none_write_late() {
    let is_skewed = false;
    for kept in [Kept::InMemory, Kept::OnMajority] {
        let world = World {
            kept,
            is_skewed,
            memory: Memory::IsLost,
            ..SOUND
        };
        // By the clock of its machine the ranks of one store rise all the same.
        let look = match kept {
            Kept::InMemory => Look::Ranks,
            _ => Look::Updates,
        };
        assert_eq!(wrong_ones(FEWER, world, look), []);
        assert_ne!(first_wrong(5000, world, Look::Time), None, "{kept:?}");
        let skewed = World {
            is_skewed: true,
            ..world
        };
        assert_eq!(wrong_ones(FEWER, skewed, Look::Updates), []);
    }
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
