//! What a holder is told of its loss.

use tokio::time::{Instant, sleep, sleep_until};

use super::{Seen, Stage, broken};
use crate::conformance::{Cut, Rig, Verdict};

impl<R: Rig> Stage<R> {
    pub(super) async fn tells_of_partition(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        sleep(self.ttl / 2).await;
        a.wire.cut(Cut::Blackhole);
        let (cut, end) = (Instant::now(), Instant::now() + self.ttl + self.slack);
        let rival = async {
            let got = b.acquire(&self.lock, self.ttl * 3).await?;
            Ok::<_, Verdict>((got.is_ok(), cut.elapsed(), a.state(held).await?.says_lost()))
        };
        let own = async {
            sleep_until(end).await;
            Ok::<_, Verdict>(a.state(held).await?.says_lost())
        };
        let (rival, own) = tokio::join!(rival, own);
        let ((got, after, at_grant), at_end) = (rival?, own?);
        match (at_grant, at_end) {
            (None, _) | (_, None) => Err(Verdict::Missing("nothing tells a holder of its loss")),
            (Some(false), _) if got => broken(format!(
                "another got it {after:.1?} after the cut, and its holder believed on"
            )),
            (_, Some(false)) => broken(format!(
                "cut off, with a ttl of {:?}, it still believed after {:.1?}",
                self.ttl,
                self.ttl + self.slack
            )),
            _ => Ok(Verdict::Kept),
        }
    }

    pub(super) async fn counts_from_sending(&self) -> Seen {
        // The later the answers, the plainer it is; some locks wait for them no longer than a tenth of the ttl.
        for part in [5, 12] {
            let (a, b) = (self.station().await?, self.station().await?);
            let (lock, late) = (format!("{}-{part}", self.lock), self.ttl / part);
            a.wire.cut(Cut::SlowReplies(late));
            let Ok(held) = a.acquire(&lock, self.ttl * 2).await? else {
                continue;
            };
            a.wire.cut(Cut::Blackhole);
            let rival = b.acquire(&lock, self.ttl * 3).await?;
            return match a.state(held).await?.says_lost() {
                None => Err(Verdict::Missing("nothing tells a holder of its loss")),
                Some(false) if rival.is_ok() => broken(format!(
                    "with answers {late:?} late, it believed on when another got it"
                )),
                _ => Ok(Verdict::Kept),
            };
        }
        Err(Verdict::Unable(
            "it is not acquired when answers are late".into(),
        ))
    }

    pub(super) async fn tells_after_pause(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        let paused = a.pause().await?;
        sleep(self.ttl * 3 / 2).await;
        let rival = b.acquire(&self.lock, self.ttl).await?;
        // It is the first that the holder is asked when it wakes.
        let (state, ()) = tokio::join!(a.state(held), async { drop(paused) });
        let state = state?;
        if rival.is_err() {
            return Err(Verdict::Unable(
                "nobody else got it while its holder was paused".into(),
            ));
        }
        match state.says_lost_when_asked() {
            Some(true) => return Ok(Verdict::Kept),
            Some(false) => {
                return broken(
                    "its first answer after the pause was that it is held, and another held it",
                );
            }
            None => sleep(self.slack).await,
        }
        match a.state(held).await?.says_lost() {
            Some(true) => Ok(Verdict::Kept),
            Some(false) => broken("it did not notice that it was lost while it was paused"),
            None => Err(Verdict::Missing("nothing tells a holder of its loss")),
        }
    }

    pub(super) async fn tells_of_revocation(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        sleep(self.ttl / 2).await;
        let wiped = self.rig.wipe(&self.lock).await;
        wiped.map_err(|e| Verdict::Unable(e.to_string()))?;
        sleep(self.ttl + self.slack).await;
        match a.state(held).await?.says_lost() {
            Some(true) => return Ok(Verdict::Kept),
            Some(false) => {}
            None => return Err(Verdict::Missing("nothing tells a holder of its loss")),
        }
        // A renewal may have had it recorded again: then it is still its own.
        match b.acquire(&self.lock, self.ttl / 4).await? {
            Err(_) => Ok(Verdict::Kept),
            Ok(_) => broken(
                "the store had forgotten its lease, and it believed on past its ttl, when another got it",
            ),
        }
    }
}
