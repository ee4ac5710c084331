//! The suite sees what is wrong: a small lock that keeps each promise, and a twin for each that does not.

#![cfg(feature = "conformance")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_lease::conformance::{
    BoxError, Client, Offer, Promise, Report, Rig, Unable, Verdict, Wire, Wired, examine,
};
use murphy_lease::{
    Acquire, Claim, LeaseReply, LeaseRequest, LockName, MemoryStore, Nonce, Rank, Renew, Ttl,
};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};
use tower::{Service, ServiceExt, service_fn};

/// Which promise it breaks, if any.
#[derive(Clone)]
struct Twin {
    breaks: Option<Promise>,
    ends: Ends,
    store: Arc<Mutex<MemoryStore>>,
    /// The nonce that got each lock last, for the twin that releases by name.
    last: Arc<Mutex<BTreeMap<String, Nonce>>>,
    /// Each wipe begins an era.
    wipes: Arc<Mutex<u32>>,
    lives: Arc<Mutex<u32>>,
    nonces: Arc<Mutex<u128>>,
}

/// When its `lost` ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    InTime,
    Never,
    AtOnce,
}

type Store = Wired<LeaseRequest, LeaseReply>;

struct Naive {
    twin: Twin,
    store: Store,
    /// By how much its leases are shorter than what it is granted: its clock may be so slow.
    rate: f64,
}

struct Held {
    shared: Rc<Shared>,
    breaks: Option<Promise>,
    store: Store,
}

struct Shared {
    lock: LockName,
    nonce: Nonce,
    rank: Cell<Rank>,
    until: Cell<Instant>,
    is_over: Cell<bool>,
    renewals: Cell<u64>,
    wakers: RefCell<Vec<Rc<tokio::sync::Notify>>>,
}

impl Twin {
    fn breaking(breaks: Option<Promise>) -> Self {
        Self {
            breaks,
            ends: Ends::InTime,
            store: Arc::new(Mutex::new(MemoryStore::new().counting())),
            last: Arc::default(),
            wipes: Arc::default(),
            lives: Arc::default(),
            nonces: Arc::default(),
        }
    }

    fn is(&self, promise: Promise) -> bool {
        self.breaks == Some(promise)
    }

    fn nonce(&self) -> Nonce {
        let mut drawn = self.nonces.lock().unwrap();
        *drawn += 1;
        Nonce::from_bits(*drawn)
    }
}

impl Rig for Twin {
    type Client = Naive;

    fn name(&self) -> String {
        self.breaks
            .map_or("the sound one".into(), |p| format!("breaks `{p}`"))
    }

    async fn connect(&self, wire: Wire) -> Result<Naive, BoxError> {
        let store = Arc::clone(&self.store);
        let (lives, life) = (Arc::clone(&self.lives), *self.lives.lock().unwrap());
        let stays_away = self.is(Promise::Recovers);
        let service = service_fn(move |request| {
            let store = store.lock().unwrap().clone();
            let is_down = stays_away && *lives.lock().unwrap() != life;
            async move {
                if is_down {
                    return Err(BoxError::from("connection refused"));
                }
                Ok(store.oneshot(request).await?)
            }
        });
        let store = wire.layer(service);
        Ok(Naive {
            twin: self.clone(),
            store,
            rate: 1.0,
        })
    }

    /// Its clock shows half of what passes. It knows, but for the twin.
    async fn connect_slow(&self, wire: Wire) -> Result<Naive, BoxError> {
        let naive = self.connect(wire).await?;
        let rate = if self.is(Promise::BearsSlowClock) {
            2.0
        } else {
            1.0
        };
        Ok(Naive { rate, ..naive })
    }

    async fn wipe(&self, _: &str) -> Result<(), Unable> {
        *self.store.lock().unwrap() = MemoryStore::new().counting();
        *self.wipes.lock().unwrap() += 1;
        Ok(())
    }

    async fn restart(&self) -> Result<(), Unable> {
        *self.lives.lock().unwrap() += 1;
        Ok(())
    }

    fn ttl(&self) -> Duration {
        Duration::from_secs(1)
    }
}

impl Client for Naive {
    type Held = Held;

    async fn acquire(
        &self,
        lock: &str,
        ttl: Duration,
        patience: Duration,
    ) -> Result<Held, BoxError> {
        let lock = LockName::try_new(lock)?;
        let end = Instant::now() + patience;
        let mut nonce = self.twin.nonce();
        loop {
            if self.twin.is(Promise::SurvivesLostReply) {
                nonce = self.twin.nonce();
            }
            let sent = Instant::now();
            let asked = self.ask_for(&lock, nonce, ttl);
            // The twin waits for ever, or as good as.
            let left = if self.twin.is(Promise::KeepsDeadline) {
                ttl * 3
            } else {
                (end - sent).min(ttl / 3)
            };
            match self.answered(&lock, nonce, asked, left).await {
                Ok(Ok(LeaseReply::Granted(grant))) => {
                    let counts = !self.twin.is(Promise::CountsFromSending);
                    let sent = if counts { sent } else { Instant::now() };
                    return Ok(self.hold(lock, nonce, grant.rank, ttl, sent));
                }
                Ok(Ok(LeaseReply::Held(holder))) if self.twin.is(Promise::Excludes) => {
                    return Ok(self.hold(lock, nonce, holder.rank, ttl, sent));
                }
                _ if Instant::now() >= end => {
                    if !self.twin.is(Promise::LeavesNothingBehind) {
                        // A little longer than the outage.
                        tokio::task::spawn_local(release(self.store.clone(), lock, nonce));
                    }
                    return Err("it was not to be had in time".into());
                }
                _ => sleep((ttl / 40).min(end - Instant::now())).await,
            }
        }
    }

    async fn release(&self, held: Held) -> Result<(), BoxError> {
        let nonce = if self.twin.is(Promise::ReleasesItsOwn) {
            self.twin.last.lock().unwrap()[held.shared.lock.as_str()]
        } else {
            held.shared.nonce
        };
        held.shared.is_over.set(true);
        release(self.store.clone(), held.shared.lock.clone(), nonce).await;
        Ok(())
    }

    fn token(&self, held: &Held) -> Offer<Result<u128, BoxError>> {
        let rank = held.shared.rank.get();
        let moved = if self.twin.is(Promise::TokensStay) {
            held.shared.renewals.get()
        } else {
            0
        };
        if self.twin.is(Promise::TokensRise) {
            return Offer::Says(Ok(held.shared.nonce.bits() % 2));
        }
        Offer::Says(match held.is_lost() {
            true => Err("lost".into()),
            false => Ok(u128::from(rank.era) << 64 | u128::from(rank.seq + moved)),
        })
    }

    fn believes(&self, held: &Held) -> Offer<bool> {
        Offer::Says(!held.is_lost())
    }

    fn lost(&self, held: &Held) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        match self.twin.ends {
            Ends::InTime => {}
            Ends::Never => return Some(Box::pin(std::future::pending())),
            Ends::AtOnce => return Some(Box::pin(std::future::ready(()))),
        }
        let told = Rc::new(tokio::sync::Notify::new());
        held.shared.wakers.borrow_mut().push(Rc::clone(&told));
        Some(Box::pin(async move { told.notified().await }))
    }
}

impl Naive {
    /// The twin gives back what it is granted when it does not wait for it any more: by the nonce under which it goes on asking.
    async fn answered(
        &self,
        lock: &LockName,
        nonce: Nonce,
        asked: LeaseRequest,
        patience: Duration,
    ) -> Result<Result<LeaseReply, BoxError>, Elapsed> {
        let mut asked = self.store.clone().oneshot(asked);
        let reply = timeout(patience, &mut asked).await;
        if reply.is_err() && self.twin.is(Promise::SurvivesStall) {
            let (store, lock) = (self.store.clone(), lock.clone());
            tokio::task::spawn_local(async move {
                if let Ok(LeaseReply::Granted(_)) = asked.await {
                    release(store, lock, nonce).await;
                }
            });
        }
        reply
    }

    fn ask_for(&self, lock: &LockName, nonce: Nonce, ttl: Duration) -> LeaseRequest {
        let ttl = if self.twin.is(Promise::Expires) {
            ttl * 5
        } else {
            ttl
        };
        let era = if self.twin.is(Promise::TokensSurviveWipe) {
            0
        } else {
            *self.twin.wipes.lock().unwrap()
        };
        LeaseRequest::Acquire(Acquire {
            lock: lock.clone(),
            nonce,
            ttl: Ttl::try_new(ttl).unwrap(),
            claim: Claim::Above(Rank::new(era, 0)),
            wait: Duration::ZERO,
        })
    }

    fn hold(&self, lock: LockName, nonce: Nonce, rank: Rank, ttl: Duration, sent: Instant) -> Held {
        self.twin
            .last
            .lock()
            .unwrap()
            .insert(lock.to_string(), nonce);
        let shared = Rc::new(Shared {
            lock,
            nonce,
            rank: Cell::new(rank),
            until: Cell::new(sent + ttl.mul_f64(self.rate)),
            is_over: Cell::new(false),
            renewals: Cell::new(0),
            wakers: RefCell::default(),
        });
        let (breaks, store) = (self.twin.breaks, self.store.clone());
        tokio::task::spawn_local(renew(Rc::clone(&shared), breaks, store.clone(), ttl));
        Held {
            shared,
            breaks,
            store,
        }
    }
}

impl Held {
    fn is_lost(&self) -> bool {
        let looks = self.breaks != Some(Promise::TellsAfterPause)
            && self.breaks != Some(Promise::TellsOfPartition);
        self.shared.is_over.get() || looks && Instant::now() >= self.shared.until.get()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.shared.is_over.replace(true) && self.breaks != Some(Promise::ReleasesOnDrop) {
            let shared = &self.shared;
            tokio::task::spawn_local(release(
                self.store.clone(),
                shared.lock.clone(),
                shared.nonce,
            ));
        }
    }
}

async fn release(store: Store, lock: LockName, nonce: Nonce) {
    let _ = store.oneshot(LeaseRequest::Release { lock, nonce }).await;
}

/// Until the lease is over, which it says.
async fn renew(shared: Rc<Shared>, breaks: Option<Promise>, mut store: Store, ttl: Duration) {
    let breaks = |promise| breaks == Some(promise);
    while !shared.is_over.get() && !breaks(Promise::Renews) {
        let left = shared.until.get().saturating_duration_since(Instant::now());
        sleep(left.min(ttl / 5)).await;
        let left = shared.until.get().saturating_duration_since(Instant::now());
        if left.is_zero() && !breaks(Promise::TellsOfPartition) {
            break;
        }
        let sent = Instant::now();
        let renewal = LeaseRequest::Renew(Renew {
            lock: shared.lock.clone(),
            nonce: shared.nonce,
            rank: shared.rank.get(),
            ttl: Ttl::try_new(ttl).unwrap(),
        });
        let most = if breaks(Promise::TellsOfPartition) {
            ttl * 9
        } else {
            left.min(ttl / 5)
        };
        match timeout(most, store.call(renewal)).await {
            Ok(Ok(LeaseReply::Renewed { .. })) => {
                let counts = !breaks(Promise::CountsRenewalsFromSending);
                let sent = if counts { sent } else { Instant::now() };
                shared.until.set(sent + ttl);
                shared.renewals.set(shared.renewals.get() + 1);
            }
            Ok(Ok(_)) if breaks(Promise::TellsOfRevocation) => shared.until.set(sent + ttl),
            Ok(Ok(_)) => break,
            Err(_) if breaks(Promise::Endures) => break,
            _ => {}
        }
    }
    if !breaks(Promise::Renews) {
        shared.is_over.set(true);
    }
    shared
        .wakers
        .borrow()
        .iter()
        .for_each(|told| told.notify_one());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_twin_is_caught_at_what_it_breaks() {
    let mut running = vec![None];
    running.extend(Promise::ALL.map(Some));
    let running = running
        .into_iter()
        .map(|breaks| (breaks, tokio::spawn(examine(Twin::breaking(breaks)))));
    let running: Vec<_> = running.collect();
    let mut wrong = Vec::new();
    for (breaks, report) in running {
        let report = report.await.unwrap();
        let is_right = match breaks {
            None => report.not_kept().next().is_none(),
            Some(promise) => matches!(report.of(promise), Some(Verdict::Broken(_))),
        };
        if !is_right {
            wrong.push(report.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The promises that it saw broken, and by what sign of a loss, if by one.
fn broken(report: &Report) -> Vec<(Promise, Option<&str>)> {
    let broken = report.verdicts().iter().filter_map(|(promise, verdict)| {
        let Verdict::Broken(how) = verdict else {
            return None;
        };
        Some((*promise, how.split('`').nth(1)))
    });
    broken.collect()
}

async fn examined(ends: Ends) -> Report {
    let twin = Twin {
        ends,
        ..Twin::breaking(None)
    };
    examine(twin).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_that_never_ends_is_named_though_believes_is_right() {
    let report = examined(Ends::Never).await;
    let want = [
        Promise::TellsOfPartition,
        Promise::CountsFromSending,
        Promise::CountsRenewalsFromSending,
        Promise::BearsSlowClock,
        Promise::TellsAfterPause,
        Promise::TellsOfRevocation,
    ];
    assert_eq!(broken(&report), want.map(|p| (p, Some("lost"))), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_that_ends_at_once_is_named_though_believes_is_right() {
    let report = examined(Ends::AtOnce).await;
    let want = [
        Promise::Renews,
        Promise::Endures,
        Promise::SurvivesStall,
        Promise::ReleasesItsOwn,
    ];
    assert_eq!(broken(&report), want.map(|p| (p, Some("lost"))), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_excludes_nobody_is_accused_of_nothing_that_rests_on_it() {
    let report = examine(Twin::breaking(Some(Promise::Excludes))).await;
    // The second is true: it hands out the token of the one who has it already.
    let want = [Promise::Excludes, Promise::TokensRise];
    assert_eq!(broken(&report), want.map(|p| (p, None)), "{report}");
    let release = report.of(Promise::ReleasesItsOwn);
    assert!(matches!(release, Some(Verdict::Unable(_))), "{report}");
}
