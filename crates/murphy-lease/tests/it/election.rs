//! Elections among voters that are services.

use std::future::{Future, pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_lease::{
    AcquireError, Candidate, Election, Kept, Last, Leader, MemoryVotes, NodeId, Nonce, NotElected,
    SeatError, Ttl, VoteAsk, VoteReply, VoteRequest, VoteSaid, VoteStore, VoterError, VoterService,
};
use murphy_quorum::BadQuorum;
use tokio::time::{Instant, sleep, timeout};
use tower::{Service, ServiceExt};

const LEASE: Ttl = Ttl::from_secs(3);

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn id(name: &str) -> NodeId {
    NodeId::try_new(name).unwrap()
}

/// A voter behind a line that can be cut, on a node that can be restarted.
#[derive(Clone)]
struct Line {
    id: NodeId,
    votes: MemoryVotes,
    voter: Arc<Mutex<VoterService>>,
    cut: Arc<AtomicBool>,
}

impl Line {
    fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    async fn restart(&self) {
        let voter = VoterService::open(self.id.clone(), self.votes.clone());
        *self.voter.lock().unwrap() = voter.await.unwrap().longest(LEASE);
    }

    /// Its disk is lost, and against all rules it goes on under its name.
    async fn begin_anew(&self) {
        let voter = VoterService::found(self.id.clone(), MemoryVotes::new());
        *self.voter.lock().unwrap() = voter.await.unwrap().longest(LEASE);
    }

    async fn ask(&self, ask: VoteAsk) -> VoteReply {
        let election = "primary".try_into().unwrap();
        let voter = self.voter.lock().unwrap().clone();
        voter.oneshot(VoteRequest { election, ask }).await.unwrap()
    }
}

impl Service<VoteRequest> for Line {
    type Response = VoteReply;
    type Error = VoterError;
    type Future = Pin<Box<dyn Future<Output = Result<VoteReply, VoterError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), VoterError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: VoteRequest) -> Self::Future {
        let (voter, cut) = (self.voter.lock().unwrap().clone(), Arc::clone(&self.cut));
        Box::pin(async move {
            sleep(ms(5)).await;
            if cut.load(Ordering::Relaxed) {
                return pending().await;
            }
            let reply = voter.oneshot(request).await;
            sleep(ms(5)).await;
            if cut.load(Ordering::Relaxed) {
                return pending().await;
            }
            reply
        })
    }
}

async fn voters(n: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for n in 0..n {
        let (id, votes) = (id(&format!("v{n}")), MemoryVotes::new());
        let voter = VoterService::found(id.clone(), votes.clone())
            .await
            .unwrap();
        lines.push(Line {
            id,
            votes,
            voter: Arc::new(Mutex::new(voter.longest(LEASE))),
            cut: Arc::default(),
        });
    }
    lines
}

fn election(me: &str, voters: &[Line]) -> Election<Line> {
    let named = voters.iter().map(|line| (line.id.clone(), line.clone()));
    Election::try_new("primary".try_into().unwrap(), id(me), named)
        .unwrap()
        .lease(LEASE)
}

#[tokio::test(start_paused = true)]
async fn there_is_one_leader_and_the_next_has_the_next_term() {
    let voters = voters(5).await;
    let first = election("a", &voters).campaign().await.unwrap();
    assert_eq!(first.token().unwrap().rank().seq, 1);
    let second = tokio::spawn(election("b", &voters).campaign().into_future());
    sleep(ms(60_000)).await;
    assert!(
        first.token().is_ok() && !second.is_finished(),
        "it is renewed while it leads"
    );
    let began = Instant::now();
    first.release().await.unwrap();
    let second = second.await.unwrap().unwrap();
    assert_eq!(second.token().unwrap().rank().seq, 2);
    assert!(
        began.elapsed() < ms(1500),
        "nobody waits for who has resigned: {:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_reaches_no_majority_has_stopped_before_the_next_begins() {
    let voters = voters(5).await;
    let first = election("a", &voters[..]).campaign().await.unwrap();
    sleep(ms(10_000)).await;
    // The old leader has lines of its own to the same voters; three of these are cut.
    let own: Vec<Line> = voters
        .iter()
        .map(|line| Line {
            cut: Arc::default(),
            ..line.clone()
        })
        .collect();
    voters[..3].iter().for_each(|line| line.cut(true));
    let began = Instant::now();
    let next = tokio::spawn(election("b", &own).campaign().into_future());
    first.lost().await;
    let (lost, was_elected) = (began.elapsed(), next.is_finished());
    assert!(lost <= LEASE.get() && !was_elected, "{lost:?}");
    let next = next.await.unwrap().unwrap();
    assert!(
        began.elapsed() > lost && began.elapsed() < ms(6000),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(next.token().unwrap().rank().seq, 2);
}

#[tokio::test(start_paused = true)]
async fn who_was_cut_off_and_returns_unseats_nobody() {
    let voters = voters(3).await;
    let cut: Vec<Line> = voters
        .iter()
        .map(|line| Line {
            cut: Arc::new(AtomicBool::new(true)),
            ..line.clone()
        })
        .collect();
    let away = election("b", &cut).campaign().into_future();
    let away = tokio::spawn(away);
    let leader = election("a", &voters).campaign().await.unwrap();
    sleep(ms(30_000)).await;
    cut.iter().for_each(|line| line.cut(false));
    sleep(ms(30_000)).await;
    assert!(leader.token().is_ok() && !away.is_finished());
    for line in &voters {
        assert_eq!(
            line.ask(VoteAsk::Observe).await.term,
            1,
            "its terms were not driven up"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_stands_again_is_another_candidate_under_one_seed_too() {
    let voters = voters(1).await;
    let election = election("a", &voters).seed(murphy_core::Seed::new(7));
    let first = election.campaign().await.unwrap();
    let nonce = first.token().unwrap().nonce();
    first.release().await.unwrap();
    let second = election.clone().campaign().await.unwrap();
    assert_ne!(second.token().unwrap().nonce(), nonce);
}

#[tokio::test(start_paused = true)]
async fn candidates_who_stand_at_once_elect_one_after_the_other() {
    let voters = voters(4).await;
    let mut standing: Vec<_> = ["a", "b", "c", "d"]
        .iter()
        .enumerate()
        .map(|(n, me)| {
            let seed = murphy_core::Seed::new(n as u64);
            tokio::spawn(election(me, &voters).seed(seed).campaign().into_future())
        })
        .collect();
    let mut last = 0;
    while !standing.is_empty() {
        sleep(ms(100)).await;
        let done: Vec<_> = standing.iter().map(|it| it.is_finished()).collect();
        assert!(done.iter().filter(|done| **done).count() <= 1);
        if let Some(at) = done.iter().position(|done| *done) {
            let leader = standing.swap_remove(at).await.unwrap().unwrap();
            let term = leader.token().unwrap().rank().seq;
            assert!(term > last);
            last = term;
            leader.release().await.unwrap();
        }
        assert!(last < 40, "they are in each other's way for ever");
    }
}

#[tokio::test(start_paused = true)]
async fn a_voter_that_comes_back_knows_its_vote_and_waits_out_its_promise() {
    let voters = voters(1).await;
    let leader = election("a", &voters).campaign().await.unwrap();
    voters[0].restart().await;
    let early = election("b", &voters).campaign().deadline(ms(2500)).await;
    assert!(
        matches!(early, Err(AcquireError::Deadline { .. })),
        "{early:?}"
    );
    let second = election("b", &voters).campaign();
    // The leader is heard as before.
    assert!(leader.token().is_ok());
    leader.release().await.unwrap();
    sleep(LEASE.get()).await;
    assert_eq!(second.await.unwrap().token().unwrap().rank().seq, 2);
}

#[tokio::test(start_paused = true)]
async fn a_majority_that_is_gone_leaves_no_leader_and_the_rest_of_a_vote_is_taken_back() {
    let voters = voters(5).await;
    voters[..3].iter().for_each(|line| line.cut(true));
    let alone = election("a", &voters).campaign().deadline(ms(20_000)).await;
    assert!(
        matches!(alone, Err(AcquireError::Deadline { .. })),
        "{alone:?}"
    );
    voters.iter().for_each(|line| line.cut(false));
    sleep(ms(1000)).await;
    for line in &voters {
        let leader = None;
        assert_eq!(
            line.ask(VoteAsk::Observe).await.said,
            VoteSaid::Observed { leader }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_voters_do_not_promise_is_said() {
    let voters = voters(3).await;
    let long = election("a", &voters).lease(Ttl::from_secs(4));
    match long.campaign().deadline(ms(5000)).await {
        Err(AcquireError::Deadline {
            last: Last::Store(e),
            ..
        }) => {
            let said = e.to_string();
            assert!(
                said.starts_with("no voter waits for a leader for 4s: ask for 3s"),
                "{said}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_leaders_come_and_go_and_never_goes_back() {
    let voters = voters(5).await;
    let watch = election("x", &voters);
    let mut seen = watch.observe().every(ms(100));
    assert_eq!(seen.latest(), None);
    let first = election("a", &voters).campaign().await.unwrap();
    let leader = |term, name: Option<&str>| Leader {
        term,
        id: name.map(id),
    };
    assert_eq!(seen.changed().await, leader(1, Some("a")));
    assert!(
        timeout(ms(5000), seen.changed()).await.is_err(),
        "nothing is said twice"
    );
    voters[0].cut(true);
    voters[1].cut(true);
    first.release().await.unwrap();
    voters.iter().for_each(|line| line.cut(false));
    assert_eq!(seen.changed().await, leader(1, None));
    let _second = election("b", &voters).campaign().await.unwrap();
    assert_eq!(seen.changed().await, leader(2, Some("b")));
    assert_eq!(seen.latest(), Some(&leader(2, Some("b"))));
}

#[tokio::test(start_paused = true)]
async fn an_observer_does_not_go_back_with_voters_that_lost_their_disks() {
    let voters = voters(3).await;
    let watch = election("x", &voters);
    let mut seen = watch.observe().every(ms(100));
    let leader = |term, name: Option<&str>| Leader {
        term,
        id: name.map(id),
    };
    for term in 1..=3 {
        let lease = election("a", &voters).campaign().await.unwrap();
        assert_eq!(seen.changed().await, leader(term, Some("a")));
        lease.release().await.unwrap();
        assert_eq!(seen.changed().await, leader(term, None));
    }
    // One of three: the others know.
    voters[0].begin_anew().await;
    let fourth = election("b", &voters).campaign().await.unwrap();
    assert_eq!(seen.changed().await, leader(4, Some("b")));
    drop(fourth);
    assert_eq!(seen.changed().await, leader(4, None));
    // A majority: it begins with the first term, and has a leader whom only this observer takes for an old one.
    voters[0].begin_anew().await;
    voters[1].begin_anew().await;
    voters[2].cut(true);
    let first = election("c", &voters).campaign().await.unwrap();
    assert_eq!(first.token().unwrap().rank().seq, 1);
    let mut new = watch.observe().every(ms(100));
    assert_eq!(new.changed().await, leader(1, Some("c")));
    assert!(timeout(ms(5000), seen.changed()).await.is_err());
    voters[2].cut(false);
    assert!(timeout(ms(5000), seen.changed()).await.is_err());
    assert_eq!(seen.latest(), Some(&leader(4, None)));
    // Whoever reaches the one that knows is elected above it.
    first.release().await.unwrap();
    voters[0].cut(true);
    let next = election("d", &voters).campaign().await.unwrap();
    let term = next.token().unwrap().rank().seq;
    assert!(term > 4, "{term}");
    voters[0].cut(false);
    assert_eq!(seen.changed().await, leader(term, Some("d")));
}

#[tokio::test(start_paused = true)]
async fn a_voter_that_lost_its_disk_does_not_vote_under_its_name() {
    let votes = MemoryVotes::new();
    let lost = VoterService::open(id("a"), votes.clone()).await;
    let said = lost.unwrap_err().to_string();
    assert!(said.contains("must join as another"), "{said}");
    VoterService::found(id("a"), votes.clone()).await.unwrap();
    VoterService::open(id("a"), votes.clone()).await.unwrap();
    let twice = VoterService::found(id("a"), votes.clone()).await;
    assert!(matches!(twice, Err(SeatError::Founded { found }) if found == id("a")));
    let other = VoterService::open(id("b"), votes.clone()).await;
    assert!(matches!(other, Err(SeatError::Another { .. })));
    votes.lose();
    let lost = VoterService::open(id("a"), votes).await;
    assert!(matches!(lost, Err(SeatError::Lost { .. })));
}

/// A disk that fails, or takes long.
#[derive(Clone, Default)]
struct Disk {
    below: MemoryVotes,
    fails: Arc<AtomicBool>,
    slow: Arc<AtomicBool>,
}

impl VoteStore for Disk {
    fn get<'a>(&'a self, name: &'a str) -> Kept<'a, Option<Vec<u8>>> {
        self.below.get(name)
    }

    fn put<'a>(&'a self, name: &'a str, record: Vec<u8>) -> Kept<'a, ()> {
        if self.fails.load(Ordering::Relaxed) {
            return Box::pin(ready(Err(io::Error::other("worn out"))));
        }
        let slow = self.slow.load(Ordering::Relaxed);
        Box::pin(async move {
            if slow {
                sleep(ms(700)).await;
            }
            self.below.put(name, record).await
        })
    }
}

fn vote(term: u64, nonce: u128) -> VoteRequest {
    let (id, nonce) = (id("a"), Nonce::from_bits(nonce));
    let candidate = Candidate { id, nonce };
    let lease = LEASE;
    VoteRequest {
        election: "primary".try_into().unwrap(),
        ask: VoteAsk::Vote {
            term,
            candidate,
            lease,
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_vote_is_on_the_disk_before_it_is_given() {
    let disk = Disk::default();
    let voter = VoterService::found(id("v"), disk.clone()).await.unwrap();
    let ask = |request| voter.clone().oneshot(request);
    disk.slow.store(true, Ordering::Relaxed);
    let began = Instant::now();
    assert!(matches!(
        ask(vote(1, 1)).await.unwrap().said,
        VoteSaid::Granted { .. }
    ));
    assert_eq!(began.elapsed(), ms(700));
    // The same again is there already.
    ask(vote(1, 1)).await.unwrap();
    assert_eq!(began.elapsed(), ms(700));
    // One that is not waited for is written again before the next is answered.
    assert!(timeout(ms(100), ask(vote(2, 1))).await.is_err());
    let began = Instant::now();
    let observe = VoteRequest {
        ask: VoteAsk::Observe,
        ..vote(0, 0)
    };
    assert_eq!(ask(observe).await.unwrap().term, 2);
    assert_eq!(began.elapsed(), ms(700));
}

#[tokio::test(start_paused = true)]
async fn a_voter_whose_disk_fails_does_not_answer_and_votes_for_no_other_afterwards() {
    let disk = Disk::default();
    let voter = VoterService::found(id("v"), disk.clone()).await.unwrap();
    let ask = |request| voter.clone().oneshot(request);
    disk.fails.store(true, Ordering::Relaxed);
    let e = ask(vote(1, 1)).await.unwrap_err();
    assert_eq!(
        e.to_string(),
        "its votes cannot be read or written: worn out"
    );
    disk.fails.store(false, Ordering::Relaxed);
    sleep(ms(10_000)).await;
    assert_eq!(ask(vote(1, 2)).await.unwrap().said, VoteSaid::Taken);
    let again = VoterService::open(id("v"), disk).await.unwrap();
    sleep(ms(100_000)).await;
    assert_eq!(
        again.oneshot(vote(1, 2)).await.unwrap().said,
        VoteSaid::Taken
    );
}

#[tokio::test(start_paused = true)]
async fn a_margin_without_end_is_a_day() {
    let voter = VoterService::found(id("v"), MemoryVotes::new()).await;
    let voter = voter.unwrap().margin(Duration::MAX);
    let grants = async |term, nonce| {
        let reply = voter.clone().oneshot(vote(term, nonce)).await.unwrap();
        matches!(reply.said, VoteSaid::Granted { .. })
    };
    let day = Ttl::MAX.get();
    assert!(grants(1, 1).await);
    sleep(day).await;
    assert!(!grants(2, 2).await, "the lease itself comes on top");
    sleep(LEASE.get() + LEASE.get() / 50).await;
    assert!(grants(2, 2).await);
}

#[tokio::test(start_paused = true)]
async fn voters_are_checked_when_it_is_built() {
    let voters = voters(2).await;
    let name = || "primary".try_into().unwrap();
    let of = |lines: Vec<&Line>| {
        let named = lines
            .into_iter()
            .map(|line| (line.id.clone(), line.clone()));
        Election::try_new(name(), id("a"), named).map(drop)
    };
    assert_eq!(of(vec![]), Err(BadQuorum::NoMembers));
    assert!(matches!(
        of(vec![&voters[0], &voters[1], &voters[0]]),
        Err(BadQuorum::Twice { .. })
    ));
}

#[test]
fn a_lack_of_votes_says_what_each_voter_said() {
    let e: NotElected<VoterError> = NotElected::TooLong {
        asked: Ttl::from_secs(9),
        most: ms(3000),
    };
    assert!(format!("{e:?}").starts_with("TooLong"));
}

#[cfg(feature = "file")]
#[tokio::test]
async fn a_vote_survives_in_a_file() {
    use murphy_lease::{FileError, FileVotes};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("votes");
    let votes = FileVotes::open(&path).await.unwrap();
    let twice = FileVotes::open(&path).await;
    assert!(matches!(twice, Err(FileError::InUse { .. })), "{twice:?}");
    let voter = VoterService::found(id("v"), votes).await.unwrap();
    voter.clone().oneshot(vote(7, 1)).await.unwrap();
    drop(voter);
    let votes = FileVotes::open(&path).await.unwrap();
    let voter = VoterService::open(id("v"), votes).await.unwrap();
    let observe = VoteRequest {
        ask: VoteAsk::Observe,
        ..vote(0, 0)
    };
    assert_eq!(voter.oneshot(observe).await.unwrap().term, 7);
}
