//! Who holds the lock, and for how long.

use tokio::time::{Instant, sleep};

use super::{Seen, Stage, broken};
use crate::conformance::{Cut, Rig, Verdict};

impl<R: Rig> Stage<R> {
    pub(super) async fn excludes(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        let half = self.ttl / 2;
        let (other, same) = tokio::join!(a.acquire(&self.lock, half), b.acquire(&self.lock, half));
        if same?.is_ok() {
            return broken("another client got it while it was held");
        }
        if other?.is_ok() {
            return broken("another task of the same client got it while it was held");
        }
        if let Err(e) = a.release(held).await? {
            return broken(format!("it could not be released: {e}"));
        }
        match b.acquire(&self.lock, self.ttl).await? {
            Ok(_) => Ok(Verdict::Kept),
            Err(e) => broken(format!("it was not to be had after its release: {e}")),
        }
    }

    pub(super) async fn keeps_deadline(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let patience = self.ttl / 2;
        b.wire.cut(Cut::Blackhole);
        let began = Instant::now();
        let got = b.acquire(&self.lock, patience).await?;
        let took = began.elapsed();
        if got.is_ok() {
            return broken("it was acquired through a wire that was cut");
        }
        if took > patience + self.slack {
            return broken(format!(
                "told to wait {patience:?} it waited {took:.1?} for a silent store"
            ));
        }
        b.wire.cut(Cut::Open);
        // What was sent arrives now, and may hold it for a ttl: that is not what is asked here.
        let _held = a.must_acquire(&self.lock, self.ttl * 3).await?;
        let began = Instant::now();
        let got = b.acquire(&self.lock, patience).await?;
        let took = began.elapsed();
        if got.is_err() && took > patience + self.slack {
            return broken(format!(
                "told to wait {patience:?} it waited {took:.1?} for its holder"
            ));
        }
        Ok(Verdict::Kept)
    }

    pub(super) async fn expires(&self) -> Seen {
        let (a, b) = (self.station().await?, self.station().await?);
        let _held = a.must_acquire(&self.lock, self.ttl).await?;
        a.wire.cut(Cut::Blackhole);
        let began = Instant::now();
        let got = b.acquire(&self.lock, self.ttl * 4).await?;
        let (took, allowed) = (began.elapsed(), self.ttl * 2);
        match got {
            Err(e) => broken(format!(
                "a holder that is gone still held it after {took:.1?}: {e}"
            )),
            Ok(_) if took > allowed => {
                broken(format!("a holder that is gone held it for {took:.1?}"))
            }
            Ok(_) => Ok(Verdict::Kept),
        }
    }

    pub(super) async fn renews(&self) -> Seen {
        self.needs_renewal()?;
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        sleep(self.ttl * 5 / 2).await;
        if b.acquire(&self.lock, self.ttl / 4).await?.is_ok() {
            let lived = "another got it while its holder lived";
            return self.shown_by_a_rival(lived).await;
        }
        match a.state(held).await?.says_lost() {
            Some(sign) => broken(format!(
                "by `{sign}` it was lost though nothing had happened"
            )),
            None => Ok(Verdict::Kept),
        }
    }

    pub(super) async fn endures(&self) -> Seen {
        self.needs_renewal()?;
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        let outage = self.ttl * 9 / 20;
        sleep(self.ttl / 4).await;
        a.wire.cut(Cut::Blackhole);
        sleep(outage).await;
        a.wire.cut(Cut::Open);
        sleep(self.ttl * 2).await;
        if let Some(sign) = a.state(held).await?.says_lost() {
            return broken(format!(
                "an outage of {outage:?} cost its holder the lock, by `{sign}`"
            ));
        }
        if b.acquire(&self.lock, self.ttl / 4).await?.is_ok() {
            let over = format!("after an outage of {outage:?} it was no longer renewed");
            return self.shown_by_a_rival(over).await;
        }
        Ok(Verdict::Kept)
    }
}
