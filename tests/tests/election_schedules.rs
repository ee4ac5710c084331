//! Elections under a network that is rough, on nodes that pause and crash and have clocks of their own rate, in as many ways
//! as there are seeds: in virtual time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use murphy_core::Seed;
use murphy_fault::{Chaos, Node, TimeLimit};
use murphy_lease::{
    Election, Leadership, MemoryVotes, NodeId, Ttl, VoteReply, VoteRequest, VoterError,
    VoterService,
};
use tests::ms;
use tests::rough::{Draws, weather};
use tests::schedule::{
    FEWER, SCHEDULES, first, in_virtual_time, line, restless, schedules, skewed, unsteady,
};
use tokio::time::{Instant, sleep, timeout};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt};

const CANDIDATES: [&str; 3] = ["a", "b", "c"];
const VOTERS: [&str; 5] = ["n0", "n1", "n2", "n3", "n4"];
const LEASE: Ttl = Ttl::from_millis(600);

fn id(name: &str) -> NodeId {
    NodeId::try_new(name).unwrap()
}

/// A voter on a node: after each restart it is opened anew, with what was on its disk.
#[derive(Clone)]
struct Voter {
    node: Node,
    disk: MemoryVotes,
    /// Whether its disk is lost with each crash, and nobody minds.
    is_careless: bool,
    life: Arc<tokio::sync::Mutex<Option<(u64, VoterService)>>>,
}

impl Voter {
    async fn now(&self) -> VoterService {
        let mut life = self.life.lock().await;
        let incarnation = self.node.incarnation();
        if let Some((_, voter)) = life.as_ref().filter(|(born, _)| *born == incarnation) {
            return voter.clone();
        }
        let id = id(self.node.name());
        let voter = match life.as_ref() {
            Some(_) if self.is_careless => {
                self.disk.lose();
                VoterService::found(id, self.disk.clone()).await
            }
            None => VoterService::found(id, self.disk.clone()).await,
            Some(_) => VoterService::open(id, self.disk.clone()).await,
        };
        let clock = Arc::new(self.node.clock());
        let voter = voter.unwrap().clock(clock).longest(LEASE);
        *life = Some((incarnation, voter.clone()));
        voter
    }
}

impl Service<VoteRequest> for Voter {
    type Response = VoteReply;
    type Error = VoterError;
    type Future = Pin<Box<dyn Future<Output = Result<VoteReply, VoterError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), VoterError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: VoteRequest) -> Self::Future {
        let voter = self.clone();
        Box::pin(async move { voter.now().await.oneshot(request).await })
    }
}

/// A leadership as who had it saw it, by the true clock and by a count of what happened.
#[derive(Clone, Debug, PartialEq)]
struct Reign {
    who: &'static str,
    term: u64,
    /// Before it stood, and after it was elected.
    ticks: (u64, u64),
    led: (Instant, Instant),
}

#[derive(Debug, Default)]
struct Story {
    ticks: u64,
    reigns: Vec<Reign>,
}

struct Stand {
    who: &'static str,
    election: Election<BoxCloneSyncService<VoteRequest, VoteReply, BoxError>>,
    draws: Draws,
    story: Arc<Mutex<Story>>,
}

impl Stand {
    async fn run(self) {
        for round in 0..3 {
            sleep(ms(self.draws.below(self.who, round, 150))).await;
            let stood = self.tick();
            if let Ok(leadership) = self.election.campaign().deadline(ms(1500)).await {
                self.lead(leadership, stood, round).await;
            }
        }
    }

    async fn lead(&self, leadership: Leadership, stood: u64, round: u64) {
        let (elected, began) = (self.tick(), Instant::now());
        let Ok(term) = leadership.token().map(|token| token.rank().seq) else {
            return;
        };
        let at = {
            let mut story = self.story.lock().unwrap();
            story.reigns.push(Reign {
                who: self.who,
                term,
                ticks: (stood, elected),
                led: (began, began),
            });
            story.reigns.len() - 1
        };
        let long = began + ms(self.draws.below(self.who, 10 + round, 1500));
        while leadership.token().is_ok() {
            let now = Instant::now();
            self.story.lock().unwrap().reigns[at].led.1 = now;
            if now >= long {
                break;
            }
            sleep(ms(10)).await;
        }
        if self.draws.draw(self.who, 20 + round).unit() < 0.5 {
            let _told = timeout(ms(300), leadership.release()).await;
        }
    }

    fn tick(&self) -> u64 {
        let mut story = self.story.lock().unwrap();
        story.ticks += 1;
        story.ticks
    }
}

#[derive(Clone, Copy, Debug)]
struct World {
    /// How fast, or slow, clocks are at most.
    rate: f64,
    is_careless: bool,
}

/// Within the drift that everybody allows for, 1 %.
const SOUND: World = World {
    rate: 1.0095,
    is_careless: false,
};

async fn reigns(seed: u64, world: World) -> Vec<Reign> {
    let chaos = Chaos::new(Seed::new(seed));
    let mut plan = weather(seed, &chaos, &CANDIDATES, &VOTERS);
    plan = skewed(seed, plan, &CANDIDATES, world.rate);
    plan = skewed(seed, plan, &VOTERS, world.rate);
    plan = unsteady(
        seed,
        plan,
        &CANDIDATES,
        &[CANDIDATES.as_slice(), &VOTERS].concat(),
    );
    if world.is_careless {
        plan = restless(seed, plan, &VOTERS);
    }
    let story: Arc<Mutex<Story>> = Arc::default();
    let voters = VOTERS.map(|name| Voter {
        node: chaos.node(name),
        disk: MemoryVotes::new(),
        is_careless: world.is_careless,
        life: Arc::default(),
    });
    let standing = CANDIDATES.map(|who| {
        let lines = voters.iter().map(|voter| {
            let name = voter.node.name().to_owned();
            (id(&name), line(&chaos, who, &name, voter.clone()))
        });
        let election = Election::try_new("primary".try_into().unwrap(), id(who), lines).unwrap();
        let (node, tasks) = (chaos.node(who), chaos.node(who));
        let seed = Seed::new(seed ^ murphy_core::hash_bytes(who.as_bytes()));
        let election = election.lease(LEASE).timeout(ms(25)).seed(seed);
        let election = election.clock(Arc::new(node.clock()));
        let election = election.executor(move |task| drop(tasks.spawn(task)));
        Stand {
            who,
            election,
            draws: Draws::new(seed.bits()),
            story: Arc::clone(&story),
        }
    });
    let _armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let [a, b, c] = standing.map(|stand| {
        let node = chaos.node(stand.who);
        timeout(ms(20_000), node.run(stand.run()))
    });
    let _ended = tokio::join!(a, b, c);
    let mut story = story.lock().unwrap();
    std::mem::take(&mut story.reigns)
}

/// What is wrong with them, if anything is.
fn wrong(reigns: &[Reign], with_time: bool) -> Option<String> {
    for (n, one) in reigns.iter().enumerate() {
        for (_, other) in reigns.iter().enumerate().filter(|(m, _)| *m != n) {
            let both = one.led.0.max(other.led.0) < one.led.1.min(other.led.1);
            let what = match () {
                () if one.term == other.term => "two leaders of one term",
                () if one.ticks.1 < other.ticks.0 && one.term > other.term => "a term that fell",
                () if with_time && both => "two lead at once",
                () => continue,
            };
            return Some(format!("{what}: {one:?} and {other:?}"));
        }
    }
    None
}

fn wrong_ones(of: u64, world: World, with_time: bool) -> Vec<(u64, String)> {
    schedules(of, |seed| {
        wrong(&in_virtual_time(reigns(seed, world)), with_time)
    })
}

fn first_wrong(of: u64, world: World, with_time: bool) -> Option<(u64, String)> {
    first(of, |seed| {
        wrong(&in_virtual_time(reigns(seed, world)), with_time)
    })
}

#[test]
fn the_undoing_of_a_candidacy_that_was_dropped_does_not_end_its_repeat() {
    // Schedules in which it did.
    for seed in [111, 488, 552] {
        let wrong = wrong(&in_virtual_time(reigns(seed, SOUND)), true);
        assert_eq!(wrong, None, "{seed}");
    }
}

#[test]
fn no_schedule_has_two_leaders_and_terms_rise() {
    assert_eq!(wrong_ones(SCHEDULES / 2, SOUND, true), []);
    // And some are elected: safety is not silence.
    let led = |seed| (in_virtual_time(reigns(seed, SOUND)).len() >= 2).then_some(());
    let led = schedules(100, led).len();
    assert!(led > 50, "{led} of 100");
    let once = |seed| {
        let reigns = in_virtual_time(reigns(seed, SOUND));
        let of = |it: Reign| (it.who, it.term, it.ticks, it.led.1 - it.led.0);
        reigns.into_iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(once(7), once(7), "a seed repeats");
}

#[test]
fn with_clocks_of_any_rate_a_term_has_one_leader_but_two_may_lead_at_once() {
    let world = World { rate: 2.0, ..SOUND };
    assert_eq!(wrong_ones(FEWER, world, false), []);
    assert_ne!(first_wrong(1000, world, true), None);
}

#[test]
fn voters_that_forget_under_their_names_elect_two_in_one_term() {
    let is_careless = true;
    let world = World {
        is_careless,
        ..SOUND
    };
    assert_ne!(first_wrong(5000, world, false), None);
}
