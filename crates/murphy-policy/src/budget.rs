//! [`Budget`]: how many extra attempts a service is worth.
//!
//! Retries multiply load exactly when there is least to spare. A budget ties them to the calls
//! that were asked for: each call pays in a fraction of a token, each extra attempt takes out a
//! whole one. With ratio `p` and reserve `r`, of `n` calls that all want more, ⌊p·n⌋ + r get it,
//! where `p` is rounded up to a multiple of 2⁻³².
//!
//! There is no clock in it: an idle budget keeps what it has, never more than its cap. When it is
//! full, which is when all is well, a call pays with one load.
//!
//! # Examples
//!
//! ```
//! use murphy_policy::Budget;
//!
//! let budget = Budget::try_new(0.2, 0)?;
//! for _ in 0..5 {
//!     budget.deposit();
//! }
//! let permit = budget.acquire().expect("five calls at 20 % are one retry");
//! assert!(budget.acquire().is_none());
//! drop(permit); // not sent: returned
//! budget.acquire().expect("it is back").sent();
//! assert_eq!(budget.balance(), 0);
//! # Ok::<(), murphy_policy::BadKnob>(())
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::BadKnob;

/// 2³² units are one attempt, so that a deposit of any ratio is exact to 2⁻³² of an attempt.
const TOKEN: u64 = 1 << 32;

/// A shared account of extra attempts. Clones share it, so that several layers can.
///
/// Every operation is O(1), atomic and takes no lock.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    balance: AtomicU64,
    deposit: u64,
    cap: u64,
    reserve: u32,
    unlimited: bool,
}

impl Budget {
    /// What [`Default`] pays in for each call: a fifth of an attempt.
    pub const DEFAULT_RATIO: f64 = 0.2;
    /// What [`Default`] starts with.
    pub const DEFAULT_RESERVE: u32 = 10;
    /// How many attempts a budget holds unless [`cap`](Self::cap) says otherwise.
    pub const DEFAULT_CAP: u32 = 100;

    /// `ratio` extra attempts per call, 0.0 to 10.0, and `reserve` to begin with.
    ///
    /// The reserve is what lets a service that is seldom called retry at all; it is not renewed by
    /// time. Holds at most [`DEFAULT_CAP`](Self::DEFAULT_CAP) attempts, or the reserve and one
    /// deposit where that is more.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the ratio: `budget.ratio = 20: use 0.0 to 10.0; did you mean 0.2 (20%)?`
    pub fn try_new(ratio: f64, reserve: u32) -> Result<Self, BadKnob> {
        if !(0.0..=10.0).contains(&ratio) {
            let guess = if ratio > 10.0 && ratio <= 100.0 {
                format!("; did you mean {} ({ratio}%)?", ratio / 100.0)
            } else {
                String::new()
            };
            let remedy = format!("use 0.0 to 10.0{guess}");
            return Err(BadKnob::new("budget.ratio", ratio, remedy));
        }
        // Rounded up: five deposits of 0.2 are one attempt, not a hair less than one.
        let deposit = (ratio * TOKEN as f64).ceil() as u64;
        Ok(Self::build(deposit, reserve, Self::DEFAULT_CAP))
    }

    /// One that grants everything and counts nothing: every failure may be repeated, and an outage
    /// multiplies the load by the attempts.
    #[must_use]
    pub fn unlimited() -> Self {
        // Full at nothing, so that a deposit is one load here as well.
        Self(Arc::new(Account {
            balance: AtomicU64::new(0),
            deposit: 0,
            cap: 0,
            reserve: 0,
            unlimited: true,
        }))
    }

    /// A new account with the same ratio and reserve that holds at most `attempts`; never less
    /// than the reserve and one deposit, so that neither is lost. Clones made before keep theirs;
    /// what is unlimited stays so.
    #[must_use]
    pub fn cap(self, attempts: u32) -> Self {
        if self.0.unlimited {
            return self;
        }
        Self::build(self.0.deposit, self.0.reserve, attempts)
    }

    fn build(deposit: u64, reserve: u32, cap: u32) -> Self {
        let start = u64::from(reserve) * TOKEN;
        Self(Arc::new(Account {
            balance: AtomicU64::new(start),
            deposit,
            cap: (u64::from(cap) * TOKEN).max(start.saturating_add(deposit)),
            reserve,
            unlimited: false,
        }))
    }

    /// Pays in for one call.
    #[inline]
    pub fn deposit(&self) {
        if self.0.balance.load(Relaxed) < self.0.cap {
            self.put(self.0.deposit);
        }
    }

    /// Takes out one attempt, if there is one. Never waits.
    #[must_use = "dropping the permit returns it"]
    pub fn acquire(&self) -> Option<Permit> {
        if self.0.unlimited {
            return Some(Permit(None));
        }
        self.0
            .balance
            .fetch_update(Relaxed, Relaxed, |balance| balance.checked_sub(TOKEN))
            .ok()
            .map(|_| Permit(Some(self.clone())))
    }

    /// How many whole attempts could be taken out now.
    #[must_use]
    pub fn balance(&self) -> u32 {
        if self.0.unlimited {
            return u32::MAX;
        }
        // Below 2⁶⁴ / 2³².
        (self.0.balance.load(Relaxed) / TOKEN) as u32
    }

    fn put(&self, amount: u64) {
        // Fails, changing nothing, when it is full.
        let _ = self.0.balance.fetch_update(Relaxed, Relaxed, |balance| {
            (balance < self.0.cap).then(|| balance.saturating_add(amount).min(self.0.cap))
        });
    }
}

impl Default for Budget {
    /// A fifth of an attempt per call, ten to begin with, at most a hundred.
    fn default() -> Self {
        // 0.2 rounded up, as in `try_new`.
        Self::build(
            (Self::DEFAULT_RATIO * TOKEN as f64).ceil() as u64,
            Self::DEFAULT_RESERVE,
            Self::DEFAULT_CAP,
        )
    }
}

/// The right to one extra attempt. Returned to its budget when it is dropped before
/// [`sent`](Self::sent).
#[derive(Debug)]
#[must_use = "dropping the permit returns it"]
pub struct Permit(Option<Budget>);

impl Permit {
    /// The attempt leaves: the permit is used up.
    pub fn sent(mut self) {
        self.0 = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(budget) = self.0.take() {
            budget.put(TOKEN);
        }
    }
}
