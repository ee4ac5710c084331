//! Members that panic, rules that say odd things, delays of nothing and of ever, callers that leave whenever they like.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use murphy_quorum::{
    Compensate, HedgeAfter, Matching, Need, Outcome, Plan, Quorum, Set, System, Threshold, Weighted,
};
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use tower::{Service, ServiceExt};

const MS: Duration = Duration::from_millis(1);

/// What a member does with one call; nothing left to do: it answers at once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Grants, and answers after so long.
    Grants(u32),
    /// Grants, and nothing is heard of it.
    GrantsUnheard,
    Refuses(u32),
    PanicsWhenReadied,
    PanicsWhenCalled,
    /// Grants, and panics when polled.
    Panics,
    IsNeverReady,
    /// Cannot be readied, this instance.
    IsBroken,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ask {
    Take,
    Undo,
}

/// One that holds what it granted until it is undone.
#[derive(Debug, Default)]
struct Member {
    takes: Mutex<VecDeque<Does>>,
    undoes: Mutex<VecDeque<Does>>,
    held: Mutex<bool>,
    asked: Mutex<Vec<Ask>>,
}

#[derive(Debug)]
struct Client {
    member: Arc<Member>,
    is_broken: bool,
}

impl Clone for Client {
    fn clone(&self) -> Self {
        let (member, is_broken) = (Arc::clone(&self.member), false);
        Self { member, is_broken }
    }
}

impl Member {
    fn new(does: Does) -> Arc<Self> {
        let member = Self::default();
        member.takes.lock().unwrap().push_back(does);
        Arc::new(member)
    }

    fn next(&self, ask: Ask) -> Does {
        let script = match ask {
            Ask::Take => &self.takes,
            Ask::Undo => &self.undoes,
        };
        script
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Does::Grants(0))
    }

    fn is_held(&self) -> bool {
        *self.held.lock().unwrap()
    }
}

impl Service<Ask> for Client {
    type Response = u32;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<u32, &'static str>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        let ask = match self.member.asked.lock().unwrap().contains(&Ask::Take) {
            true => Ask::Undo,
            false => Ask::Take,
        };
        let script = match ask {
            Ask::Take => &self.member.takes,
            Ask::Undo => &self.member.undoes,
        };
        let next = script.lock().unwrap().front().copied();
        match next {
            _ if self.is_broken => Poll::Ready(Err("broken")),
            Some(Does::IsBroken) => {
                script.lock().unwrap().pop_front();
                self.is_broken = true;
                Poll::Ready(Err("broken"))
            }
            Some(Does::PanicsWhenReadied) => panic!("when readied"),
            Some(Does::IsNeverReady) => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        let member = Arc::clone(&self.member);
        member.asked.lock().unwrap().push(ask);
        let does = member.next(ask);
        if does == Does::PanicsWhenCalled {
            panic!("when called");
        }
        Box::pin(async move {
            if let Does::Refuses(after) = does {
                sleep(MS * after).await;
                return Err("refused");
            }
            *member.held.lock().unwrap() = ask == Ask::Take;
            match does {
                Does::Grants(0) => Ok(1),
                Does::Grants(after) => {
                    sleep(MS * after).await;
                    Ok(1)
                }
                Does::Panics => panic!("when polled"),
                _ => pending().await,
            }
        })
    }
}

fn judge(result: Result<&u32, &&'static str>) -> Outcome<u32> {
    match result {
        Ok(reply) => Outcome::Yes(*reply),
        Err(&"refused") => Outcome::No,
        Err(_) => Outcome::Unknown,
    }
}

fn members<const N: usize>(does: [Does; N]) -> [Arc<Member>; N] {
    does.map(Member::new)
}

fn clients(members: &[Arc<Member>]) -> Vec<(usize, Client)> {
    let client = |member: &Arc<Member>| Client {
        member: Arc::clone(member),
        is_broken: false,
    };
    members.iter().map(client).enumerate().collect()
}

fn undoing() -> Compensate<fn(&Ask) -> Option<Ask>, Client, Ask> {
    Compensate::new(|ask| (*ask == Ask::Take).then_some(Ask::Undo))
}

fn held(members: &[Arc<Member>]) -> Vec<usize> {
    let held = members.iter().enumerate().filter(|(_, m)| m.is_held());
    held.map(|(at, _)| at).collect()
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_callers_and_what_was_granted_is_taken_back() {
    use Does::*;
    for panics in [PanicsWhenReadied, PanicsWhenCalled, Panics] {
        let all = members([Grants(0), GrantsUnheard, panics, Refuses(0), Refuses(0)]);
        let quorum = Quorum::try_new(clients(&all), Threshold::majority(5).unwrap()).unwrap();
        let quorum = quorum.judge(judge).stragglers(undoing());
        let asked = tokio::spawn(quorum.oneshot(Ask::Take)).await;
        assert!(asked.unwrap_err().is_panic());
        sleep(MS * 5_000).await;
        assert_eq!(held(&all), [], "{panics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_panics_leaves_no_grant_behind() {
    let all = members([Does::Grants(1); 3]);
    let quorum = Quorum::try_new(clients(&all), Threshold::majority(3).unwrap()).unwrap();
    let panics = |_: Result<&u32, &&'static str>| -> Outcome<()> { panic!("when judged") };
    let quorum = quorum.judge(panics).stragglers(undoing());
    let asked = tokio::spawn(quorum.oneshot(Ask::Take)).await;
    assert!(asked.unwrap_err().is_panic());
    sleep(MS * 5_000).await;
    assert_eq!(held(&all), []);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_panics_or_finds_a_broken_instance_is_tried_again() {
    use Does::*;
    let all = members([Grants(0), Refuses(0), Refuses(0)]);
    all[0].undoes.lock().unwrap().extend([
        PanicsWhenCalled,
        Panics,
        IsBroken,
        Refuses(0),
        Grants(0),
    ]);
    let quorum = Quorum::try_new(clients(&all), Threshold::majority(3).unwrap()).unwrap();
    let quorum = quorum.judge(judge).stragglers(undoing());
    quorum.oneshot(Ask::Take).await.unwrap_err();
    sleep(MS * 5_000).await;
    assert_eq!(held(&all), []);
    assert!(all[0].undoes.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_yes_to_an_error_is_unknown() {
    let all = members([Does::Refuses(0); 3]);
    let quorum = Quorum::try_new(clients(&all), Threshold::majority(3).unwrap()).unwrap();
    let yes = |_: Result<&u32, &&'static str>| Outcome::Yes(());
    let e = quorum.judge(yes).oneshot(Ask::Take).await.unwrap_err();
    assert_eq!(e.why().unknown.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_enough_any_more_is_joined_by_as_many_as_it_takes() {
    use Does::*;
    let plan = Plan::Minimal(HedgeAfter::Delay(Duration::MAX));
    // The heavy one refuses: it takes three of the light ones, and one of them was asked.
    let all = members([Refuses(1), Grants(2), Grants(2), Grants(2), Grants(2)]);
    let rule = Weighted::of(4, [3, 1, 1, 1, 1]).unwrap();
    let quorum = Quorum::try_new(clients(&all), rule).unwrap();
    let answer = quorum.judge(judge).plan(plan).oneshot(Ask::Take);
    let answer = timeout(MS * 1000, answer).await.unwrap().unwrap();
    assert_eq!(answer.quorum(), [1, 2, 3, 4].into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn replies_that_do_not_agree_are_put_to_others() {
    let all = members([Does::Grants(1); 4]);
    let votes = Arc::new(Mutex::new(VecDeque::from([1, 2, 3, 2])));
    let differ = move |_: Result<&u32, &&'static str>| {
        Outcome::Yes(votes.lock().unwrap().pop_front().unwrap_or(9))
    };
    let rule = Matching::try_new(4, 1).unwrap();
    let plan = Plan::Minimal(HedgeAfter::Delay(Duration::MAX));
    let quorum = Quorum::try_new(clients(&all), rule).unwrap().plan(plan);
    let answer = timeout(MS * 1000, quorum.judge(differ).oneshot(Ask::Take));
    assert_eq!(answer.await.unwrap().unwrap().quorum().len(), 2);
}

/// A system in which nobody is enough.
#[derive(Clone, Debug)]
struct Anything(usize);

impl System for Anything {
    fn members(&self) -> Set {
        Set::first(self.0)
    }
    fn is_quorum(&self, _: Set) -> bool {
        true
    }
    fn need(&self) -> Need {
        Need::Members { needed: 0, of: 1 }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_needs_nobody_asks_somebody() {
    let all = members([Does::Grants(1), Does::Grants(1)]);
    let quorum = Quorum::try_new(clients(&all), Anything(2)).unwrap();
    let quorum = quorum.plan(Plan::Minimal(HedgeAfter::Delay(Duration::MAX)));
    let answer = timeout(MS * 1000, quorum.oneshot(Ask::Take)).await.unwrap();
    assert_eq!(answer.unwrap().quorum(), Set::one(0));
}

#[tokio::test(start_paused = true)]
async fn the_last_of_sixty_four_counts_as_all_others_do() {
    let all = [(); 64].map(|()| Member::new(Does::Grants(1)));
    for member in &all[..31] {
        *member.takes.lock().unwrap() = [Does::Refuses(0)].into();
    }
    let rule = Threshold::majority(64).unwrap();
    let quorum = Quorum::try_new(clients(&all), rule).unwrap().judge(judge);
    let answer = quorum.clone().oneshot(Ask::Take).await.unwrap();
    assert!(answer.quorum().contains(63) && answer.quorum().len() == 33);
    *all[63].takes.lock().unwrap() = [Does::Refuses(0)].into();
    for member in &all[..31] {
        *member.takes.lock().unwrap() = [Does::Refuses(0)].into();
    }
    quorum.oneshot(Ask::Take).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn delays_of_nothing_and_of_ever_are_what_they_say() {
    for (hedge, patience, asked) in [
        (Duration::ZERO, Duration::MAX, 3),
        (Duration::MAX, Duration::MAX, 2),
        (Duration::ZERO, Duration::ZERO, 3),
    ] {
        let all = members([Does::GrantsUnheard, Does::Grants(5), Does::Grants(5)]);
        let rule = Threshold::majority(3).unwrap();
        let quorum = Quorum::try_new(clients(&all), rule).unwrap().judge(judge);
        let plan = Plan::Minimal(HedgeAfter::Delay(hedge));
        let quorum = quorum.plan(plan).patience(patience);
        let answer = timeout(MS * 1000, quorum.oneshot(Ask::Take)).await;
        let answers = answer.is_ok_and(|answer| answer.is_ok());
        assert_eq!(
            answers,
            (hedge, patience) == (Duration::ZERO, Duration::MAX)
        );
        let taken = all.iter().filter(|m| !m.asked.lock().unwrap().is_empty());
        if patience == Duration::MAX {
            assert_eq!(taken.count(), asked, "{hedge:?} {patience:?}");
        }
    }
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        (0..40u32).prop_map(Does::Grants),
        Just(Does::GrantsUnheard),
        (0..40u32).prop_map(Does::Refuses),
        Just(Does::PanicsWhenReadied),
        Just(Does::PanicsWhenCalled),
        Just(Does::Panics),
        Just(Does::IsNeverReady),
        Just(Does::IsBroken),
    ]
}

proptest! {
    #[test]
    fn whenever_a_caller_leaves_no_grant_is_left_behind(
        takes in prop::array::uniform5(does()),
        undoes in prop::array::uniform5(prop::collection::vec(does(), 0..4)),
        leaves in 0..50u32,
        hedge in prop_oneof![Just(None), (0..20u32).prop_map(Some)],
    ) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let all = members(takes);
            for (member, script) in all.iter().zip(undoes) {
                // It is never for good that an undo cannot be brought.
                let ends = |does: &Does| !matches!(does, Does::PanicsWhenReadied | Does::IsNeverReady);
                member.undoes.lock().unwrap().extend(script.into_iter().filter(ends));
            }
            let quorum = Quorum::try_new(clients(&all), Threshold::majority(5).unwrap()).unwrap();
            let plan = hedge.map_or(Plan::Broadcast, |d| Plan::Minimal(HedgeAfter::Delay(MS * d)));
            let quorum = quorum.judge(judge).stragglers(undoing()).plan(plan);
            let asked = tokio::spawn(timeout(MS * leaves, quorum.oneshot(Ask::Take)));
            let decided = matches!(asked.await, Ok(Ok(Ok(_))));
            sleep(MS * 60_000).await;
            if !decided {
                assert_eq!(held(&all), []);
            }
        });
    }
}

#[test]
fn a_panic_outside_of_a_runtime_is_only_that() {
    let all = members([Does::Panics, Does::Grants(0), Does::Grants(0)]);
    let rule = Threshold::majority(3).unwrap();
    let mut quorum = Quorum::try_new(clients(&all), rule).unwrap().judge(judge);
    let mut asked = Box::pin(quorum.call(Ask::Take));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let poll = AssertUnwindSafe(|| asked.as_mut().poll(&mut cx).is_ready());
    assert!(catch_unwind(poll).is_err());
}
