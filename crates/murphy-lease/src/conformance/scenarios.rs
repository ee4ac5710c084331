//! How each promise is tried.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::station::Station;
use super::{Cut, Promise, Rig, Verdict};

/// `Err` is a verdict too: the one that ended the scenario early.
type Seen = Result<Verdict, Verdict>;

/// The stage of one scenario: its lock, and clients of the rig.
struct Stage<R: Rig> {
    rig: Arc<R>,
    lock: String,
    ttl: Duration,
    slack: Duration,
}

/// Tries one promise.
pub(super) async fn run<R: Rig>(promise: Promise, rig: Arc<R>) -> Verdict {
    let (ttl, slack) = (rig.ttl(), rig.slack());
    let lock = format!("conformance-{}", promise.name().replace(' ', "-"));
    let stage = Stage {
        rig,
        lock,
        ttl,
        slack,
    };
    let seen = match promise {
        Promise::Excludes => stage.excludes().await,
        Promise::KeepsDeadline => stage.keeps_deadline().await,
        Promise::Expires => stage.expires().await,
        Promise::Renews => stage.renews().await,
        Promise::Endures => stage.endures().await,
        Promise::TellsOfPartition => stage.tells_of_partition().await,
        Promise::CountsFromSending => stage.counts_from_sending().await,
        Promise::TellsAfterPause => stage.tells_after_pause().await,
        Promise::TellsOfRevocation => stage.tells_of_revocation().await,
        Promise::Recovers => stage.recovers().await,
        Promise::SurvivesLostReply => stage.survives_lost_reply().await,
        Promise::LeavesNothingBehind => stage.leaves_nothing_behind().await,
        Promise::ReleasesItsOwn => stage.releases_its_own().await,
        Promise::ReleasesOnDrop => stage.releases_on_drop().await,
        Promise::TokensRise => stage.tokens_rise().await,
        Promise::TokensSurviveWipe => stage.tokens_survive_wipe().await,
        Promise::TokensStay => stage.tokens_stay().await,
    };
    seen.unwrap_or_else(|early| early)
}

impl<R: Rig> Stage<R> {
    async fn station(&self) -> Result<Station, Verdict> {
        Station::of(&self.rig).await
    }

    fn needs_renewal(&self) -> Result<(), Verdict> {
        let missing = Verdict::Missing("it does not renew by itself");
        if self.rig.renews() {
            Ok(())
        } else {
            Err(missing)
        }
    }

    async fn excludes(&self) -> Seen {
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

    async fn keeps_deadline(&self) -> Seen {
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

    async fn expires(&self) -> Seen {
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

    async fn renews(&self) -> Seen {
        self.needs_renewal()?;
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        sleep(self.ttl * 5 / 2).await;
        if b.acquire(&self.lock, self.ttl / 4).await?.is_ok() {
            return broken("another got it while its holder lived");
        }
        match a.state(held).await?.says_lost() {
            Some(true) => broken("it said that it was lost though nothing had happened"),
            _ => Ok(Verdict::Kept),
        }
    }

    async fn endures(&self) -> Seen {
        self.needs_renewal()?;
        let (a, b) = (self.station().await?, self.station().await?);
        let held = a.must_acquire(&self.lock, self.ttl).await?;
        let outage = self.ttl * 9 / 20;
        sleep(self.ttl / 4).await;
        a.wire.cut(Cut::Blackhole);
        sleep(outage).await;
        a.wire.cut(Cut::Open);
        sleep(self.ttl * 2).await;
        if a.state(held).await?.says_lost() == Some(true) {
            return broken(format!("an outage of {outage:?} cost its holder the lock"));
        }
        match b.acquire(&self.lock, self.ttl / 4).await?.is_ok() {
            true => broken(format!(
                "after an outage of {outage:?} it was no longer renewed"
            )),
            false => Ok(Verdict::Kept),
        }
    }

    async fn tells_of_partition(&self) -> Seen {
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

    async fn counts_from_sending(&self) -> Seen {
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

    async fn tells_after_pause(&self) -> Seen {
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

    async fn tells_of_revocation(&self) -> Seen {
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

    async fn recovers(&self) -> Seen {
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

    async fn survives_lost_reply(&self) -> Seen {
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

    async fn leaves_nothing_behind(&self) -> Seen {
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

    async fn releases_its_own(&self) -> Seen {
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
            return broken("a late release ended the next holder's lease");
        }
        match b.state(held).await?.says_lost() {
            Some(true) => broken("a late release cost the next holder its lease"),
            _ => Ok(Verdict::Kept),
        }
    }

    async fn releases_on_drop(&self) -> Seen {
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

    async fn tokens_rise(&self) -> Seen {
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

    async fn tokens_survive_wipe(&self) -> Seen {
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

    async fn tokens_stay(&self) -> Seen {
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

fn broken(how: impl Into<String>) -> Seen {
    Err(Verdict::Broken(how.into()))
}
