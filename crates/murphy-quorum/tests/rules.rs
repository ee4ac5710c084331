//! Every rule over every outcome, for up to seven members.

use std::collections::BTreeMap;

use murphy_quorum::{
    BadQuorum, Cause, Dissemination, Eventual, Flexible, Joint, Masking, Matching, Meet, Members,
    Need, Newest, Outcome, ReadWrite, Round, Rule, Set, Standing, System, Threshold, Verdict,
    Weighted, meet,
};

/// What is known by definition: by brute force over all that those who are left may still say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Pending,
    Decided,
    Impossible,
}

fn known(verdict: Verdict) -> Known {
    match verdict {
        Verdict::Pending => Known::Pending,
        Verdict::Decided(_) => Known::Decided,
        Verdict::Impossible(_) => Known::Impossible,
    }
}

/// Goes through all sequences of outcomes, those that lead to the same standings once, and hands each
/// round that is not over yet, with what it said to the next outcome, to `check`.
fn explore<R, U>(rule: &U, replies: &[R], check: &mut dyn FnMut(&Round<R, U>))
where
    R: Clone + PartialEq + std::fmt::Debug,
    U: Rule<R> + Clone,
{
    let members: Vec<usize> = rule.members().iter().collect();
    let mut seen: BTreeMap<Vec<u8>, Verdict> = BTreeMap::new();
    let mut left = vec![Round::new(rule.clone())];
    while let Some(round) = left.pop() {
        for &member in &members {
            let yes = replies.iter().cloned().map(Outcome::Yes);
            for outcome in yes.chain([Outcome::No, Outcome::Unknown]) {
                let mut next = round.clone();
                let verdict = next.on(member, outcome).unwrap();
                check(&next);
                let tally = next.tally();
                let reply = |at| {
                    replies
                        .iter()
                        .position(|reply| Some(reply) == tally.reply(at))
                };
                let said = |at: &usize| match tally.standing(*at) {
                    Standing::Yes => 9 + reply(*at).unwrap() as u8,
                    other => other as u8,
                };
                let said: Vec<u8> = members.iter().map(said).collect();
                match seen.get(&said) {
                    // Whatever the order, if none was over before.
                    Some(before) => assert_eq!(*before, verdict, "{said:?}"),
                    None => {
                        seen.insert(said, verdict);
                        if verdict == Verdict::Pending {
                            left.push(next);
                        }
                    }
                }
            }
        }
    }
}

/// A system by its definition: is there a quorum, and could there be one?
fn holds_to(system: &(impl System + Clone), is_quorum: &dyn Fn(Set) -> bool) {
    let mut seen = 0_u32;
    explore(system, &[()], &mut |round| {
        let (yes, open) = (round.tally().yes(), round.tally().outstanding());
        // More is never less, so that all who are left are the best that can come.
        let could = is_quorum(yes.or(open));
        let want = match (is_quorum(yes), could) {
            (true, _) => Known::Decided,
            (false, true) => Known::Pending,
            (false, false) => Known::Impossible,
        };
        assert_eq!(
            known(round.verdict()),
            want,
            "{system:?} {:?}",
            round.tally()
        );
        seen += 1;
    });
    assert!(seen > 0);
}

#[test]
fn a_threshold_is_decided_and_impossible_as_early_as_it_is_known() {
    for members in 1..=7 {
        for needed in 1..=members {
            // Seven members in all their states once, the rest in less time.
            if members == 7 && needed != 4 {
                continue;
            }
            let system = Threshold::of_first(needed, members).unwrap();
            holds_to(&system, &|of| of.and(Set::first(members)).len() >= needed);
        }
        let majority = Threshold::majority(members).unwrap();
        assert_eq!(
            majority,
            Threshold::of_first(members / 2 + 1, members).unwrap()
        );
    }
}

#[test]
fn weights_and_joint_configurations_are_too() {
    for weights in [
        &[1, 1, 1][..],
        &[3, 1, 1, 1],
        &[0, 2, 2, 1, 4],
        &[5],
        &[0, 0, 7],
    ] {
        let system = Weighted::majority(weights.iter().copied()).unwrap();
        let total: u64 = weights.iter().sum();
        let weigh = |of: Set| of.iter().filter_map(|at| weights.get(at)).sum::<u64>();
        holds_to(&system, &|of| 2 * weigh(of) > total);
    }
    for (old, new) in [
        (0b111, 0b111),
        (0b00111, 0b11100),
        (0b0111, 0b1111),
        (0b1, 0b10),
    ] {
        let of = |bits| Threshold::majority_of(Set::from_bits(bits)).unwrap();
        let joint = Joint::new(of(old), of(new));
        let majority = |some: Set, bits: u64| {
            let of = Set::from_bits(bits);
            2 * some.and(of).len() > of.len()
        };
        holds_to(&joint, &|some| majority(some, old) && majority(some, new));
    }
}

/// As the joint tables of Raft's libraries have it: votes of two majorities.
#[test]
fn a_joint_election_takes_both_majorities() {
    // Old 0, 1, 2; new 2, 3, 4. In a row what each said: y, n, - for nothing yet.
    for (votes, want) in [
        ("yyy--", Known::Pending),
        ("yy-yy", Known::Decided),
        ("--yyy", Known::Pending),
        ("y-yy-", Known::Decided),
        ("nn-yy", Known::Impossible),
        ("yy-nn", Known::Impossible),
        ("ynnyy", Known::Impossible),
        ("yynyn", Known::Impossible),
        ("-----", Known::Pending),
    ] {
        let of = |some: [usize; 3]| Threshold::majority_of(some.into_iter().collect()).unwrap();
        let mut round = Round::new(Joint::new(of([0, 1, 2]), of([2, 3, 4])));
        for (at, vote) in votes.chars().enumerate() {
            match vote {
                'y' => _ = round.on(at, Outcome::Yes(())).unwrap(),
                'n' => _ = round.on(at, Outcome::No).unwrap(),
                _ => {}
            }
        }
        assert_eq!(known(round.verdict()), want, "{votes}");
    }
}

#[test]
fn three_of_five_refusing_is_over_at_the_third_and_two_of_four_suffice() {
    let mut round = Round::<(), _>::new(Threshold::majority(5).unwrap());
    assert_eq!(round.on(0, Outcome::No), Ok(Verdict::Pending));
    assert_eq!(round.on(1, Outcome::No), Ok(Verdict::Pending));
    assert_eq!(known(round.on(2, Outcome::No).unwrap()), Known::Impossible);
    let mut round = Round::<(), _>::new(Threshold::majority(4).unwrap());
    assert_eq!(round.on(0, Outcome::No), Ok(Verdict::Pending));
    assert_eq!(
        known(round.on(1, Outcome::Unknown).unwrap()),
        Known::Impossible
    );
}

#[test]
fn one_member_has_one_vote() {
    let mut round = Round::new(Threshold::majority(3).unwrap());
    assert_eq!(round.on(0, Outcome::Yes(1)), Ok(Verdict::Pending));
    assert_eq!(round.on(0, Outcome::Yes(1)), Ok(Verdict::Pending), "a copy");
    assert_eq!(round.tally().standing(0), Standing::Yes);
    assert_eq!(
        round.on(0, Outcome::Unknown),
        Ok(Verdict::Pending),
        "it answered"
    );
    assert_eq!(round.tally().standing(0), Standing::Yes);
    assert_eq!(round.on(0, Outcome::Yes(2)), Ok(Verdict::Pending));
    assert_eq!(round.tally().standing(0), Standing::Equivocated);
    assert_eq!(round.on(1, Outcome::Yes(1)), Ok(Verdict::Pending));
    assert_eq!(known(round.on(2, Outcome::Yes(1)).unwrap()), Known::Decided);
    let e = round.on(3, Outcome::Yes(1)).unwrap_err();
    assert_eq!(e.to_string(), "`3` is no member: its vote does not count");
    assert_eq!(round.on(64, Outcome::No).unwrap_err().member, 64);
}

#[test]
fn a_timeout_is_not_a_no() {
    let mut round = Round::new(Threshold::majority(3).unwrap());
    round.on(0, Outcome::Unknown).unwrap();
    // Its reply was late, and there all the same.
    round.on(0, Outcome::Yes(())).unwrap();
    assert_eq!(round.tally().standing(0), Standing::Yes);
    round.on(1, Outcome::Unknown).unwrap();
    let Verdict::Impossible(why) = round.on(2, Outcome::No).unwrap() else {
        panic!("decided by one");
    };
    assert_eq!(
        (why.no.len(), why.unknown.len(), why.cause),
        (1, 1, Cause::TooFew)
    );
    assert_eq!(
        why.to_string(),
        "impossible: 2 of 3 needed, 1 reachable; no: 1, silent: 1"
    );
    // What may have been granted: the one that is late as well.
    assert_eq!(round.may_have_granted(), Set::first(2));
    // A verdict stands.
    assert_eq!(
        known(round.on(1, Outcome::Yes(())).unwrap()),
        Known::Impossible
    );
    assert_eq!(round.tally().yes(), Set::first(2));
}

#[test]
fn what_is_heard_after_a_verdict_is_written_down_and_changes_nothing() {
    let mut round = Round::new(Threshold::majority(5).unwrap());
    for at in [4, 2] {
        assert_eq!(round.on(at, Outcome::Yes(at)), Ok(Verdict::Pending));
    }
    let decided = round.on(0, Outcome::Yes(0)).unwrap();
    let Verdict::Decided(by) = decided else {
        panic!("three of five");
    };
    assert_eq!((by.by, by.reply), ([0, 2, 4].into_iter().collect(), 0));
    for (at, outcome) in [
        (1, Outcome::Yes(1)),
        (3, Outcome::Unknown),
        (3, Outcome::Yes(3)),
        (2, Outcome::No),
    ] {
        assert_eq!(round.on(at, outcome), Ok(decided));
    }
    assert_eq!(round.tally().yes().len(), 4);
    assert_eq!(round.tally().equivocated(), Set::one(2));
    assert_eq!(round.into_answer().0, Some(0));
}

#[test]
fn of_many_members_each_reply_is_kept() {
    let rule = Newest::new(Threshold::all(64).unwrap(), |version: &usize| *version % 47);
    let mut round = Round::new(rule);
    for at in 0..64 {
        round.on(at, Outcome::Yes(at)).unwrap();
    }
    assert!((0..64).all(|at| round.tally().reply(at) == Some(&at)));
    assert_eq!(round.into_answer().0, Some(46));
}

#[test]
fn the_newest_of_a_quorum_is_the_answer() {
    let rule = Newest::new(Threshold::majority(4).unwrap(), |version: &u8| *version);
    explore(&rule, &[1, 2, 3], &mut |round| {
        let tally = round.tally();
        let newest = tally.replies().map(|(_, version)| *version).max();
        match round.verdict() {
            Verdict::Decided(by) => {
                assert!(tally.yes().len() == 3 && by.by == tally.yes());
                assert_eq!(tally.reply(by.reply).copied(), newest);
            }
            Verdict::Pending => assert!(tally.yes().len() < 3),
            Verdict::Impossible(_) => assert!(tally.yes().or(tally.outstanding()).len() < 3),
        }
    });
}

#[test]
fn matching_takes_so_many_equal_replies() {
    for faults in 0..3 {
        let rule = Matching::try_new(4, faults).unwrap();
        explore(&rule, &['a', 'b', 'c'], &mut |round| {
            let tally = round.tally();
            let count = |reply| {
                tally
                    .replies()
                    .filter(|(_, other)| **other == reply)
                    .count()
            };
            let most = ['a', 'b', 'c'].map(count).into_iter().max().unwrap();
            let open = tally.outstanding().len();
            let want = match () {
                () if most > faults => Known::Decided,
                () if most + open > faults => Known::Pending,
                () => Known::Impossible,
            };
            assert_eq!(known(round.verdict()), want, "{tally:?}");
            if let Verdict::Decided(by) = round.verdict() {
                assert_eq!(by.by.len(), faults + 1);
                assert!(by.by.contains(by.reply));
            }
        });
    }
}

/// What was last written, `2`, is known to a quorum of writes, the others still have `1`; liars
/// say whatever they like. `check` gets what was read in each possible way.
fn read_under_liars<U>(rule: &U, quorum: usize, liars: Set, lies: &[u8], check: &mut dyn FnMut(u8))
where
    U: Rule<u8> + Clone,
{
    let members = rule.members();
    for written in (0..1_u64 << members.len()).map(Set::from_bits) {
        // A liar in the quorum of the write has confirmed it, and forgets it.
        if written.len() < quorum {
            continue;
        }
        let honest = |at: usize| if written.contains(at) { 2 } else { 1 };
        let mut left = vec![(Round::new(rule.clone()), members)];
        while let Some((round, open)) = left.pop() {
            // In their order: any of them may be silent, and so any set replies first.
            let Some(at) = open.iter().next() else {
                continue;
            };
            let open = open.minus(Set::one(at));
            let truth = [honest(at)];
            let says: &[u8] = if liars.contains(at) { lies } else { &truth };
            let yes = says.iter().map(|reply| Outcome::Yes(*reply));
            for outcome in yes.chain([Outcome::Unknown]) {
                let mut next = round.clone();
                match next.on(at, outcome).unwrap() {
                    Verdict::Pending => left.push((next, open)),
                    Verdict::Decided(by) => check(*next.tally().reply(by.reply).unwrap()),
                    Verdict::Impossible(_) => {}
                }
            }
        }
    }
}

#[test]
fn masking_quorums_read_the_truth_or_nothing_from_f_liars() {
    for (members, faults, quorum) in [(5, 1, 4), (6, 1, 5), (7, 1, 5)] {
        let rule = Masking::try_new(members, faults, |version: &u8| *version).unwrap();
        assert_eq!(rule.system().needed(), quorum);
        let mut read = 0;
        for liar in 0..members {
            let liars = Set::one(liar);
            read_under_liars(&rule, quorum, liars, &[1, 2, 9], &mut |value| {
                assert_eq!(value, 2);
                read += 1;
            });
        }
        assert!(read > 0);
        // One more liar than it stands: two that lie alike are believed.
        let mut lied = false;
        let liars = Set::first(faults + 1);
        read_under_liars(&rule, quorum, liars, &[1, 2, 9], &mut |value| {
            lied |= value == 9
        });
        assert!(lied, "the test would see a lie");
    }
}

#[test]
fn disseminating_quorums_read_what_was_written_from_f_liars() {
    let genuine = |version: &u8| *version <= 2;
    let version = |version: &u8| *version;
    for (members, faults, quorum) in [(4, 1, 3), (5, 1, 4), (7, 2, 5)] {
        let rule = Dissemination::try_new(members, faults, genuine, version).unwrap();
        assert_eq!(rule.system().needed(), quorum);
        let mut read = 0;
        let liars = Set::first(faults);
        // A liar may forge, which is seen, and keep quiet about what is new.
        read_under_liars(&rule, quorum, liars, &[1, 2, 9], &mut |value| {
            assert_eq!(value, 2);
            read += 1;
        });
        assert!(read > 0);
        if quorum * 2 - members > faults + 1 {
            continue; // they meet in more than they have to
        }
        let mut stale = false;
        let liars = Set::first(faults + 1);
        read_under_liars(&rule, quorum, liars, &[1, 2, 9], &mut |value| {
            stale |= value == 1
        });
        assert!(stale, "the test would see a stale read");
    }
}

#[test]
fn masking_decides_when_there_is_a_quorum_and_a_value_and_not_before() {
    let rule = Masking::try_new(5, 1, |version: &u8| *version).unwrap();
    explore(&rule, &[1, 2, 3], &mut |round| {
        let tally = round.tally();
        let count = |reply| {
            tally
                .replies()
                .filter(|(_, other)| **other == reply)
                .count()
        };
        let newest = [3, 2, 1].into_iter().find(|reply| count(*reply) >= 2);
        let most = [1, 2, 3].map(count).into_iter().max().unwrap();
        let (yes, open) = (tally.yes().len(), tally.outstanding().len());
        let want = match newest {
            Some(_) if yes >= 4 => Known::Decided,
            None if yes >= 4 && most + open < 2 => Known::Impossible,
            _ if yes + open < 4 => Known::Impossible,
            _ => Known::Pending,
        };
        assert_eq!(known(round.verdict()), want, "{tally:?}");
        if let Verdict::Decided(by) = round.verdict() {
            assert_eq!(tally.reply(by.reply).copied(), newest);
        }
    });
}

#[test]
fn systems_that_meet_are_told_from_those_that_do_not() {
    let sets = || (1_u64..1 << 5).map(Set::from_bits);
    let systems: Vec<Threshold> = sets()
        .filter(|set| set.bits() % 3 != 1)
        .flat_map(|among| (1..=among.len()).map(move |n| Threshold::of(among, n).unwrap()))
        .collect();
    for one in &systems {
        for other in &systems {
            let apart =
                sets().any(|set| one.is_quorum(set) && other.is_quorum(Set::first(5).minus(set)));
            let found = meet(one, other);
            match found {
                Meet::Always => assert!(!apart, "{one:?} {other:?}"),
                Meet::Not(a, b) => {
                    assert!(apart && a.and(b).is_empty());
                    assert!(
                        one.is_quorum(a) && other.is_quorum(b),
                        "{one:?} {other:?} {found:?}"
                    );
                }
                Meet::Unknown => panic!("thresholds are computed"),
            }
        }
    }
    // Looked through, and computed where there are too many to be looked through.
    let heavy = Weighted::majority([3, 1, 1, 1, 1]).unwrap();
    heavy.intersects(&heavy).unwrap();
    let any = Threshold::any(5).unwrap();
    let e = heavy.intersects(&any).unwrap_err();
    assert!(matches!(e, BadQuorum::Disjoint { one, other } if one.and(other).is_empty()));
    let big = Threshold::majority(64).unwrap();
    big.intersects(&big).unwrap();
    let big = Weighted::majority([1; 21]).unwrap();
    let e = big.intersects(&big).unwrap_err();
    assert_eq!(e, BadQuorum::NotLookedThrough { members: 21 });
}

#[test]
fn what_does_not_meet_is_refused_by_how_much() {
    let text = |e: BadQuorum| e.to_string();
    for (made, says) in [
        (
            ReadWrite::try_new(5, 2, 3).map(drop),
            "R + W > N is needed: 2 + 3 is not above 5, by 1; read 3 or write 4",
        ),
        (
            ReadWrite::try_new(5, 4, 2).map(drop),
            "2 W > N is needed: 2 × 2 is not above 5; write 3",
        ),
        (
            ReadWrite::try_new(5, 0, 5).map(drop),
            "a quorum of 0 of 5: use 1 to 5",
        ),
        (
            ReadWrite::try_new(0, 1, 1).map(drop),
            "a quorum of no members decides nothing: name one at least",
        ),
        (
            Threshold::majority(65).map(drop),
            "65 members: 64 is the most",
        ),
        (
            Threshold::of_first(6, 5).map(drop),
            "a quorum of 6 of 5: use 1 to 5",
        ),
        (
            Weighted::majority([0, 0]).map(drop),
            "a quorum of 1 of 0: use 1 to 0",
        ),
        (
            Weighted::of(9, [4, 4]).map(drop),
            "a quorum of 9 of 8: use 1 to 8",
        ),
        (
            Weighted::majority([u64::MAX, 1]).map(drop),
            "the weights add up to more than 2⁶³",
        ),
        (
            Weighted::majority(std::iter::repeat(1)).map(drop),
            "65 members: 64 is the most",
        ),
        (
            Masking::try_new(7, 2, |n: &u8| *n).map(drop),
            "2 liars take 9 members at least, 2 more than 7",
        ),
        (
            Dissemination::try_new(6, 2, |_: &u8| true, |n: &u8| *n).map(drop),
            "2 liars take 7 members at least, 1 more than 6",
        ),
        (
            Matching::try_new(2, 2).map(drop),
            "2 liars take 3 members at least, 1 more than 2",
        ),
        (
            Matching::try_new(2, usize::MAX).map(drop),
            "18446744073709551615 liars take 18446744073709551615 members at least, 18446744073709551613 more than 2",
        ),
        (
            Members::try_new([0; 0]).map(drop),
            "a quorum of no members decides nothing: name one at least",
        ),
        (
            Members::try_new(["a", "b", "a"]).map(drop),
            "member \"a\" is listed twice, at 0 and at 2: it has one vote",
        ),
        (
            Members::try_new(0..).map(drop),
            "65 members: 64 is the most",
        ),
    ] {
        assert_eq!(made.map_err(text), Err(says.to_owned()));
    }
    Masking::try_new(9, 2, |n: &u8| *n).unwrap();
    Masking::try_new(7, usize::MAX, |n: &u8| *n).unwrap_err();
    Dissemination::try_new(7, 2, |_: &u8| true, |n: &u8| *n).unwrap();
    // Those who mean it.
    assert_eq!(Eventual::try_new(3, 1, 1).unwrap().read().needed(), 1);
    // Two of phase two need not meet: Flexible Paxos.
    let of = |needed| Threshold::of_first(needed, 4).unwrap();
    Flexible::of(of(3), of(2)).unwrap();
    Flexible::of(of(2), of(2)).unwrap_err();
    ReadWrite::of(of(3), of(2)).unwrap_err();
    ReadWrite::of(of(2), of(3)).unwrap();
    assert_eq!(of(3).need(), Need::Members { needed: 3, of: 4 });
}
