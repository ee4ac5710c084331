//! What was paid in and taken out within a time, as Finagle keeps it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Slots of the ring: Finagle's.
const SLOTS: usize = 10;

/// What a call pays in: Finagle's scale.
const SCALE: i32 = 1_000;

/// Deposits and withdrawals of the last `ttl`, and a reserve that is there in each.
#[derive(Debug)]
pub(super) struct Window {
    deposit: i64,
    withdrawal: i64,
    reserve: i64,
    slot: Duration,
    ring: Mutex<Ring>,
}

#[derive(Debug)]
struct Ring {
    began: Option<Instant>,
    /// The slots since then.
    now: u64,
    sums: [i64; SLOTS],
}

impl Window {
    /// `ratio` from 0.0 to 1000.0, so that an attempt takes 1 or more.
    pub(super) fn new(ttl: Duration, per_second: u32, ratio: f64) -> Self {
        let (deposit, withdrawal) = if ratio == 0.0 {
            (0, 1)
        } else {
            // The quotient is cut, to 32 bits at most, as Scala's `toInt` does.
            (SCALE, (f64::from(SCALE) / ratio) as i32)
        };
        let (deposit, withdrawal) = (i64::from(deposit), i64::from(withdrawal));
        let guaranteed = i64::from(per_second).saturating_mul(ttl.as_secs() as i64);
        Self {
            deposit,
            withdrawal,
            reserve: guaranteed.saturating_mul(withdrawal),
            slot: ttl / SLOTS as u32,
            ring: Mutex::new(Ring {
                began: None,
                now: 0,
                sums: [0; SLOTS],
            }),
        }
    }

    pub(super) fn deposit(&self) {
        self.ring().put(self.deposit);
    }

    /// When it was taken out, if it was: counted in slots, of which the lower bits tell enough.
    pub(super) fn take(&self) -> Option<u32> {
        let mut ring = self.ring();
        let has = self.reserve.saturating_add(ring.sum()) >= self.withdrawal;
        has.then(|| {
            ring.put(-self.withdrawal);
            ring.now as u32
        })
    }

    /// Into the slot from which it was taken; what passed with that is not owed.
    pub(super) fn give_back(&self, taken: u32) {
        let mut ring = self.ring();
        let age = (ring.now as u32).wrapping_sub(taken);
        if (age as usize) < SLOTS {
            let slot = ring.now - u64::from(age);
            ring.put_at(slot, self.withdrawal);
        }
    }

    /// `None` if there is a reserve, which is one in each `ttl`.
    pub(super) fn ratio(&self) -> Option<f64> {
        (self.reserve == 0).then(|| self.deposit as f64 / self.withdrawal as f64)
    }

    pub(super) fn balance(&self) -> u32 {
        let has = self.reserve.saturating_add(self.ring().sum()) / self.withdrawal;
        u32::try_from(has.max(0)).unwrap_or(u32::MAX)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.turn(Instant::now(), self.slot);
        ring
    }
}

impl Ring {
    /// Empties the slots whose time has passed: ten at most, however long nobody looked.
    fn turn(&mut self, now: Instant, slot: Duration) {
        let began = *self.began.get_or_insert(now);
        let slots = now.saturating_duration_since(began).as_nanos() / slot.as_nanos().max(1);
        let slots = u64::try_from(slots).unwrap_or(u64::MAX);
        let passed = slots.saturating_sub(self.now);
        for next in 1..=passed.min(SLOTS as u64) {
            // Counted back from the newest, of which all are emptied if all have passed.
            self.sums[((slots - next + 1) % SLOTS as u64) as usize] = 0;
        }
        self.now = self.now.max(slots);
    }

    fn put(&mut self, amount: i64) {
        self.put_at(self.now, amount);
    }

    fn put_at(&mut self, slot: u64, amount: i64) {
        let sum = &mut self.sums[(slot % SLOTS as u64) as usize];
        *sum = sum.saturating_add(amount);
    }

    fn sum(&self) -> i64 {
        self.sums.iter().fold(0, |sum, s| sum.saturating_add(*s))
    }
}
