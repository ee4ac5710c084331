//! Ballots and voters.

use murphy_quorum::{BadQuorum, Ballot, Cast, Persisted, Refusal, Voter};
use proptest::prelude::*;

const NODES: [&str; 5] = ["node1", "node2", "node3", "node4", "node5"];

fn ballot(votes: [&'static str; 5]) -> Ballot<&'static str> {
    let mut ballot = Ballot::try_new(1, NODES).unwrap();
    for (voter, candidate) in NODES.into_iter().zip(votes) {
        assert_eq!(ballot.vote(voter, candidate), Ok(Cast::Counted));
    }
    ballot
}

#[test]
fn three_of_five_elect_and_a_split_house_elects_nobody() {
    let [one, two, three] = ["node1", "node2", "node3"];
    for (votes, want) in [
        ([one, one, two, one, two], Some(one)),
        ([one, one, two, two, three], None),
        ([two; 5], Some(two)),
    ] {
        let ballot = ballot(votes);
        assert_eq!(ballot.leader().copied(), want);
        assert_eq!(ballot.is_lost(), want.is_none());
    }
}

#[test]
fn a_second_different_vote_is_no_correction() {
    let mut ballot = Ballot::try_new(7, NODES).unwrap();
    assert_eq!(ballot.vote("node1", "node1"), Ok(Cast::Counted));
    assert_eq!(ballot.vote("node1", "node1"), Ok(Cast::Repeated));
    assert_eq!(ballot.vote("node1", "node2"), Ok(Cast::Equivocation));
    assert_eq!(ballot.vote("node1", "node1"), Ok(Cast::Discarded));
    assert_eq!(ballot.equivocators().collect::<Vec<_>>(), [&"node1"]);
    // It counts for neither: the four others decide.
    ballot.vote("node2", "node1").unwrap();
    ballot.vote("node3", "node1").unwrap();
    assert_eq!(ballot.leader(), None);
    ballot.vote("node4", "node1").unwrap();
    assert_eq!(ballot.leader(), Some(&"node1"));
    let e = ballot.vote("node6", "node1").unwrap_err();
    let says = "`\"node6\"` has no vote in term 7: it is none of the 5 voters";
    assert_eq!(e.to_string(), says);
}

#[test]
fn voters_are_named_once() {
    assert_eq!(
        Ballot::<u8>::try_new(1, []).unwrap_err(),
        BadQuorum::NoMembers
    );
    let e = Ballot::try_new(1, ["a", "a"]).unwrap_err();
    assert!(matches!(
        e,
        BadQuorum::Twice {
            first: 0,
            second: 1,
            ..
        }
    ));
    let mut alone = Ballot::try_new(1, ["a"]).unwrap();
    alone.vote("a", "a").unwrap();
    assert_eq!(alone.leader(), Some(&"a"));
}

#[test]
fn a_pre_vote_changes_nothing() {
    let mut voter = Voter::new(Persisted::default());
    voter.request(3, &"a").unwrap();
    let before = voter.clone();
    assert_eq!(
        voter.pre_vote(9, true),
        Err(Refusal::LeaderAlive { term: 3 })
    );
    assert_eq!(voter.pre_vote(9, false), Ok(()));
    let stale = Refusal::Stale {
        asked: 3,
        current: 3,
    };
    assert_eq!(voter.pre_vote(3, false), Err(stale));
    assert_eq!(voter.state(), before.state());
}

proptest! {
    /// Votes of any voters for anybody, against lists that are counted anew each time.
    #[test]
    fn a_ballot_counts_as_a_list_does(
        voters in 1_usize..7,
        votes in prop::collection::vec((0_usize..8, 0_u8..3), 0..30),
    ) {
        let mut ballot = Ballot::try_new(1, (0..voters).map(|n| n as u8)).unwrap();
        let mut said: Vec<Vec<u8>> = vec![Vec::new(); voters];
        let mut leader = None;
        for (voter, candidate) in votes {
            let cast = ballot.vote(voter as u8, candidate);
            prop_assert_eq!(cast.is_err(), voter >= voters);
            if let Some(said) = said.get_mut(voter) {
                said.push(candidate);
            }
            let vote = |said: &Vec<u8>| said.first().copied().filter(|first| said.iter().all(|s| s == first));
            let for_it = |candidate| said.iter().filter(|said| vote(said) == Some(candidate)).count();
            let elected = (0..3).find(|candidate| 2 * for_it(*candidate) > voters);
            leader = leader.or(elected);
            prop_assert_eq!(ballot.leader().copied(), leader);
            let open = said.iter().filter(|said| said.is_empty()).count();
            let could = (0..9).any(|candidate| 2 * (for_it(candidate) + open) > voters);
            prop_assert_eq!(ballot.is_lost(), leader.is_none() && !could);
        }
    }

    /// However requests, repeats and crashes come, a voter gives one vote a term, and terms never go back.
    #[test]
    fn a_voter_votes_once_a_term_whatever_becomes_of_it(
        steps in prop::collection::vec((0_u64..5, 0_u8..3, any::<bool>()), 0..60),
    ) {
        let mut voter = Voter::new(Persisted::default());
        let mut given = [None; 5];
        for (term, candidate, crashes) in steps {
            let before = voter.state().term;
            if let Ok(state) = voter.request(term, &candidate) {
                prop_assert_eq!((state.term, state.voted_for), (term, Some(candidate)));
                let vote = given[term as usize].get_or_insert(candidate);
                prop_assert_eq!(*vote, candidate);
            }
            prop_assert!(voter.state().term >= before.max(term.min(before)));
            if crashes {
                voter = Voter::new(voter.state().clone());
            }
        }
    }
}
