//! Waiting for a lock that another holds.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::mix;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::super::error::StoreError;
use super::Shared;
use super::answer::Tried;
use crate::{Acquire, LeaseReply, LockName, Nonce};

/// After which time at most one who waits asks again, told or not.
const LONGEST: Duration = Duration::from_secs(1);

impl Shared {
    /// Asks until it is granted or the wait is over: when it is told of a release, when the holder's lease ends, and
    /// every second.
    pub(super) async fn acquire(&self, asked: &Acquire) -> Result<LeaseReply, StoreError> {
        let deadline = Instant::now() + asked.wait;
        // Listen first: a release after that is heard of, and one before it is seen.
        let mut heard = if asked.wait.is_zero() {
            None
        } else {
            Some(self.ears.listen().await)
        };
        for turn in 0.. {
            let waits = heard.is_some() && Instant::now() < deadline;
            let holder = match self.bound("acquire", self.take(asked, waits)).await? {
                Tried::Reply(reply) => return Ok(reply),
                Tried::Held(holder) => holder,
            };
            let Some(heard) = heard.as_mut().filter(|_| waits) else {
                return Ok(LeaseReply::Held(holder));
            };
            let pause = holder.remaining.min(jittered(asked.nonce, turn));
            let again = (Instant::now() + pause).min(deadline);
            let _ = timeout_at(again, released(heard, &asked.lock)).await;
        }
        unreachable!("more turns than there are numbers")
    }
}

/// Until that lock was released, or any may have been.
async fn released(heard: &mut Receiver<Arc<str>>, lock: &LockName) {
    loop {
        match heard.recv().await {
            Ok(name) if name.is_empty() || *name == *lock.as_str() => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Half of the longest for certain, the other half drawn, so that those who wait do not all ask at once.
fn jittered(nonce: Nonce, turn: u64) -> Duration {
    #[expect(clippy::cast_possible_truncation, reason = "any 64 bits of it")]
    let drawn = mix(nonce.bits() as u64 ^ mix(turn));
    let half = LONGEST / 2;
    half + half.mul_f64((drawn >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_and_bounded() {
        let pauses: Vec<_> = (0..100).map(|n| jittered(Nonce::from_bits(7), n)).collect();
        assert!(pauses.iter().all(|p| (LONGEST / 2..=LONGEST).contains(p)));
        assert!(pauses.iter().any(|p| *p < LONGEST * 6 / 10));
        assert!(pauses.iter().any(|p| *p > LONGEST * 9 / 10));
    }
}
