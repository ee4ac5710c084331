//! [`Observer`]: who leads, as it changes.

use std::fmt;
use std::time::Duration;

use tower_service::Service;

use super::protocol::VoteReply;
use super::voters::Voters;
use crate::{LockName, NodeId, VoteRequest};

/// Who leads, as a majority of the voters has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Of which term: never lower than what was seen before.
    pub term: u64,
    /// Who; nobody, when the leader of that term is gone and no other is seen yet.
    pub id: Option<NodeId>,
}

/// Looks who leads, again and again: from [`Election::observe`](crate::Election::observe).
///
/// It never goes back: what is seen of a term below one that was seen is dropped. What it says is news, and no proof: while it is read the leader
/// may be gone. A term that lasted shorter than the time between two looks may not be seen.
pub struct Observer<S> {
    pub(super) voters: Voters<S>,
    pub(super) election: LockName,
    pub(super) every: Duration,
    pub(super) sight: Sight,
}

/// What was seen last. Pure.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight(Option<Leader>);

impl Sight {
    /// What is new in this, if anything is.
    fn see(&mut self, seen: Option<(u64, NodeId)>) -> Option<Leader> {
        let news = match (seen, &self.0) {
            (Some((term, _)), Some(last)) if term < last.term => None,
            (Some((term, id)), _) => Some(Leader { term, id: Some(id) }),
            (None, Some(last)) => Some(Leader {
                term: last.term,
                id: None,
            }),
            (None, None) => None,
        };
        let news = news.filter(|news| self.0.as_ref() != Some(news))?;
        self.0 = Some(news.clone());
        Some(news)
    }
}

impl<S> Observer<S>
where
    S: Service<VoteRequest, Response = VoteReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    /// How long between two looks; at least 1 ms. A third of the lease unless set.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every.max(Duration::from_millis(1));
        self
    }

    /// What was seen last; nothing before the first. It does not age: where no majority answers any more, it is the old leader for
    /// ever.
    #[must_use]
    pub const fn latest(&self) -> Option<&Leader> {
        self.sight.0.as_ref()
    }

    /// Waits until there is something new. Where too few voters answer, or they do not agree, nothing is seen, and it looks
    /// again.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is lost.
    pub async fn changed(&mut self) -> Leader {
        loop {
            let polled = self.voters.poll_leader(&self.election).await;
            if let Some(news) = polled.ok().and_then(|seen| self.sight.see(seen)) {
                return news;
            }
            let clock = &self.voters.clock;
            let sleep = clock.sleep_until(clock.now() + self.every);
            sleep.await;
        }
    }
}

impl<S> fmt::Debug for Observer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("election", &self.election)
            .field("latest", &self.sight.0)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_seen_never_goes_back_and_nothing_is_said_twice(
            looks in prop::collection::vec(prop::option::of(1_u64..6), 1..40),
        ) {
            let mut sight = Sight::default();
            let mut last: Option<Leader> = None;
            for look in looks {
                let id = |term| NodeId::try_new(&format!("n{term}")).unwrap();
                let Some(news) = sight.see(look.map(|term| (term, id(term)))) else {
                    continue;
                };
                if let Some(last) = &last {
                    prop_assert!(news.term >= last.term);
                    prop_assert_ne!(&news, last);
                }
                last = Some(news);
            }
        }
    }
}
