//! How each promise is tried.

mod ends;
mod holding;
mod loss;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use super::station::Station;
use super::{Promise, Rig, Verdict};

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
        Promise::CountsRenewalsFromSending => stage.counts_renewals_from_sending().await,
        Promise::BearsSlowClock => stage.bears_slow_clock().await,
        Promise::TellsAfterPause => stage.tells_after_pause().await,
        Promise::TellsOfRevocation => stage.tells_of_revocation().await,
        Promise::Recovers => stage.recovers().await,
        Promise::SurvivesLostReply => stage.survives_lost_reply().await,
        Promise::SurvivesStall => stage.survives_stall().await,
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

    /// Broken, as another's grant shows: if the lock excludes anybody at all, for else that grant shows nothing.
    async fn shown_by_a_rival(&self, how: impl Into<String>) -> Seen {
        if self.lets_two_in().await == Ok(true) {
            let shows_nothing = "it does not exclude, so that another gets it shows nothing";
            return Err(Verdict::Unable(shows_nothing.into()));
        }
        broken(how)
    }

    /// Whether another gets a lock, which nobody used before, right after it was granted.
    async fn lets_two_in(&self) -> Result<bool, Verdict> {
        let (a, b) = (self.station().await?, self.station().await?);
        let lock = format!("{}-premise", self.lock);
        let first = a.acquire(&lock, self.ttl * 2).await?;
        Ok(first.is_ok() && b.acquire(&lock, self.ttl / 4).await?.is_ok())
    }
}

fn broken(how: impl Into<String>) -> Seen {
    Err(Verdict::Broken(how.into()))
}

fn no_sign() -> Seen {
    Err(Verdict::Missing("nothing tells a holder of its loss"))
}
