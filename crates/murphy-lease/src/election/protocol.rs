//! What a voter is asked, and what it answers.

use std::time::Duration;

use crate::{LockName, NodeId, Nonce, Ttl};

/// What a voter is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VoteRequest {
    /// In which election.
    pub election: LockName,
    /// What.
    pub ask: VoteAsk,
}

/// One question to a voter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum VoteAsk {
    /// Would you vote for this candidate? Nothing changes, whatever the answer is.
    PreVote {
        /// The term it would stand for.
        term: u64,
        /// Who.
        candidate: Candidate,
    },
    /// Your vote, please; and elect nobody else while the lease lasts.
    Vote {
        /// The term it stands for.
        term: u64,
        /// Who.
        candidate: Candidate,
        /// For how long it will lead before it has to be heard of again.
        lease: Ttl,
    },
    /// The leader of this term is alive.
    Beat {
        /// Its term.
        term: u64,
        /// Who it is.
        candidate: Candidate,
        /// For how long it leads before it has to be heard of again.
        lease: Ttl,
    },
    /// It does not lead any more, or was not elected: nobody need wait for it.
    Resign {
        /// Whose candidacy is over.
        nonce: Nonce,
        /// For which term; all of them if it is not said.
        term: Option<u64>,
    },
    /// How does it stand?
    Observe,
}

/// One candidacy: of whom, and which. Two processes that go by one name are two candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Candidate {
    /// Who stands.
    pub id: NodeId,
    /// Drawn for each candidacy.
    pub nonce: Nonce,
}

/// What a voter answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VoteReply {
    /// The highest term that it knows of.
    pub term: u64,
    /// What it says.
    pub said: VoteSaid,
}

/// What a voter says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum VoteSaid {
    /// To a pre-vote: it would.
    Would,
    /// To a vote or a beat: yes, and nobody else is elected for so long from now.
    Granted {
        /// How long.
        lease: Duration,
    },
    /// That term is over.
    Stale,
    /// It has voted for another in this term.
    Taken,
    /// It has promised to elect nobody for so long: to a leader, or, since it was restarted and does not
    /// know, to anybody.
    Busy {
        /// To whom.
        leader: Option<NodeId>,
        /// How long.
        remaining: Duration,
    },
    /// To a vote or a beat: no lease is promised for so long.
    TooLong {
        /// The longest.
        most: Duration,
    },
    /// To a vote or a beat: what was promised to this candidacy is over.
    Lapsed,
    /// To a resignation: it waits for that candidacy no more.
    Resigned {
        /// Whether it did.
        was_held: bool,
    },
    /// To an observe.
    Observed {
        /// Whom it takes for the leader, or has voted for: of which term, and for how long.
        leader: Option<Tenure>,
    },
}

/// A leader, as a voter sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tenure {
    /// Its term.
    pub term: u64,
    /// Who it is.
    pub leader: NodeId,
    /// For how long, if it is not heard of again.
    pub remaining: Duration,
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_go_over_a_wire() {
        let id = NodeId::try_new("a").unwrap();
        let (candidate, nonce) = (id.clone(), Nonce::from_bits(u128::MAX));
        let candidate = Candidate {
            id: candidate,
            nonce,
        };
        let (term, lease) = (7, Ttl::from_secs(3));
        let asks = [
            VoteAsk::PreVote {
                term,
                candidate: candidate.clone(),
            },
            VoteAsk::Beat {
                term,
                candidate,
                lease,
            },
            VoteAsk::Resign { nonce, term: None },
            VoteAsk::Observe,
        ];
        for ask in asks {
            let election = "primary".try_into().unwrap();
            let request = VoteRequest { election, ask };
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<VoteRequest>(&text).unwrap(), request);
        }
        let leader = Some(Tenure {
            term,
            leader: id,
            remaining: Duration::from_millis(5),
        });
        let said = VoteSaid::Observed { leader };
        let reply = VoteReply { term, said };
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<VoteReply>(&text).unwrap(), reply);
        let nobody = r#"{"election":"","ask":"observe"}"#;
        assert!(serde_json::from_str::<VoteRequest>(nobody).is_err());
    }
}
