//! What a holder is told of its loss.

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Seen, Stage, broken, no_sign};
use crate::conformance::signs::Loss;
use crate::conformance::station::Station;
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
            let after = cut.elapsed();
            let loss = a.told(held, self.slack).await?.loss();
            Ok::<_, Verdict>((got.is_ok(), after, loss))
        };
        let own = async {
            sleep_until(end).await;
            Ok::<_, Verdict>(a.state(held).await?.loss())
        };
        let (rival, own) = tokio::join!(rival, own);
        let ((got, after, at_grant), at_end) = (rival?, own?);
        match (at_grant, at_end) {
            (Loss::NoSign, _) | (_, Loss::NoSign) => no_sign(),
            (Loss::Untold(sign), _) if got => {
                let believed = format!(
                    "another got it {after:.1?} after the cut, and by `{sign}` its holder believed on"
                );
                self.shown_by_a_rival(believed).await
            }
            (_, Loss::Untold(sign)) => broken(format!(
                "cut off, with a ttl of {:?}, by `{sign}` it still believed after {:.1?}",
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
            // `lost` that counts from the answer ends as late as the answers are.
            let grace = self.slack.min(late / 2);
            return match a.told(held, grace).await?.loss() {
                Loss::NoSign => no_sign(),
                Loss::Untold(sign) if rival.is_ok() => {
                    let believed = format!(
                        "with answers {late:?} late, by `{sign}` it believed on when another got it"
                    );
                    self.shown_by_a_rival(believed).await
                }
                _ => Ok(Verdict::Kept),
            };
        }
        Err(Verdict::Unable(
            "it is not acquired when answers are late".into(),
        ))
    }

    pub(super) async fn counts_renewals_from_sending(&self) -> Seen {
        self.needs_renewal()?;
        // Some give a renewal up that takes a sixth of the ttl, and take several answers for one.
        for part in [8, 24] {
            // A renewal whose answer is on its way when the wire is cut hides what the one before it was taken for: it is cut
            // at three moments of the time between two.
            let seen = join_all((0..3).map(|n| self.renewed_late(part, n))).await;
            let seen = seen.into_iter().collect::<Result<Vec<_>, _>>()?;
            if let Some(kept) = seen.into_iter().flatten().next() {
                return Ok(kept);
            }
        }
        Err(Verdict::Unable(
            "it is not renewed when answers are late".into(),
        ))
    }

    /// Renewed with answers that are late by a part of the ttl, and then cut off at the `n`-th moment. `None` if it was not to be
    /// renewed so.
    async fn renewed_late(&self, part: u32, n: u32) -> Result<Option<Verdict>, Verdict> {
        let (a, b) = (self.station().await?, self.station().await?);
        let (lock, late) = (format!("{}-{part}-{n}", self.lock), self.ttl / part);
        let held = a.must_acquire(&lock, self.ttl).await?;
        a.wire.cut(Cut::SlowReplies(late));
        sleep(self.ttl * 5 / 4 + n * self.ttl / 9).await;
        if a.state(held).await?.says_lost().is_some() {
            return Ok(None);
        }
        a.wire.cut(Cut::Blackhole);
        let rival = b.acquire(&lock, self.ttl * 3).await?;
        match a.told(held, self.slack.min(late / 2)).await?.loss() {
            Loss::NoSign => no_sign().map(Some),
            Loss::Untold(sign) if rival.is_ok() => {
                let believed = format!(
                    "renewed with answers {late:?} late, by `{sign}` it believed on when another got it"
                );
                self.shown_by_a_rival(believed).await.map(Some)
            }
            _ => Ok(Some(Verdict::Kept)),
        }
    }

    pub(super) async fn bears_slow_clock(&self) -> Seen {
        let (a, b) = (Station::slow(&self.rig).await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        a.wire.cut(Cut::Blackhole);
        let rival = b.acquire(&self.lock, self.ttl * 4).await?;
        match a.told(held, self.slack).await?.loss() {
            Loss::NoSign => no_sign(),
            Loss::Untold(sign) if rival.is_ok() => {
                let believed = format!(
                    "by a slow clock, which it said that it bears, and by `{sign}` it believed on when another got it"
                );
                self.shown_by_a_rival(believed).await
            }
            _ => Ok(Verdict::Kept),
        }
    }

    pub(super) async fn tells_after_pause(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        let paused = a.pause().await?;
        sleep(self.ttl * 3 / 2).await;
        let rival = b.acquire(&self.lock, self.ttl).await?;
        // It is the first that the holder is asked when it wakes.
        let (state, ()) = tokio::join!(a.told(held, self.slack), async { drop(paused) });
        let state = state?;
        if rival.is_err() {
            return Err(Verdict::Unable(
                "nobody else got it while its holder was paused".into(),
            ));
        }
        let mut loss = state.loss();
        if loss == Loss::NoSign {
            // A token that is refused later is a sign, too.
            sleep(self.slack).await;
            loss = a.state(held).await?.loss();
        }
        match loss {
            Loss::Told => Ok(Verdict::Kept),
            Loss::NoSign => no_sign(),
            Loss::Untold("lost") => {
                let untold = format!(
                    "`lost` had not ended {:?} after the pause, and another held it",
                    self.slack
                );
                self.shown_by_a_rival(untold).await
            }
            Loss::Untold(sign) => {
                let first = format!(
                    "its first answer after the pause, by `{sign}`, was that it is held, and another held it"
                );
                self.shown_by_a_rival(first).await
            }
        }
    }

    pub(super) async fn tells_of_revocation(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        sleep(self.ttl / 2).await;
        let wiped = self.rig.wipe(&self.lock).await;
        wiped.map_err(|e| Verdict::Unable(e.to_string()))?;
        sleep(self.ttl + self.slack).await;
        let sign = match a.state(held).await?.loss() {
            Loss::Told => return Ok(Verdict::Kept),
            Loss::NoSign => return no_sign(),
            Loss::Untold(sign) => sign,
        };
        // A renewal may have had it recorded again: then it is still its own.
        if b.acquire(&self.lock, self.ttl / 4).await?.is_err() {
            return Ok(Verdict::Kept);
        }
        let believed = format!(
            "the store had forgotten its lease, and by `{sign}` it believed on past its ttl, when another got it"
        );
        self.shown_by_a_rival(believed).await
    }
}
