//! [`Member`]: one store of a quorum, and what it takes to ask it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_service::Service;

use super::ask::{Ask, Said, What, ballot_nonce};
use super::turn::not_before_all_are_asked;
use crate::{Acquire, Claim, Grant, Holder, LeaseReply, LeaseRequest, LockName, Nonce, Renew};

/// How often a release is tried before the round gives up on it.
const RELEASE_TRIES: u32 = 3;

/// One store.
#[derive(Clone, Debug)]
pub(super) struct Member<S>(pub(super) S);

impl<S> Service<Ask> for Member<S>
where
    S: Service<LeaseRequest, Response = LeaseReply> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Said;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Said, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        // What was readied is what is called; further questions ready instances of their own.
        let behind = self.0.clone();
        let mut ready = std::mem::replace(&mut self.0, behind.clone());
        let mut more = Further(behind);
        match &ask.what {
            What::Record(_) => {
                let call = ready.call(ask.what.request());
                Box::pin(async move {
                    let said = ask.heard(not_before_all_are_asked(call).await?);
                    if matches!(said, Said::Yes(_)) && ask.slate.is_given_up() {
                        more.undone(&ask).await;
                    }
                    Ok(said)
                })
            }
            What::Confirm(_) | What::Observe(_) => {
                let call = ready.call(ask.what.request());
                Box::pin(async move { Ok(ask.heard(not_before_all_are_asked(call).await?)) })
            }
            What::Renew(asked) => {
                let (call, asked) = (ready.call(ask.what.request()), asked.clone());
                Box::pin(async move {
                    let reply = not_before_all_are_asked(call).await?;
                    let reply = more.recorded_at_last(asked, reply).await?;
                    Ok(ask.heard(reply))
                })
            }
            What::Release { lock, nonce, rank } => {
                let (lock, nonce) = (lock.clone(), *nonce);
                let request = match rank {
                    Some(_) => ask.what.request(),
                    None => LeaseRequest::Observe { lock: lock.clone() },
                };
                let first = not_before_all_are_asked(ready.call(request.clone()));
                Box::pin(async move {
                    let reply = more.until_known(first, &request, ask.per_try).await?;
                    let reply = more.released_by_rank(lock, nonce, reply).await?;
                    Ok(ask.heard(reply))
                })
            }
        }
    }
}

/// Makes further calls of a store.
struct Further<S>(S);

impl<S> Further<S>
where
    S: Service<LeaseRequest, Response = LeaseReply> + Clone,
{
    async fn call(&mut self, request: LeaseRequest) -> Result<LeaseReply, S::Error> {
        Self(self.0.clone()).call_once(request).await
    }

    async fn call_once(mut self, request: LeaseRequest) -> Result<LeaseReply, S::Error> {
        poll_fn(|cx| self.0.poll_ready(cx)).await?;
        self.0.call(request).await
    }

    /// Tried again while nobody knows what became of it. How long the last try may take is up to the round.
    async fn until_known(
        &mut self,
        first: impl Future<Output = Result<LeaseReply, S::Error>>,
        request: &LeaseRequest,
        per_try: Duration,
    ) -> Result<LeaseReply, S::Error> {
        let mut tried = timeout(per_try, first).await;
        for _ in 2..RELEASE_TRIES {
            if let Ok(Ok(reply)) = tried {
                return Ok(reply);
            }
            sleep(per_try / 8).await;
            tried = timeout(per_try, self.call(request.clone())).await;
        }
        if let Ok(Ok(reply)) = tried {
            return Ok(reply);
        }
        sleep(per_try / 8).await;
        self.call(request.clone()).await
    }

    /// What was recorded when its lease had been given back already: the release may have come first.
    async fn undone(&mut self, ask: &Ask) {
        let Some(undo) = ask.undo() else {
            return;
        };
        let request = undo.what.request();
        let first = Self(self.0.clone()).call_once(request.clone());
        let _left_to_its_ttl = self.until_known(first, &request, ask.per_try).await;
    }

    /// The lease that runs there may be one of this nonce's ballots: a release of that one ends no other.
    async fn released_by_rank(
        &mut self,
        lock: LockName,
        nonce: Nonce,
        reply: LeaseReply,
    ) -> Result<LeaseReply, S::Error> {
        match reply {
            LeaseReply::Observed { holder: None, .. } => {
                Ok(LeaseReply::Released { was_held: false })
            }
            LeaseReply::Observed {
                holder: Some(Holder { rank, .. }),
                ..
            } => {
                let nonce = ballot_nonce(nonce, rank);
                self.call(LeaseRequest::Release { lock, nonce }).await
            }
            other => Ok(other),
        }
    }

    /// A member that has not recorded the ballot, because it was away when the others did, or lost its memory, records it
    /// now: then the lease survives the loss of one of those who did. One that has, and where it is over, does not.
    async fn recorded_at_last(
        &mut self,
        asked: Renew,
        reply: LeaseReply,
    ) -> Result<LeaseReply, S::Error> {
        let high = match reply {
            LeaseReply::NotHolder { high } if high < asked.rank => high,
            other => return Ok(other),
        };
        let record = Acquire {
            nonce: ballot_nonce(asked.nonce, asked.rank),
            lock: asked.lock,
            ttl: asked.ttl,
            claim: Claim::Exactly(asked.rank),
            wait: Duration::ZERO,
        };
        Ok(match self.call(LeaseRequest::Acquire(record)).await? {
            LeaseReply::Granted(Grant { rank, ttl }) if rank == asked.rank => {
                LeaseReply::Renewed { ttl }
            }
            LeaseReply::Held(Holder { rank, .. }) => LeaseReply::NotHolder {
                high: high.max(rank),
            },
            LeaseReply::Passed { high } => LeaseReply::NotHolder { high },
            other => other,
        })
    }
}
