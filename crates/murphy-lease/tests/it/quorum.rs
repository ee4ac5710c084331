//! Leases on a majority of stores.

use std::time::Duration;

use super::line::{Line, Mode, lines, of};
use murphy_lease::{
    Acquire, Claim, Grant, LeaseReply, LeaseRequest, LockName, MemoryStore, Nonce, QuorumStore,
    Rank, Renew, Ttl,
};
use murphy_quorum::BadQuorum;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

const TTL: Duration = Duration::from_secs(10);

fn lock() -> LockName {
    "orders".try_into().unwrap()
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn asked(nonce: u128, claim: Claim) -> LeaseRequest {
    LeaseRequest::Acquire(Acquire {
        lock: lock(),
        nonce: Nonce::from_bits(nonce),
        ttl: Ttl::try_new(TTL).unwrap(),
        claim,
        wait: Duration::ZERO,
    })
}

fn acquire(nonce: u128) -> LeaseRequest {
    asked(nonce, Claim::Above(Rank::ZERO))
}

fn renew(nonce: u128, rank: Rank) -> LeaseRequest {
    LeaseRequest::Renew(Renew {
        lock: lock(),
        nonce: Nonce::from_bits(nonce),
        rank,
        ttl: Ttl::try_new(TTL).unwrap(),
    })
}

fn release(nonce: u128) -> LeaseRequest {
    let (lock, nonce) = (lock(), Nonce::from_bits(nonce));
    LeaseRequest::Release { lock, nonce }
}

fn observe() -> LeaseRequest {
    LeaseRequest::Observe { lock: lock() }
}

type Store = QuorumStore<Line>;

async fn ask(store: &Store, request: LeaseRequest) -> LeaseReply {
    store.clone().oneshot(request).await.unwrap()
}

async fn granted(store: &Store, nonce: u128) -> Grant {
    let reply = ask(store, acquire(nonce)).await;
    let LeaseReply::Granted(grant) = reply else {
        panic!("{reply:?}")
    };
    grant
}

/// Which members hold something.
async fn holders(lines: &[Line]) -> Vec<bool> {
    let mut held = Vec::new();
    for line in lines {
        let seen = line.store().oneshot(observe()).await.unwrap();
        held.push(matches!(
            seen,
            LeaseReply::Observed {
                holder: Some(_),
                ..
            }
        ));
    }
    held
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_nobody_is_in_the_way_of_takes_one_round() {
    let lines = lines(5);
    let store = of(&lines);
    let one = granted(&store, 1).await;
    assert_eq!(one.ttl, TTL);
    assert!(lines.iter().all(|line| line.calls() == 1));
    // Nor does the next, whose lock was held before.
    ask(&store, release(1)).await;
    sleep(ms(1)).await;
    let two = granted(&of(&lines), 2).await;
    assert!(two.rank > one.rank);
    assert!(lines.iter().all(|line| line.calls() == 3));
}

/// It has no line, and leaves nobody in those of its members.
#[tokio::test(start_paused = true)]
async fn who_would_wait_is_answered_at_once_and_stands_in_no_line() {
    let lines = lines(5);
    let store = of(&lines);
    let first = granted(&store, 1).await;
    let LeaseRequest::Acquire(waits) = acquire(2) else {
        panic!("an acquire")
    };
    let waits = Acquire { wait: TTL, ..waits };
    let began = Instant::now();
    let reply = ask(&store, LeaseRequest::Acquire(waits)).await;
    assert!(matches!(reply, LeaseReply::Held(_)), "{reply:?}");
    assert!(began.elapsed() < ms(1000));
    ask(&store, release(1)).await;
    sleep(ms(1)).await;
    assert_eq!(holders(&lines).await, [false; 5]);
    assert!(granted(&store, 3).await.rank > first.rank);
}

#[tokio::test(start_paused = true)]
async fn by_counting_a_ballot_is_one_above_what_was_heard_of() {
    let lines = lines(5);
    let store = of(&lines).counting();
    let mut last = granted(&store, 1).await.rank;
    assert_eq!(last, Rank::new(0, 1));
    for nonce in 2..5 {
        ask(&store, release(nonce - 1)).await;
        let rank = granted(&store, nonce).await.rank;
        assert_eq!(Some(rank), last.next());
        last = rank;
    }
    let before = lines[0].calls();
    ask(&store, release(4)).await;
    // Who has heard of nothing learns it in one round, and is granted in the next.
    let cold = of(&lines).counting();
    assert_eq!(Some(granted(&cold, 9).await.rank), last.next());
    assert_eq!(lines[0].calls(), before + 3);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_held_says_when_it_pays_to_try_again() {
    let lines = lines(5);
    let store = of(&lines);
    let grant = granted(&store, 1).await;
    sleep(ms(4000)).await;
    let LeaseReply::Held(holder) = ask(&store, acquire(2)).await else {
        panic!()
    };
    assert_eq!((holder.rank, holder.remaining), (grant.rank, ms(6000)));
    sleep(ms(6000)).await;
    assert!(granted(&store, 2).await.rank > grant.rank);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_acquire_gets_the_same_grant_and_what_is_left_of_it() {
    let lines = lines(5);
    let store = of(&lines);
    let first = granted(&store, 1).await;
    sleep(ms(3000)).await;
    let again = granted(&store, 1).await;
    assert_eq!((again.rank, again.ttl), (first.rank, ms(7000)));
    // Over, it is granted anew.
    sleep(ms(7000)).await;
    assert!(granted(&store, 1).await.rank > first.rank);
    ask(&store, release(1)).await;
    assert_eq!(holders(&lines).await, [false; 5]);
}

#[tokio::test(start_paused = true)]
async fn two_of_five_may_be_lost_and_three_may_not() {
    let lines = lines(5);
    let store = of(&lines);
    for mode in [Mode::Refusing, Mode::LosesRequests, Mode::LosesReplies] {
        lines[1].set(mode);
        lines[4].set(mode);
        granted(&store, 1).await;
        ask(&store, release(1)).await;
        lines[2].set(mode);
        let began = Instant::now();
        let e = store.clone().oneshot(acquire(2)).await.unwrap_err();
        assert!(
            began.elapsed() <= ms(1000),
            "{mode:?} {:?}",
            began.elapsed()
        );
        assert!(
            e.to_string()
                .starts_with("acquire of `orders`: impossible: 3 of 5 needed"),
            "{e}"
        );
        lines.iter().for_each(|line| line.set(Mode::Up));
        // What some had recorded is taken back, also where the replies were lost.
        sleep(ms(3000)).await;
        assert_eq!(holders(&lines).await, [false; 5], "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_is_taken_back() {
    let lines = lines(5);
    let store = of(&lines);
    lines.iter().for_each(|line| line.set(Mode::Slow(ms(100))));
    let left = tokio::time::timeout(ms(50), store.oneshot(acquire(1))).await;
    assert!(left.is_err());
    sleep(ms(1000)).await;
    assert!(
        lines.iter().all(|line| line.calls() == 2),
        "asked, and undone"
    );
    assert_eq!(holders(&lines).await, [false; 5]);
}

#[tokio::test(start_paused = true)]
async fn of_two_who_split_the_members_one_gets_it_and_nothing_is_left_behind() {
    for seed in 0..20 {
        let lines = lines(4);
        let rival = |nonce| {
            let store = of(&lines).seed(murphy_core::Seed::new(seed));
            async move { store.oneshot(acquire(nonce)).await.unwrap() }
        };
        // Each is first at two of the four.
        let shared = lines.clone();
        let first = rival(1);
        lines[2].set(Mode::Slow(ms(3)));
        lines[3].set(Mode::Slow(ms(3)));
        let first = tokio::spawn(first);
        sleep(ms(1)).await;
        lines.iter().for_each(|line| line.set(Mode::Up));
        let second = rival(2).await;
        let replies = [first.await.unwrap(), second];
        let won = |reply: &&LeaseReply| matches!(reply, LeaseReply::Granted(_));
        assert_eq!(replies.iter().filter(won).count(), 1, "{replies:?}");
        sleep(ms(100)).await;
        assert!(holders(&shared).await.iter().filter(|held| **held).count() >= 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_takes_a_majority_and_its_refusal_another() {
    let lines = lines(5);
    let store = of(&lines);
    let rank = granted(&store, 1).await.rank;
    sleep(ms(5000)).await;
    lines[0].set(Mode::LosesReplies);
    lines[1].set(Mode::LosesReplies);
    let renewed = LeaseReply::Renewed { ttl: TTL };
    assert_eq!(ask(&store, renew(1, rank)).await, renewed);
    // Two say that it is over, two are silent: nobody knows.
    lines[2].forget(&lock(), 1, rank).await;
    lines[3].forget(&lock(), 1, rank).await;
    let e = store.clone().oneshot(renew(1, rank)).await.unwrap_err();
    assert_eq!(e.verb(), "renew");
    lines[4].forget(&lock(), 1, rank).await;
    let over = LeaseReply::NotHolder { high: rank };
    assert_eq!(ask(&store, renew(1, rank)).await, over);
}

#[tokio::test(start_paused = true)]
async fn of_four_two_are_enough_to_know_that_a_lease_is_over() {
    let lines = lines(4);
    let store = of(&lines);
    let rank = granted(&store, 1).await.rank;
    lines[0].set(Mode::LosesReplies);
    lines[1].forget(&lock(), 1, rank).await;
    // It takes three to renew it, and three may still do it.
    assert!(store.clone().oneshot(renew(1, rank)).await.is_err());
    lines[0].set(Mode::Up);
    let reply = ask(&store, renew(1, rank)).await;
    assert_eq!(reply, LeaseReply::Renewed { ttl: TTL });
    lines[2].forget(&lock(), 1, rank).await;
    let over = LeaseReply::NotHolder { high: rank };
    assert_eq!(ask(&store, renew(1, rank)).await, over);
}

#[tokio::test(start_paused = true)]
async fn an_expired_lease_is_not_renewed_though_nobody_took_it() {
    let lines = lines(5);
    let store = of(&lines);
    lines[4].set(Mode::Refusing);
    let rank = granted(&store, 1).await.rank;
    lines[4].set(Mode::Up);
    sleep(TTL).await;
    let reply = ask(&store, renew(1, rank)).await;
    assert!(matches!(reply, LeaseReply::NotHolder { .. }), "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn who_missed_a_grant_records_it_at_the_renewal_and_the_lease_survives_who_had_it() {
    let lines = lines(5);
    let store = of(&lines);
    lines[0].set(Mode::Refusing);
    lines[1].set(Mode::LosesRequests);
    let rank = granted(&store, 1).await.rank;
    lines.iter().for_each(|line| line.set(Mode::Up));
    sleep(ms(2000)).await;
    let renewed = LeaseReply::Renewed { ttl: TTL };
    assert_eq!(ask(&store, renew(1, rank)).await, renewed);
    assert_eq!(holders(&lines).await, [true; 5]);
    lines[2].set(Mode::Refusing);
    lines[3].set(Mode::Refusing);
    assert_eq!(ask(&store, renew(1, rank)).await, renewed);
}

#[tokio::test(start_paused = true)]
async fn another_process_releases_by_the_callers_nonce() {
    let lines = lines(5);
    granted(&of(&lines), 1).await;
    let nothing = LeaseReply::Released { was_held: false };
    assert_eq!(ask(&of(&lines), release(2)).await, nothing);
    assert_eq!(
        holders(&lines).await,
        [true; 5],
        "a rival's release ends nothing"
    );
    let was_held = LeaseReply::Released { was_held: true };
    assert_eq!(ask(&of(&lines), release(1)).await, was_held);
    sleep(ms(1)).await;
    assert_eq!(holders(&lines).await, [false; 5]);
    assert_eq!(ask(&of(&lines), release(1)).await, nothing);
}

#[tokio::test(start_paused = true)]
async fn a_release_reaches_those_who_are_away_for_a_moment() {
    let lines = lines(5);
    let store = of(&lines);
    granted(&store, 1).await;
    lines[0].set(Mode::Refusing);
    lines[1].set(Mode::LosesRequests);
    ask(&store, release(1)).await;
    sleep(ms(20)).await;
    lines.iter().for_each(|line| line.set(Mode::Up));
    sleep(ms(1000)).await;
    assert_eq!(holders(&lines).await, [false; 5]);
}

/// The release overtakes the acquire on its way to a slow member.
#[tokio::test(start_paused = true)]
async fn what_is_recorded_after_its_release_is_undone() {
    let lines = lines(3);
    let store = of(&lines);
    lines[2].set(Mode::Slow(ms(300)));
    granted(&store, 1).await;
    lines[2].set(Mode::Up);
    ask(&store, release(1)).await;
    sleep(ms(299)).await;
    assert_eq!(holders(&lines).await, [false; 3]);
    sleep(ms(2)).await;
    assert_eq!(holders(&lines).await, [false; 3]);
    // A lease that is held is not undone.
    lines[2].set(Mode::Slow(ms(300)));
    granted(&store, 2).await;
    lines[2].set(Mode::Up);
    sleep(ms(301)).await;
    assert_eq!(holders(&lines).await, [true; 3]);
}

#[tokio::test(start_paused = true)]
async fn the_undoing_of_a_ballot_never_ends_the_next_one_of_the_same_nonce() {
    let lines = lines(5);
    let store = of(&lines);
    // A ballot that reaches nobody; what is to undo it is on its way for long.
    lines.iter().for_each(|line| line.set(Mode::LosesRequests));
    let lost = tokio::spawn(store.clone().oneshot(acquire(1)));
    sleep(ms(10)).await;
    lines.iter().for_each(|line| line.set(Mode::Slow(ms(300))));
    lost.await.unwrap().unwrap_err();
    sleep(ms(1050)).await;
    let undoing = lines[0].calls();
    lines.iter().for_each(|line| line.set(Mode::Up));
    let rank = granted(&store, 1).await.rank;
    assert_eq!((undoing, lines[0].calls()), (2, 3));
    sleep(ms(5000)).await;
    let renewed = LeaseReply::Renewed { ttl: TTL };
    assert_eq!(holders(&lines).await, [true; 5]);
    assert_eq!(ask(&store, renew(1, rank)).await, renewed);
}

#[tokio::test(start_paused = true)]
async fn a_ballot_that_nobody_heard_of_is_not_used_again() {
    let lines = lines(3);
    let store = of(&lines).counting();
    for mode in [Mode::Refusing, Mode::LosesRequests] {
        lines.iter().for_each(|line| line.set(mode));
        let lost = tokio::time::timeout(ms(100), store.clone().oneshot(acquire(1)));
        assert!(!matches!(lost.await, Ok(Ok(_))));
    }
    lines.iter().for_each(|line| line.set(Mode::Up));
    assert_eq!(granted(&store, 1).await.rank, Rank::new(0, 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_observed_is_the_highest_of_a_majority() {
    let lines = lines(5);
    let store = of(&lines);
    let nothing = LeaseReply::Observed {
        high: Rank::ZERO,
        holder: None,
    };
    assert_eq!(ask(&store, observe()).await, nothing);
    lines[0].set(Mode::Refusing);
    let grant = granted(&store, 1).await;
    lines[0].set(Mode::Up);
    lines[3].set(Mode::Refusing);
    lines[4].set(Mode::Refusing);
    let LeaseReply::Observed { high, holder } = ask(&store, observe()).await else {
        panic!()
    };
    assert_eq!((high, holder.unwrap().rank), (grant.rank, grant.rank));
}

#[tokio::test(start_paused = true)]
async fn an_exact_rank_is_one_ballot_and_a_quorum_of_quorums_is_one() {
    let lines = lines(9);
    let stores = lines.chunks(3).enumerate();
    let stores = stores.map(|(n, members)| (format!("rack-{n}"), of(members)));
    let store = QuorumStore::try_new(stores).unwrap();
    let ask = |request| store.clone().oneshot(request);
    let at = |seq| Rank::new(0, seq);
    let (rank, ttl) = (at(7), TTL);
    let granted = LeaseReply::Granted(Grant { rank, ttl });
    assert_eq!(ask(asked(1, Claim::Exactly(at(7)))).await.unwrap(), granted);
    assert!(matches!(
        ask(asked(2, Claim::Exactly(at(8)))).await.unwrap(),
        LeaseReply::Held(_)
    ));
    ask(release(1)).await.unwrap();
    sleep(ms(100)).await;
    let passed = LeaseReply::Passed { high: at(7) };
    assert_eq!(ask(asked(2, Claim::Exactly(at(7)))).await.unwrap(), passed);
    assert!(
        matches!(ask(acquire(2)).await.unwrap(), LeaseReply::Granted(grant) if grant.rank > at(7))
    );
}

#[tokio::test(start_paused = true)]
async fn there_is_nothing_above_the_last_rank() {
    let store = of(&lines(3));
    let reply = ask(&store, asked(1, Claim::Above(Rank::MAX))).await;
    assert_eq!(reply, LeaseReply::Passed { high: Rank::MAX });
    let last = Claim::Exactly(Rank::MAX);
    assert!(matches!(
        ask(&store, asked(1, last)).await,
        LeaseReply::Granted(_)
    ));
    ask(&store, release(1)).await;
    let reply = ask(&store, acquire(2)).await;
    assert_eq!(reply, LeaseReply::Passed { high: Rank::MAX });
}

#[tokio::test(start_paused = true)]
async fn an_era_puts_a_grant_above_all_before_it() {
    let lines = lines(3);
    let before = granted(&of(&lines), 1).await.rank;
    ask(&of(&lines), release(1)).await;
    let after = granted(&of(&lines).era(3), 2).await.rank;
    assert!(after > before && after.era == 3);
    ask(&of(&lines), release(2)).await;
    // A store that was not told meets it, and goes on above it.
    assert!(granted(&of(&lines), 3).await.rank > after);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_answers_something_else_has_no_vote() {
    let lines = lines(3);
    let store = of(&lines);
    lines[0].set(Mode::Nonsense);
    granted(&store, 1).await;
    ask(&store, release(1)).await;
    lines[1].set(Mode::Nonsense);
    store.clone().oneshot(acquire(2)).await.unwrap_err();
}

#[test]
fn members_are_checked_when_it_is_built() {
    let stores = |names: &[&'static str]| {
        let stores = names.iter().map(|name| (*name, MemoryStore::new()));
        QuorumStore::try_new(stores).map(drop)
    };
    assert_eq!(stores(&[]), Err(BadQuorum::NoMembers));
    assert!(matches!(
        stores(&["a", "b", "a"]),
        Err(BadQuorum::Twice { .. })
    ));
    assert_eq!(stores(&["a", "b", "c"]), Ok(()));
    let many: Vec<_> = (0..65)
        .map(|n| (n.to_string(), MemoryStore::new()))
        .collect();
    assert!(QuorumStore::try_new(many).is_err());
}
