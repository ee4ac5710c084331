//! A candidacy: [`Campaign`] with rounds among voters under it.

use std::time::Duration;

use murphy_core::{Clock, Lane, Point, Stream};
use tower_service::Service;

use super::core::{Campaign, Heard, Step};
use super::protocol::{VoteAsk, VoteReply};
use super::voters::{Missed, NotElected, Voters};
use crate::{Acquire, Claim, Grant, Holder, LeaseReply, LockName, Nonce, Rank, Ttl, VoteRequest};

/// How many candidacies one question may take.
const CANDIDACIES: u32 = 4;

impl<S> Voters<S>
where
    S: Service<VoteRequest, Response = VoteReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    /// Stands until it leads, or has to wait for whoever does.
    pub(super) async fn acquire(
        &mut self,
        asked: Acquire,
    ) -> Result<LeaseReply, NotElected<S::Error>> {
        let Acquire {
            lock, nonce, ttl, ..
        } = &asked;
        if let Some(again) = self.leads_still(lock, *nonce, *ttl).await? {
            return Ok(LeaseReply::Granted(again));
        }
        let known = self.memory.high(lock).seq;
        let (floor, candidacies, only) = match asked.claim {
            Claim::Above(floor) => (floor, CANDIDACIES, None),
            Claim::Exactly(rank) => {
                let below = Rank::new(rank.era, rank.seq.saturating_sub(1));
                (below, 1, Some(rank.seq))
            }
        };
        let era = self.era.max(floor.era);
        let known = if only.is_some() {
            floor.seq
        } else {
            known.max(floor.seq)
        };
        let (mut campaign, mut step) = Campaign::begin(self.electorate, known, candidacies);
        let mut waits = 0;
        loop {
            let at = |term| Rank::new(era, term);
            self.memory.saw(lock, Rank::new(self.era, campaign.known()));
            step = match step {
                Step::PreVote(term) if only.is_some_and(|only| only != term) => {
                    let high = at(campaign.known());
                    return Ok(LeaseReply::Passed { high });
                }
                Step::PreVote(term) => {
                    let candidate = self.candidate(*nonce);
                    let ask = VoteAsk::PreVote { term, candidate };
                    self.told(&mut campaign, lock, ask, *ttl).await?
                }
                Step::Vote(term) => {
                    // Known before it leaves: a vote that is dropped on its way is taken back later, and a repeat must be
                    // for another term.
                    self.memory.saw(lock, Rank::new(self.era, term));
                    let (candidate, lease) = (self.candidate(*nonce), *ttl);
                    let ask = VoteAsk::Vote {
                        term,
                        candidate,
                        lease,
                    };
                    self.told(&mut campaign, lock, ask, *ttl).await?
                }
                Step::Won(term) => {
                    let (rank, ttl) = (at(term), ttl.get());
                    self.memory.wins(lock, *nonce, rank);
                    return Ok(LeaseReply::Granted(Grant { rank, ttl }));
                }
                Step::Again => {
                    let wait = self.timeout_of(*nonce, waits, *ttl);
                    self.clock.sleep_until(self.clock.now() + wait).await;
                    waits += 1;
                    campaign.stand()
                }
                Step::Busy {
                    term, remaining, ..
                } => {
                    // Not all at once, when it is over.
                    let stagger = self.timeout_of(*nonce, waits, *ttl) / 2;
                    let (rank, remaining) = (at(term), remaining + stagger);
                    return Ok(LeaseReply::Held(Holder { rank, remaining }));
                }
                Step::TooLong(most) => {
                    let asked = *ttl;
                    return Err(NotElected::TooLong { asked, most });
                }
                Step::Exhausted => return Ok(LeaseReply::Passed { high: Rank::MAX }),
                Step::Silent => unreachable!("told apart with the round"),
            };
        }
    }

    /// A candidacy that has won, as it seems, and whose reply was lost: the same term again, if it still leads.
    async fn leads_still(
        &mut self,
        lock: &LockName,
        nonce: Nonce,
        lease: Ttl,
    ) -> Result<Option<Grant>, NotElected<S::Error>> {
        let Some(rank) = self.memory.won(lock, nonce) else {
            return Ok(None);
        };
        match self.beat(lock, nonce, rank.seq, lease).await {
            Ok(ttl) => Ok(Some(Grant { rank, ttl })),
            Err(missed) if missed.is_silent(self.electorate) => Err(missed.of("acquire", lock)),
            Err(_) => {
                self.memory.lost(lock, nonce);
                Ok(None)
            }
        }
    }

    /// One round of a campaign.
    async fn told(
        &mut self,
        campaign: &mut Campaign,
        lock: &LockName,
        ask: VoteAsk,
        ttl: Ttl,
    ) -> Result<Step, NotElected<S::Error>> {
        // Two rounds are to fit into what a client waits, a third of the lease.
        let patience = self.patience.min(ttl.get() / 6);
        let round = self.round(lock, ask, patience, Some(ttl)).await;
        let (replies, missed) = match round {
            Ok(replies) => (replies, None),
            Err(missed) => (missed.replies.clone(), Some(missed)),
        };
        let silent = missed.as_ref().map_or(0, Missed::silent);
        let step = campaign.told(Heard {
            replies: &replies,
            silent,
            is_won: missed.is_none(),
        });
        match (step, missed) {
            (Step::Silent, Some(missed)) => Err(missed.of("acquire", lock)),
            (step, _) => Ok(step),
        }
    }

    /// From T to twice that, drawn for each candidacy: of two who split a vote one is first the next time.
    fn timeout_of(&self, nonce: Nonce, n: u64, ttl: Ttl) -> Duration {
        let stream = Stream::new(self.seed, self.me.as_str(), "election", Lane::Jitter);
        let draw = stream.at(Point::keyed(nonce.key(), n)).unit();
        self.timeout.min(ttl.get() / 24).mul_f64(1.0 + draw)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::{Arc, Mutex};

    use murphy_core::TokioClock;
    use tokio::time::timeout;
    use tower::service_fn;

    use super::*;
    use crate::{LeaseRequest, NodeId, VoteSaid};

    #[tokio::test(start_paused = true)]
    async fn a_candidacy_that_is_dropped_on_its_way_is_not_repeated_in_its_term() {
        let terms: Arc<Mutex<Vec<u64>>> = Arc::default();
        let heard = Arc::clone(&terms);
        let voter = service_fn(move |request: VoteRequest| {
            let heard = Arc::clone(&heard);
            async move {
                match request.ask {
                    VoteAsk::PreVote { term, .. } => {
                        let (term, said) = (term - 1, VoteSaid::Would);
                        return Ok::<_, String>(VoteReply { term, said });
                    }
                    VoteAsk::Vote { term, .. } => heard.lock().unwrap().push(term),
                    _ => {}
                }
                pending().await
            }
        });
        let me = NodeId::try_new("a").unwrap();
        let mut voters = Voters::try_new(me.clone(), [(me, voter)], Arc::new(TokioClock)).unwrap();
        let asked = LeaseRequest::Acquire(Acquire {
            lock: "primary".try_into().unwrap(),
            nonce: Nonce::from_bits(1),
            ttl: Ttl::default(),
            claim: Claim::Above(Rank::ZERO),
            wait: Duration::ZERO,
        });
        for _ in 0..2 {
            let dropped = timeout(Duration::from_millis(10), voters.call(asked.clone()));
            assert!(dropped.await.is_err());
        }
        assert_eq!(*terms.lock().unwrap(), [1, 2]);
    }
}
