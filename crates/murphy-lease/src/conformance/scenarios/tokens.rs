//! What a token is worth.

use tokio::time::sleep;

use super::{Seen, Stage, broken};
use crate::conformance::{Cut, Rig, Verdict};

impl<R: Rig> Stage<R> {
    pub(super) async fn tokens_rise(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let mut tokens = Vec::new();
        for station in [&a, &a, &b] {
            let held = station.must_acquire(&self.lock, self.ttl * 2).await?;
            tokens.push(station.token(held).await?);
            if let Err(e) = station.release(held).await? {
                return broken(format!("it could not be released: {e}"));
            }
        }
        let expiring = b.must_acquire(&self.lock, self.ttl * 2).await?;
        tokens.push(b.token(expiring).await?);
        b.wire.cut(Cut::Blackhole);
        let last = a.must_acquire(&self.lock, self.ttl * 4).await?;
        tokens.push(a.token(last).await?);
        match tokens.is_sorted_by(|a, b| a < b) {
            true => Ok(Verdict::Kept),
            false => broken(format!("they were {tokens:?}")),
        }
    }

    pub(super) async fn tokens_survive_wipe(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let mut before = 0;
        for _ in 0..3 {
            let held = a.must_acquire(&self.lock, self.ttl * 2).await?;
            before = a.token(held).await?;
            let _ = a.release(held).await?;
        }
        let wiped = self.rig.wipe(&self.lock).await;
        wiped.map_err(|e| Verdict::Unable(e.to_string()))?;
        let held = b.must_acquire(&self.lock, self.ttl * 3).await?;
        match b.token(held).await? {
            after if after > before => Ok(Verdict::Kept),
            after => broken(format!(
                "{before} before the store was wiped, {after} after"
            )),
        }
    }

    pub(super) async fn tokens_stay(&self) -> Seen {
        self.needs_renewal()?;
        let a = self.station().await?;
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        let first = a.token(held).await?;
        sleep(self.ttl * 3 / 2).await;
        match a.token(held).await? {
            now if now == first => Ok(Verdict::Kept),
            now => broken(format!("it was {first}, and is {now} after a renewal")),
        }
    }
}
