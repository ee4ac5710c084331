//! [`Leases`]: leases of etcd that were granted ahead, so that an acquire is one transaction.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Error, LeaseClient};
use murphy_core::Clock;
use tokio::time::Instant;

/// How many of those that are not in use are kept. Beyond, the oldest is left to end by itself.
const SPARE: usize = 256;

/// How many that are in use are remembered. Those beyond are not used again when they are free.
const IN_USE: usize = 65_536;

/// A lease of etcd, as far as we know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) id: i64,
    /// What was asked for.
    seconds: i64,
    /// What was granted.
    pub(super) ttl: Duration,
    /// Not later than etcd has counted from.
    since: Instant,
}

/// The leases of a store.
pub(super) struct Leases {
    clock: Arc<dyn Clock>,
    kept: Mutex<All>,
}

#[derive(Default)]
struct All {
    in_use: BTreeMap<i64, Kept>,
    spare: VecDeque<Kept>,
}

impl Leases {
    pub(super) fn on(clock: Arc<dyn Clock>) -> Self {
        let kept = Mutex::default();
        Self { clock, kept }
    }

    /// On the same clock, and empty.
    pub(super) fn emptied(&self) -> Self {
        Self::on(Arc::clone(&self.clock))
    }

    /// A lease for at least `ttl`, nearly all of which is left: one that was used before and still runs, else a new one.
    pub(super) async fn take(
        &self,
        client: &mut LeaseClient,
        ttl: Duration,
    ) -> Result<Kept, Error> {
        let seconds = seconds(ttl);
        loop {
            if let Some(fresh) = self.fresh(ttl) {
                return Ok(fresh);
            }
            let Some(spare) = self.spare(seconds) else {
                break;
            };
            // Its last third may end on the way.
            if self.left(&spare) > spare.ttl / 3
                && let Ok(fresh) = self.keep_alive(client, spare).await
            {
                return Ok(self.keep(fresh));
            }
        }
        let since = self.clock.now();
        let granted = client.grant(seconds, None).await?;
        let ttl = Duration::from_secs(u64::try_from(granted.ttl()).unwrap_or(0));
        let id = granted.id();
        Ok(self.keep(Kept {
            id,
            seconds,
            ttl,
            since,
        }))
    }

    /// One that was used before, of which nearly all is left.
    pub(super) fn fresh(&self, ttl: Duration) -> Option<Kept> {
        let mut all = self.all();
        let at = all.freshest(seconds(ttl))?;
        let fresh = all.spare.get(at).is_some_and(|spare| self.is_fresh(spare));
        let spare = fresh.then(|| all.spare.remove(at)).flatten();
        drop(all);
        spare.map(|spare| self.keep(spare))
    }

    /// It runs for its whole time again; if not, it has ended, or nobody knows.
    pub(super) async fn keep_alive(
        &self,
        client: &mut LeaseClient,
        lease: Kept,
    ) -> Result<Kept, Error> {
        let since = self.clock.now();
        client.keep_alive(lease.id).await?;
        let fresh = Kept { since, ..lease };
        if let Some(kept) = self.all().in_use.get_mut(&lease.id) {
            *kept = fresh;
        }
        Ok(fresh)
    }

    /// What is known of a lease: our own, else what etcd says of it. `None`: it has ended.
    pub(super) async fn find(
        &self,
        client: &mut LeaseClient,
        id: i64,
    ) -> Result<Option<Kept>, Error> {
        if let Some(kept) = self.all().in_use.get(&id) {
            return Ok(Some(*kept));
        }
        let now = self.clock.now();
        let told = client.time_to_live(id, None).await?;
        let seconds = told.granted_ttl();
        let ttl = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let left = Duration::from_secs(u64::try_from(told.ttl()).unwrap_or(0));
        let since = now.checked_sub(ttl.saturating_sub(left)).unwrap_or(now);
        Ok((told.ttl() > 0).then_some(Kept {
            id,
            seconds,
            ttl,
            since,
        }))
    }

    /// For how long it runs at least.
    pub(super) fn left(&self, lease: &Kept) -> Duration {
        (lease.since + lease.ttl).saturating_duration_since(self.clock.now())
    }

    /// For how long it need not be renewed: until a third of it is gone.
    pub(super) fn rests(&self, lease: &Kept) -> Duration {
        self.left(lease).saturating_sub(lease.ttl * 2 / 3)
    }

    /// Nearly all of it is left.
    pub(super) fn is_fresh(&self, lease: &Kept) -> bool {
        self.left(lease) >= lease.ttl - lease.ttl / 10
    }

    /// Nothing hangs on it any more: it may be used again, if it is ours. Whether it was in use here.
    pub(super) fn give_back(&self, id: i64) -> bool {
        let mut all = self.all();
        let Some(kept) = all.in_use.remove(&id) else {
            return false;
        };
        if all.spare.len() == SPARE {
            all.spare.pop_front();
        }
        all.spare.push_back(kept);
        true
    }

    /// It has ended, or is left to.
    pub(super) fn forget(&self, id: i64) {
        self.all().in_use.remove(&id);
    }

    fn spare(&self, seconds: i64) -> Option<Kept> {
        let mut all = self.all();
        let at = all.freshest(seconds)?;
        all.spare.remove(at)
    }

    /// It is in use.
    pub(super) fn keep(&self, lease: Kept) -> Kept {
        let mut all = self.all();
        if all.in_use.len() >= IN_USE {
            // Those of holders that went without a word.
            let now = self.clock.now();
            all.in_use.retain(|_, kept| kept.since + kept.ttl > now);
        }
        if all.in_use.len() < IN_USE {
            all.in_use.insert(lease.id, lease);
        }
        lease
    }

    fn all(&self) -> std::sync::MutexGuard<'_, All> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    /// Which spare is used first: the others end by themselves.
    fn freshest(&self, seconds: i64) -> Option<usize> {
        self.spare.iter().rposition(|kept| kept.seconds == seconds)
    }
}

impl Kept {
    /// Whether it is one that is taken for this.
    pub(super) fn is_for(&self, ttl: Duration) -> bool {
        self.seconds == seconds(ttl)
    }
}

fn seconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use murphy_core::TokioClock;

    pub(in super::super) fn lease(id: i64, seconds: i64) -> Kept {
        let ttl = Duration::from_secs(10);
        let since = Instant::now();
        Kept {
            id,
            seconds,
            ttl,
            since,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_freshest_of_its_length_is_used_again() {
        let leases = Leases::on(Arc::new(TokioClock));
        for (id, seconds) in [(1, 10), (2, 10), (3, 20)] {
            leases.keep(lease(id, seconds));
            leases.give_back(id);
        }
        leases.give_back(4);
        assert_eq!(leases.spare(10).unwrap().id, 2);
        assert_eq!(leases.spare(10).unwrap().id, 1);
        assert!(leases.spare(10).is_none());
        assert_eq!(leases.spare(20).unwrap().id, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_fresh_any_more_stays_with_the_others() {
        let leases = Leases::on(Arc::new(TokioClock));
        leases.keep(lease(1, 10));
        leases.give_back(1);
        tokio::time::advance(Duration::from_secs(2)).await;
        let ttl = Duration::from_secs(10);
        assert!(leases.fresh(ttl).is_none());
        assert_eq!(leases.all().spare.len(), 1);
        leases.keep(lease(2, 10));
        leases.give_back(2);
        assert_eq!(leases.fresh(ttl).unwrap().id, 2);
        assert!(leases.all().in_use.contains_key(&2));
        assert_eq!(leases.all().spare.len(), 1);
    }

    #[test]
    fn under_threads_no_spare_is_lost_or_handed_out_twice() {
        let leases = Leases::on(Arc::new(TokioClock));
        let ttl = Duration::from_secs(10);
        for id in 0..3 {
            let lasts = Duration::from_secs(100_000);
            leases.keep(Kept {
                ttl: lasts,
                ..lease(id, 10)
            });
            leases.give_back(id);
        }
        let out = Mutex::new(std::collections::BTreeSet::new());
        let comes_and_goes = || {
            for _ in 0..5000 {
                let Some(Kept { id, .. }) = leases.fresh(ttl) else {
                    continue;
                };
                assert!(out.lock().unwrap().insert(id), "{id} twice");
                assert!(out.lock().unwrap().remove(&id));
                assert!(leases.give_back(id));
            }
        };
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(comes_and_goes);
            }
        });
        assert_eq!(leases.all().spare.len(), 3);
        assert!(leases.all().in_use.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_counted_from_before_it_was_asked_for() {
        let leases = Leases::on(Arc::new(TokioClock));
        let lease = lease(1, 10);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(leases.left(&lease), Duration::from_secs(6));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(leases.left(&lease), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn spares_and_those_in_use_are_bounded() {
        let leases = Leases::on(Arc::new(TokioClock));
        for id in 0..1000 {
            leases.keep(lease(id, 10));
            leases.give_back(id);
        }
        assert_eq!(leases.all().spare.len(), SPARE);
        for id in 0..65_600 {
            leases.keep(lease(id, 10));
        }
        assert_eq!(leases.all().in_use.len(), IN_USE);
        tokio::time::advance(Duration::from_secs(11)).await;
        leases.keep(lease(99_999, 10));
        assert_eq!(leases.all().in_use.len(), 1);
    }
}
