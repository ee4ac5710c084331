use proptest::prelude::*;

use super::*;

const LEASE: Ttl = Ttl::from_millis(1000);

fn patience() -> Patience {
    Patience {
        drift: Drift::NONE,
        margin: Duration::from_millis(100),
        most: Ttl::from_millis(5000),
    }
}

fn who(nonce: u128) -> Candidate {
    Candidate {
        id: NodeId::try_new(&format!("n{}", nonce % 3)).unwrap(),
        nonce: Nonce::from_bits(nonce),
    }
}

fn vote(term: u64, nonce: u128) -> VoteAsk {
    let (candidate, lease) = (who(nonce), LEASE);
    VoteAsk::Vote {
        term,
        candidate,
        lease,
    }
}

fn pre_vote(term: u64, nonce: u128) -> VoteAsk {
    let candidate = who(nonce);
    VoteAsk::PreVote { term, candidate }
}

fn beat(term: u64, nonce: u128) -> VoteAsk {
    let (candidate, lease) = (who(nonce), LEASE);
    VoteAsk::Beat {
        term,
        candidate,
        lease,
    }
}

fn resign(nonce: u128, term: Option<u64>) -> VoteAsk {
    let nonce = Nonce::from_bits(nonce);
    VoteAsk::Resign { nonce, term }
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn granted() -> VoteSaid {
    VoteSaid::Granted { lease: LEASE.get() }
}

/// A script: at so many milliseconds this is asked, and that is said.
fn script(seat: &mut Seat, began: Instant, steps: &[(u64, VoteAsk, VoteSaid)]) {
    for (n, (at, ask, want)) in steps.iter().enumerate() {
        let said = seat.on(ask, began + ms(*at)).said;
        assert_eq!(said, *want, "step {n}: {ask:?}");
    }
}

fn busy(id: &str, for_ms: u64) -> VoteSaid {
    let leader = Some(NodeId::try_new(id).unwrap());
    let remaining = ms(for_ms);
    VoteSaid::Busy { leader, remaining }
}

#[test]
fn nobody_else_is_elected_while_a_leader_may_lead() {
    let began = Instant::now();
    let mut seat = Seat::new(patience());
    script(
        &mut seat,
        began,
        &[
            (0, pre_vote(1, 1), VoteSaid::Would),
            (0, vote(1, 1), granted()),
            (0, vote(1, 1), granted()),
            (100, pre_vote(2, 2), busy("n1", 1000)),
            (100, vote(2, 2), busy("n1", 1000)),
            (500, beat(1, 1), granted()),
            (1599, vote(9, 2), busy("n1", 1)),
            (1600, pre_vote(2, 2), VoteSaid::Would),
            (1600, vote(2, 2), granted()),
            (1600, beat(1, 1), VoteSaid::Stale),
            (1600, vote(2, 1), busy("n2", 1100)),
        ],
    );
    assert_eq!(
        seat.state().term,
        2,
        "who was not heard has not driven it up"
    );
}

#[test]
fn the_vote_of_a_term_is_given_once_and_to_one_candidacy() {
    let began = Instant::now();
    let mut seat = Seat::new(patience());
    script(
        &mut seat,
        began,
        &[
            (0, vote(1, 1), granted()),
            (
                10,
                resign(1, Some(1)),
                VoteSaid::Resigned { was_held: true },
            ),
            (10, vote(1, 2), VoteSaid::Taken),
            // By the same name, but another candidacy.
            (10, vote(1, 4), VoteSaid::Taken),
            (10, vote(1, 1), VoteSaid::Lapsed),
            (10, vote(2, 4), granted()),
            (10, vote(1, 4), VoteSaid::Stale),
        ],
    );
}

#[test]
fn what_has_lapsed_is_not_revived() {
    let began = Instant::now();
    let mut seat = Seat::new(patience());
    let late = VoteSaid::Resigned { was_held: false };
    script(
        &mut seat,
        began,
        &[
            (0, vote(1, 1), granted()),
            (1100, beat(1, 1), VoteSaid::Lapsed),
            (1100, vote(1, 1), VoteSaid::Lapsed),
            (1100, resign(1, None), late.clone()),
            (1100, vote(2, 1), granted()),
            // The undoing of a candidacy of before does not end this one.
            (1200, resign(1, Some(1)), late),
            (1200, beat(2, 1), granted()),
        ],
    );
}

#[test]
fn who_has_won_is_heard_also_by_those_who_did_not_vote_for_it() {
    let began = Instant::now();
    let mut seat = Seat::new(patience());
    script(
        &mut seat,
        began,
        &[
            (0, vote(3, 1), granted()),
            (10, beat(3, 2), granted()),
            (20, vote(4, 1), busy("n2", 1090)),
            (30, beat(5, 0), granted()),
            (40, beat(3, 2), VoteSaid::Stale),
        ],
    );
    assert_eq!(seat.state().term, 5);
}

#[test]
fn who_comes_back_waits_out_what_it_may_have_promised_and_knows_its_vote() {
    let began = Instant::now();
    let mut seat = Seat::new(patience());
    seat.on(&vote(3, 1), began);
    let mut seat = Seat::restored(seat.state().clone(), began, patience());
    let shut = |for_ms| VoteSaid::Busy {
        leader: None,
        remaining: ms(for_ms),
    };
    script(
        &mut seat,
        began,
        &[
            (0, vote(4, 2), shut(5100)),
            (10, beat(2, 2), VoteSaid::Stale),
            (10, beat(3, 1), granted()),
            (4000, vote(4, 2), shut(1100)),
            (5100, vote(3, 2), VoteSaid::Taken),
            (5100, vote(4, 2), granted()),
        ],
    );
}

#[test]
fn no_lease_is_promised_that_is_longer_than_a_restart_waits() {
    let mut seat = Seat::new(patience());
    let lease = Ttl::from_millis(5001);
    let (term, candidate) = (1, who(1));
    let ask = VoteAsk::Vote {
        term,
        candidate,
        lease,
    };
    let most = ms(5000);
    let said = seat.on(&ask, Instant::now()).said;
    assert_eq!(said, VoteSaid::TooLong { most });
    assert_eq!(seat.state().term, 0);
}

fn any_ask() -> impl Strategy<Value = VoteAsk> {
    let nonce = || 1_u128..5;
    prop_oneof![
        (1_u64..6, nonce()).prop_map(|(term, nonce)| pre_vote(term, nonce)),
        (1_u64..6, nonce()).prop_map(|(term, nonce)| vote(term, nonce)),
        (1_u64..6, nonce()).prop_map(|(term, nonce)| beat(term, nonce)),
        (nonce(), prop::option::of(1_u64..6)).prop_map(|(nonce, term)| resign(nonce, term)),
        Just(VoteAsk::Observe),
    ]
}

proptest! {
    /// Whatever comes in whatever order, also through restarts: one vote a term, terms never fall, and no vote for another
    /// before a promise is over.
    #[test]
    fn a_voter_keeps_its_word(
        steps in prop::collection::vec((any_ask(), 0_u64..1500, prop::bool::weighted(0.1)), 1..60),
    ) {
        let began = Instant::now();
        let mut seat = Seat::new(patience());
        let (mut now, mut votes) = (began, std::collections::BTreeMap::new());
        let mut promised: Option<(Candidate, Instant)> = None;
        for (ask, later, restarts) in steps {
            now += ms(later);
            if restarts {
                seat = Seat::restored(seat.state().clone(), now, patience());
            }
            let before = seat.state().term;
            let reply = seat.on(&ask, now);
            prop_assert!(reply.term >= before);
            prop_assert_eq!(reply.term, seat.state().term);
            match (&ask, &reply.said) {
                (VoteAsk::Vote { term, candidate, lease }, VoteSaid::Granted { .. }) => {
                    let voted = votes.entry(*term).or_insert_with(|| candidate.clone());
                    prop_assert_eq!(&*voted, candidate, "two votes in term {}", term);
                    if let Some((to, until)) = &promised {
                        prop_assert!(to == candidate || *until <= now, "{:?} was promised", to);
                    }
                    promised = Some((candidate.clone(), now + lease.get()));
                }
                (VoteAsk::Beat { candidate, lease, .. }, VoteSaid::Granted { .. }) => {
                    promised = Some((candidate.clone(), now + lease.get()));
                }
                (VoteAsk::Resign { .. }, VoteSaid::Resigned { was_held: true }) => promised = None,
                (VoteAsk::PreVote { .. } | VoteAsk::Observe, _) => prop_assert_eq!(reply.term, before),
                _ => {}
            }
        }
    }
}
