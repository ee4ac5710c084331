//! [`Campaign`]: a candidate's side, until it leads.

use std::time::Duration;

use crate::NodeId;
use crate::election::protocol::{VoteReply, VoteSaid};

/// The least that a caller is told to wait.
const LEAST: Duration = Duration::from_millis(1);

/// How many vote, and how many elect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Electorate {
    pub(crate) members: usize,
    pub(crate) need: usize,
}

/// A candidate that follows nobody, until it leads or is told to wait.
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    electorate: Electorate,
    stage: Stage,
    /// The highest term that it heard of.
    known: u64,
    /// How many more candidacies there may be.
    left: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    PreVoting(u64),
    Voting(u64),
}

/// What was said in a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) replies: &'a [VoteReply],
    /// How many cannot answer any more.
    pub(crate) silent: usize,
    /// Whether a majority said yes.
    pub(crate) is_won: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    PreVote(u64),
    Vote(u64),
    /// It leads this term.
    Won(u64),
    /// In somebody's way, or he in its own: again after a while that is drawn anew.
    Again,
    /// A leader is alive, or may be: a majority could elect another after so long.
    Busy {
        term: u64,
        leader: Option<NodeId>,
        remaining: Duration,
    },
    /// Too few voters answer.
    Silent,
    /// The voters promise no lease that long.
    TooLong(Duration),
    /// There is no term left.
    Exhausted,
}

impl Campaign {
    /// Begins above what it knows; `candidacies` at most.
    pub(crate) fn begin(electorate: Electorate, known: u64, candidacies: u32) -> (Self, Step) {
        let mut campaign = Self {
            electorate,
            stage: Stage::PreVoting(0),
            known,
            left: candidacies,
        };
        let step = campaign.stand();
        (campaign, step)
    }

    /// The highest term that it heard of.
    pub(crate) const fn known(&self) -> u64 {
        self.known
    }

    /// The next pre-vote, for the term after all that are known.
    pub(crate) fn stand(&mut self) -> Step {
        let Some(term) = self.known.checked_add(1) else {
            return Step::Exhausted;
        };
        self.left = self.left.saturating_sub(1);
        self.stage = Stage::PreVoting(term);
        Step::PreVote(term)
    }

    /// A round is over.
    pub(crate) fn told(&mut self, heard: Heard<'_>) -> Step {
        let terms = heard.replies.iter().map(|reply| reply.term);
        let highest = terms.max().unwrap_or(0);
        let was_behind = highest > self.known;
        self.known = self.known.max(highest);
        match self.stage {
            // ## Pre-voting => Voting.
            Stage::PreVoting(term) if heard.is_won => {
                self.stage = Stage::Voting(term);
                Step::Vote(term)
            }
            // ## Voting => Leading.
            Stage::Voting(term) if heard.is_won => {
                self.known = self.known.max(term);
                Step::Won(term)
            }
            // ## => Following.
            stage => {
                if let Stage::Voting(term) = stage {
                    self.known = self.known.max(term);
                }
                self.lost(heard, was_behind && matches!(stage, Stage::PreVoting(_)))
            }
        }
    }

    fn lost(&mut self, heard: Heard<'_>, was_behind: bool) -> Step {
        let Electorate { members, need } = self.electorate;
        let blocking = members - need + 1;
        if heard.silent >= blocking {
            return Step::Silent;
        }
        let too_long = heard.replies.iter().filter_map(|reply| match reply.said {
            VoteSaid::TooLong { most } => Some(most),
            _ => None,
        });
        if let Some(most) = too_long.min() {
            return Step::TooLong(most);
        }
        if let Some(busy) = self.busy(heard, blocking) {
            return busy;
        }
        match self.left {
            0 => self.spent(),
            // Only its own knowledge was old: nobody is in its way.
            _ if was_behind => self.stand(),
            _ => Step::Again,
        }
    }

    /// Whether so many wait for somebody else that there can be no majority.
    fn busy(&self, heard: Heard<'_>, blocking: usize) -> Option<Step> {
        let busy = heard.replies.iter().filter_map(|reply| match &reply.said {
            VoteSaid::Busy { leader, remaining } => Some((reply.term, leader.clone(), *remaining)),
            _ => None,
        });
        let busy: Vec<_> = busy.collect();
        if busy.is_empty() || busy.len() + heard.silent < blocking {
            return None;
        }
        let mut waits: Vec<_> = busy.iter().map(|(_, _, remaining)| *remaining).collect();
        waits.resize(heard.replies.len().max(waits.len()), Duration::ZERO);
        waits.sort_unstable();
        let last = self.electorate.need.min(waits.len()) - 1;
        let (term, leader, _) = busy.into_iter().max_by_key(|(term, _, _)| *term)?;
        Some(Step::Busy {
            term,
            leader,
            remaining: waits[last].max(LEAST),
        })
    }

    /// As if somebody led: the caller asks again, by its own backoff.
    fn spent(&self) -> Step {
        Step::Busy {
            term: self.known,
            leader: None,
            remaining: LEAST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn of_five() -> (Campaign, Step) {
        let electorate = Electorate {
            members: 5,
            need: 3,
        };
        Campaign::begin(electorate, 4, 3)
    }

    fn heard(campaign: &mut Campaign, said: &[(u64, VoteSaid)], silent: usize) -> Step {
        let replies: Vec<_> = said
            .iter()
            .map(|(term, said)| VoteReply {
                term: *term,
                said: said.clone(),
            })
            .collect();
        let yes =
            |reply: &&VoteReply| matches!(reply.said, VoteSaid::Would | VoteSaid::Granted { .. });
        let is_won = replies.iter().filter(yes).count() >= 3;
        campaign.told(Heard {
            replies: &replies,
            silent,
            is_won,
        })
    }

    const fn busy(term: u64, for_ms: u64) -> (u64, VoteSaid) {
        let (leader, remaining) = (None, ms(for_ms));
        (term, VoteSaid::Busy { leader, remaining })
    }

    #[test]
    fn it_is_asked_whether_it_would_be_elected_and_then_it_is() {
        let (mut campaign, step) = of_five();
        assert_eq!(step, Step::PreVote(5));
        let would = vec![(4, VoteSaid::Would); 3];
        assert_eq!(heard(&mut campaign, &would, 0), Step::Vote(5));
        let granted = vec![(5, VoteSaid::Granted { lease: ms(9) }); 3];
        assert_eq!(heard(&mut campaign, &granted, 2), Step::Won(5));
    }

    #[test]
    fn what_follows_a_round_without_a_majority() {
        let is_busy = |term, for_ms| Step::Busy {
            term,
            leader: None,
            remaining: ms(for_ms),
        };
        for (name, said, silent, want) in [
            (
                "who is behind catches up at once",
                vec![(7, VoteSaid::Stale); 3],
                0,
                Step::PreVote(8),
            ),
            (
                "a leader is alive",
                vec![busy(7, 30), busy(7, 10), busy(7, 20)],
                0,
                is_busy(7, 30),
            ),
            (
                "who is silent may wait for it too",
                vec![busy(7, 30), busy(7, 10), (4, VoteSaid::Would)],
                1,
                is_busy(7, 30),
            ),
            (
                "two of five are in nobody's way",
                vec![busy(4, 30), busy(4, 10), (4, VoteSaid::Would)],
                0,
                Step::Again,
            ),
            (
                "too few answer",
                vec![(4, VoteSaid::Would)],
                3,
                Step::Silent,
            ),
            (
                "no lease is that long",
                vec![(4, VoteSaid::TooLong { most: ms(5) }), (4, VoteSaid::Would)],
                0,
                Step::TooLong(ms(5)),
            ),
        ] {
            let (mut campaign, _) = of_five();
            assert_eq!(heard(&mut campaign, &said, silent), want, "{name}");
        }
    }

    #[test]
    fn a_split_vote_is_followed_by_a_later_term() {
        let (mut campaign, _) = of_five();
        heard(&mut campaign, &vec![(4, VoteSaid::Would); 3], 0);
        let split = [
            (5, VoteSaid::Granted { lease: ms(9) }),
            (5, VoteSaid::Taken),
            (5, VoteSaid::Taken),
            (5, VoteSaid::Taken),
        ];
        assert_eq!(heard(&mut campaign, &split, 0), Step::Again);
        assert_eq!(campaign.stand(), Step::PreVote(6));
        assert_eq!(heard(&mut campaign, &split, 0), Step::Again);
        campaign.stand();
        assert!(
            matches!(heard(&mut campaign, &split, 0), Step::Busy { .. }),
            "three candidacies, and no more"
        );
    }

    #[test]
    fn after_the_last_term_there_is_none() {
        let electorate = Electorate {
            members: 1,
            need: 1,
        };
        assert_eq!(Campaign::begin(electorate, u64::MAX, 3).1, Step::Exhausted);
    }
}
