//! One request to many services, in virtual time.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_quorum::{
    BadQuorum, Compensate, Detach, HedgeAfter, Newest, Outcome, Plan, Quorum, QuorumError,
    Standing, Threshold,
};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};

const MS: Duration = Duration::from_millis(1);
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// What a replica does with a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Replies(u64, u32),
    Refuses(u64),
    Fails(u64),
    IsSilent,
    IsNeverReady,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Error {
    #[error("refused")]
    Refused,
    #[error("connection reset")]
    Reset,
}

/// One that counts what it was asked, and what it has done to its end.
#[derive(Clone, Debug)]
struct Replica {
    does: Does,
    asked: Arc<AtomicU32>,
    done: Arc<AtomicU32>,
    is_ready: bool,
}

impl Replica {
    fn new(does: Does) -> Self {
        let (asked, done) = Default::default();
        let is_ready = false;
        Self {
            does,
            asked,
            done,
            is_ready,
        }
    }
}

impl Service<u32> for Replica {
    type Response = u32;
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<u32, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if matches!(self.does, Does::IsNeverReady) {
            return Poll::Pending;
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u32) -> Self::Future {
        assert!(
            std::mem::take(&mut self.is_ready),
            "called without being readied"
        );
        self.asked.fetch_add(1, SeqCst);
        let (does, done) = (self.does, Arc::clone(&self.done));
        Box::pin(async move {
            let (after, result) = match does {
                Does::Replies(after, value) => (after, Ok(value)),
                Does::Refuses(after) => (after, Err(Error::Refused)),
                Does::Fails(after) => (after, Err(Error::Reset)),
                Does::IsSilent | Does::IsNeverReady => std::future::pending().await,
            };
            sleep(MS * after as u32).await;
            done.fetch_add(1, SeqCst);
            result
        })
    }
}

fn judge(result: Result<&u32, &Error>) -> Outcome<u32> {
    match result {
        Ok(version) => Outcome::Yes(*version),
        Err(Error::Refused) => Outcome::No,
        Err(Error::Reset) => Outcome::Unknown,
    }
}

fn replicas(does: [Does; 5]) -> [Replica; 5] {
    does.map(Replica::new)
}

fn named(replicas: &[Replica; 5]) -> impl Iterator<Item = (&'static str, Replica)> {
    NAMES.into_iter().zip(replicas.clone())
}

fn majority() -> Threshold {
    Threshold::majority(5).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_silent_replica_costs_nothing_the_third_fastest_decides() {
    use Does::*;
    for silent in [IsSilent, IsNeverReady] {
        let all = replicas([
            silent,
            Replies(50, 1),
            Replies(20, 1),
            Replies(40, 1),
            Replies(30, 1),
        ]);
        let quorum = Quorum::try_new(named(&all), majority())
            .unwrap()
            .judge(judge);
        let began = Instant::now();
        let answer = quorum.oneshot(0).await.unwrap();
        assert_eq!((began.elapsed(), answer.elapsed()), (MS * 40, MS * 40));
        assert_eq!(answer.by().collect::<Vec<_>>(), [&"c", &"d", &"e"]);
        let standings: Vec<_> = answer
            .outcomes()
            .iter()
            .map(|(_, standing)| standing)
            .collect();
        let (open, yes) = (Standing::Outstanding, Standing::Yes);
        assert_eq!(standings, [open, open, yes, yes, yes]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_third_refusal_of_five_is_the_end() {
    use Does::*;
    let all = replicas([Refuses(10), IsSilent, Refuses(30), Refuses(20), IsSilent]);
    let quorum = Quorum::try_new(named(&all), majority())
        .unwrap()
        .judge(judge);
    let e = quorum.oneshot(0).await.unwrap_err();
    assert_eq!(e.elapsed(), MS * 30);
    assert_eq!(
        e.to_string(),
        "impossible: 3 of 5 needed, 2 reachable, after 30ms; no: \"a\", \"c\", \"d\"; not heard: \"b\", \"e\""
    );
    assert_eq!(e.outcomes().result(0), Some(&Err(Error::Refused)));
    assert_eq!(e.why().no.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn patience_makes_silence_unknown_and_not_a_no() {
    use Does::*;
    let all = replicas([Replies(1, 1), IsSilent, IsSilent, IsNeverReady, Fails(2)]);
    let quorum = Quorum::try_new(named(&all), majority()).unwrap();
    let e = quorum
        .judge(judge)
        .patience(MS * 100)
        .oneshot(0)
        .await
        .unwrap_err();
    assert_eq!(e.elapsed(), MS * 100);
    assert!(e.why().no.is_empty());
    assert_eq!(e.why().unknown.len(), 3); // the third unknown is one too many
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_a_majority_is_the_value() {
    use Does::*;
    let all = replicas([
        Replies(1, 7),
        Replies(2, 9),
        Replies(3, 8),
        Replies(9, 99),
        IsSilent,
    ]);
    let rule = Newest::new(majority(), |version: &u32| *version);
    let quorum = Quorum::try_new(named(&all), rule).unwrap().judge(judge);
    let (value, outcomes) = quorum.oneshot(0).await.unwrap().into_parts();
    assert_eq!(value, 9);
    // Who lags behind is to be seen.
    assert_eq!(outcomes.result(0), Some(&Ok(7)));
    assert_eq!(outcomes.result(1), None, "that is the answer");
}

#[tokio::test(start_paused = true)]
async fn a_minimal_plan_asks_three_and_one_more_for_each_that_fails_or_is_late() {
    use Does::*;
    let asked = |all: &[Replica; 5]| all.clone().map(|replica| replica.asked.load(SeqCst));
    let plan = Plan::Minimal(HedgeAfter::Delay(MS * 10));
    for (does, took, who) in [
        ([Replies(5, 1); 5], 5, [1, 1, 1, 0, 0]),
        (
            [
                Refuses(2),
                Replies(5, 1),
                Replies(5, 1),
                Replies(5, 1),
                IsSilent,
            ],
            7,
            [1, 1, 1, 1, 0],
        ),
        (
            [
                IsSilent,
                Replies(5, 1),
                Replies(5, 1),
                Replies(3, 1),
                IsSilent,
            ],
            13,
            [1, 1, 1, 1, 0],
        ),
        (
            [
                IsSilent,
                IsSilent,
                Replies(5, 1),
                Replies(9, 1),
                Replies(9, 1),
            ],
            29,
            [1; 5],
        ),
    ] {
        let all = replicas(does);
        let quorum = Quorum::try_new(named(&all), majority()).unwrap();
        let answer = quorum.judge(judge).plan(plan).oneshot(0).await.unwrap();
        assert_eq!(
            (answer.elapsed(), asked(&all)),
            (MS * took, who),
            "{does:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_quickest_are_asked_first_and_a_hedge_waits_for_a_percentile() {
    use Does::*;
    let all = replicas([
        Replies(50, 1),
        Replies(20, 1),
        Replies(40, 1),
        Replies(10, 1),
        IsSilent,
    ]);
    let quorum = Quorum::try_new(named(&all), majority())
        .unwrap()
        .judge(judge);
    let plan = Plan::Quickest(HedgeAfter::Percentile(0.9));
    let quorum = quorum.plan(plan).patience(MS * 1000);
    for _ in 0..50 {
        quorum.clone().oneshot(0).await.unwrap();
    }
    let before = all.clone().map(|replica| replica.asked.load(SeqCst));
    let answer = quorum.clone().oneshot(0).await.unwrap();
    assert_eq!(answer.elapsed(), MS * 40);
    let after = all.clone().map(|replica| replica.asked.load(SeqCst));
    assert_eq!(after[0], before[0], "the slowest that answers");
    assert_eq!(after[4], before[4], "the one that does not");
    assert_eq!(after[3], before[3] + 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_late_is_dropped_or_goes_on_so_many_at_a_time() {
    use Does::*;
    let does = [
        Replies(1, 1),
        Replies(1, 1),
        Replies(1, 1),
        Replies(50, 1),
        Replies(60, 1),
    ];
    let done = |all: &[Replica; 5]| {
        all.iter()
            .map(|replica| replica.done.load(SeqCst))
            .sum::<u32>()
    };
    let all = replicas(does);
    Quorum::try_new(named(&all), majority())
        .unwrap()
        .oneshot(0)
        .await
        .unwrap();
    sleep(MS * 100).await;
    assert_eq!(done(&all), 3);
    for (most, want) in [(9, 5), (1, 4), (0, 3)] {
        let all = replicas(does);
        let quorum = Quorum::try_new(named(&all), majority()).unwrap();
        let quorum = quorum.stragglers(Detach::new(most, MS * 1000));
        quorum.oneshot(0).await.unwrap();
        sleep(MS * 100).await;
        assert_eq!(done(&all), want);
    }
    let all = replicas(does);
    let quorum = Quorum::try_new(named(&all), majority()).unwrap();
    quorum
        .stragglers(Detach::new(9, MS * 20))
        .oneshot(0)
        .await
        .unwrap();
    sleep(MS * 100).await;
    assert_eq!(done(&all), 3, "each for so long");
}

#[tokio::test(start_paused = true)]
async fn what_never_left_is_not_sent_behind_the_callers_back() {
    let all = replicas([Does::Replies(1, 1); 5]);
    let mut quorum = Quorum::try_new(named(&all), majority()).unwrap();
    quorum = quorum.plan(Plan::Broadcast);
    let mut quorum = quorum.stragglers(Detach::new(9, MS * 1000));
    drop(quorum.call(0));
    sleep(MS * 100).await;
    assert!(all.iter().all(|replica| replica.asked.load(SeqCst) == 0));
}

/// Grants and takes back; replies may be lost, on both.
#[derive(Clone, Debug)]
struct Lock {
    held: Arc<Mutex<bool>>,
    free: bool,
    slow: u64,
    /// So many replies to an undo are lost.
    deaf: Arc<AtomicU32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Take,
    Undo,
}

impl Service<Ask> for Lock {
    type Response = u32;
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<u32, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        let lock = self.clone();
        Box::pin(async move {
            match ask {
                Ask::Take if !lock.free => return Err(Error::Refused),
                Ask::Take => {
                    *lock.held.lock().unwrap() = true;
                    sleep(MS * lock.slow as u32).await;
                }
                Ask::Undo => {
                    *lock.held.lock().unwrap() = false;
                    let hears = lock.deaf.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1));
                    if hears.is_ok() {
                        return std::future::pending().await;
                    }
                }
            }
            Ok(1)
        })
    }
}

fn locks(free: [bool; 5], slow: [u64; 5]) -> Vec<Lock> {
    let lock = |(free, slow)| Lock {
        held: Arc::default(),
        free,
        slow,
        deaf: Arc::default(),
    };
    free.into_iter().zip(slow).map(lock).collect()
}

fn held(locks: &[Lock]) -> usize {
    locks
        .iter()
        .filter(|lock| *lock.held.lock().unwrap())
        .count()
}

fn undo(ask: &Ask) -> Option<Ask> {
    (*ask == Ask::Take).then_some(Ask::Undo)
}

#[tokio::test(start_paused = true)]
async fn what_was_granted_in_vain_is_taken_back_also_late_and_though_replies_are_lost() {
    // Two grant, one of them late; three refuse.
    let all = locks([true, true, false, false, false], [1, 400, 0, 0, 0]);
    all[0].deaf.store(3, SeqCst);
    let quorum = Quorum::try_new(NAMES.into_iter().zip(all.clone()), majority()).unwrap();
    let quorum = quorum.judge(judge).stragglers(Compensate::new(undo));
    let e: QuorumError<_, _> = quorum.oneshot(Ask::Take).await.unwrap_err();
    assert_eq!((e.elapsed(), held(&all)), (Duration::ZERO, 2));
    sleep(MS * 399).await;
    assert!(*all[1].held.lock().unwrap(), "not before what it undoes");
    sleep(MS * 10_000).await;
    assert_eq!((held(&all), all[0].deaf.load(SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_leaves_no_grant_behind_and_a_decision_stands() {
    let all = locks([true; 5], [5, 5, 900, 900, 900]);
    let make = |all: &[Lock]| {
        let quorum = Quorum::try_new(NAMES.into_iter().zip(all.to_vec()), majority()).unwrap();
        quorum.judge(judge).stragglers(Compensate::new(undo))
    };
    let call = make(&all).oneshot(Ask::Take);
    assert!(tokio::time::timeout(MS * 10, call).await.is_err());
    assert_eq!(held(&all), 5);
    sleep(MS * 10_000).await;
    assert_eq!(held(&all), 0);
    make(&all).oneshot(Ask::Take).await.unwrap();
    sleep(MS * 10_000).await;
    assert_eq!(held(&all), 5);
}

#[tokio::test(start_paused = true)]
async fn a_rule_and_its_members_have_to_fit() {
    let all = replicas([Does::IsSilent; 5]);
    let make = |rule| Quorum::try_new(named(&all), rule).unwrap_err();
    let e = make(Threshold::majority(3).unwrap());
    assert_eq!(
        e,
        BadQuorum::Misplaced {
            named: 5,
            placed: 3
        }
    );
    let twice = [("a", all[0].clone()), ("a", all[1].clone())];
    let e = Quorum::try_new(twice, Threshold::majority(2).unwrap()).unwrap_err();
    assert!(matches!(e, BadQuorum::Twice { .. }));
}
