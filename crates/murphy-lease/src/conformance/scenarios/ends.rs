//! What becomes of a request, a store or a lease that ended badly.

use tokio::time::{Instant, sleep};

use super::{Seen, Stage, broken};
use crate::conformance::signs::Loss;
use crate::conformance::{Cut, Rig, Verdict};

impl<R: Rig> Stage<R> {
    pub(super) async fn recovers(&self) -> Seen {
        let a = self.station().await?;
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        let _ = a.release(held).await?;
        let restarted = self.rig.restart().await;
        restarted.map_err(|e| Verdict::Unable(e.to_string()))?;
        // As its user would: again and again.
        let mut said = String::new();
        for _ in 0..5 {
            match a.acquire(&self.lock, self.ttl).await? {
                Ok(_) => return Ok(Verdict::Kept),
                Err(e) => said = e,
            }
            sleep(self.slack).await;
        }
        broken(format!(
            "after a restart of the store it did not come back: {said}"
        ))
    }

    pub(super) async fn survives_lost_reply(&self) -> Seen {
        let a = self.station().await?;
        let (began, most) = (Instant::now(), self.ttl * 7 / 10);
        a.wire.cut(Cut::LosesReplies);
        let heal = async {
            sleep(self.ttl / 10).await;
            a.wire.cut(Cut::Open);
        };
        let (got, ()) = tokio::join!(a.acquire(&self.lock, self.ttl * 3), heal);
        let got = match got? {
            Ok(held) => Ok(held),
            // As its user would: once more, and for as long as it takes.
            Err(_) => a.acquire(&self.lock, self.ttl * 3).await?,
        };
        let took = began.elapsed();
        match got {
            Ok(_) if took <= most => Ok(Verdict::Kept),
            Ok(_) => broken(format!("it waited {took:.1?} for the end of its own lease")),
            Err(e) => broken(format!("it was not to be had any more: {e}")),
        }
    }

    pub(super) async fn survives_stall(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        // Some connect at their first call: then nothing would leave before the wire is whole again.
        let first = a.must_acquire(&self.lock, self.ttl * 2).await?;
        let _ = a.release(first).await?;
        // By then a client that repeats its requests has given up one or two of them.
        let stall = self.ttl * 3 / 4;
        a.wire.cut(Cut::Blackhole);
        let heal = async {
            sleep(stall).await;
            a.wire.cut(Cut::Open);
        };
        let (got, ()) = tokio::join!(a.acquire(&self.lock, self.ttl * 3), heal);
        let held = match got? {
            Ok(held) => held,
            // As its user would: once more.
            Err(_) => a.must_acquire(&self.lock, self.ttl * 3).await?,
        };
        // What was given up is answered now, and its client does something about it.
        if b.acquire(&self.lock, self.ttl / 3).await?.is_ok() {
            return match a.state(held).await?.loss() {
                Loss::Untold(sign) => {
                    let both = format!(
                        "after a stall of {stall:?} two held it: another got it, and by `{sign}` its holder believed on"
                    );
                    self.shown_by_a_rival(both).await
                }
                // What it was granted had been granted long before.
                Loss::Told if !self.rig.renews() => Ok(Verdict::Kept),
                _ => {
                    let taken =
                        format!("after a stall of {stall:?} another got it from its holder");
                    self.shown_by_a_rival(taken).await
                }
            };
        }
        if !self.rig.renews() {
            return Ok(Verdict::Kept);
        }
        sleep(self.ttl).await;
        match a.state(held).await?.says_lost() {
            Some(sign) => broken(format!(
                "acquired after a stall of {stall:?} it was soon lost, by `{sign}`"
            )),
            None => Ok(Verdict::Kept),
        }
    }

    pub(super) async fn leaves_nothing_behind(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let began = Instant::now();
        a.wire.cut(Cut::LosesReplies);
        let got = a.acquire(&self.lock, self.ttl / 5).await?;
        a.wire.cut(Cut::Open);
        if got.is_ok() {
            return Err(Verdict::Unable(
                "it was acquired though every reply was lost".into(),
            ));
        }
        let rival = b.acquire(&self.lock, self.ttl * 3).await?;
        let took = began.elapsed();
        match rival {
            Ok(_) if took <= self.ttl * 4 / 5 => Ok(Verdict::Kept),
            Ok(_) => broken(format!("what it gave up held others off for {took:.1?}")),
            Err(e) => broken(format!(
                "what it gave up held others off for {took:.1?}: {e}"
            )),
        }
    }

    pub(super) async fn releases_its_own(&self) -> Seen {
        let (a, b, c) = (
            self.station().await?,
            self.station().await?,
            self.station().await?,
        );
        let late = a.must_acquire(&self.lock, self.ttl).await?;
        a.wire.cut(Cut::Blackhole);
        let held = match b.acquire(&self.lock, self.ttl * 4).await? {
            Ok(held) => held,
            Err(e) => {
                return Err(Verdict::Unable(format!(
                    "nobody got it after its holder: {e}"
                )));
            }
        };
        a.wire.cut(Cut::Open);
        // What it says of its own success is its business.
        let _ = a.release(late).await?;
        if c.acquire(&self.lock, self.ttl / 3).await?.is_ok() {
            let ended = "a late release ended the next holder's lease";
            return self.shown_by_a_rival(ended).await;
        }
        match b.state(held).await?.says_lost() {
            Some(sign) => broken(format!(
                "a late release cost the next holder its lease, by `{sign}`"
            )),
            None => Ok(Verdict::Kept),
        }
    }

    pub(super) async fn releases_on_drop(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        a.drop_guard(held).await?;
        let began = Instant::now();
        let got = b.acquire(&self.lock, self.ttl * 3).await?;
        let took = began.elapsed();
        match got {
            Ok(_) if took <= self.ttl * 3 / 5 => Ok(Verdict::Kept),
            Ok(_) => broken(format!("dropped, it held others off for {took:.1?}")),
            Err(e) => broken(format!("dropped, it held others off for {took:.1?}: {e}")),
        }
    }
}
