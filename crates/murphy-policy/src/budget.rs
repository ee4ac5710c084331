//! [`Budget`]: how many extra attempts a service is worth.
//!
//! Retries multiply load exactly when there is least to spare. A budget ties them to the calls
//! that were asked for: each call pays in a fraction of a token, each extra attempt takes out a
//! whole one. With ratio `p` and reserve `r`, of `n` calls that all want more, ⌊p·n⌋ + r get it,
//! where `p` is rounded up to a multiple of 2⁻³⁰.
//!
//! There is no clock in it: an idle budget keeps what it has, never more than its cap. When it is
//! full, which is when all is well, a call pays with one load. Until then it pays with a plain store
//! where no other thread writes; an attempt that is granted takes one compare-and-swap, and one that
//! is not takes none. (Of the threads that live at one time fifteen have a word of their own, in all
//! budgets; the others share one, and pay with an atomic addition.)
//!
//! Other ways to count are one constructor away, for those who know them from elsewhere:
//!
//! | | an extra attempt is granted | takes, and gives back |
//! |---|---|---|
//! | [`try_new`](Budget::try_new) | while a whole one is saved | a call pays in `ratio` |
//! | [`in_flight`](Budget::in_flight) | while fewer are under way than `ratio` of the calls | its end frees it (Envoy) |
//! | [`aws_standard`](Budget::aws_standard) | while 500 tokens last | 5, a timeout 10; a success gives its cost back |
//! | [`aws_standard_2_1`](Budget::aws_standard_2_1) | the same | 14, throttled 5 |
//! | [`grpc`](Budget::grpc) | while more than half the tokens are left | a failure 1; a success gives `ratio` back (A6) |
//! | [`finagle`](Budget::finagle) | while what was paid in within `ttl` is more than what was taken | a call pays in `ratio`, and so many a second are free |
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

mod in_flight;
mod paid;
mod partition;
mod peers;
mod permit;
mod place;
mod presets;
mod tokens;
mod window;

use std::sync::Arc;

use murphy_core::Scope;

use self::in_flight::InFlight;
pub use self::partition::Budgets;
use self::peers::{Grpc, Standard};
pub use self::permit::{Begun, Permit, Spent};
use self::tokens::{TOKEN, Tokens};
use self::window::Window;
use crate::{BadKnob, Kind};

/// A shared account of extra attempts. Clones share it, so that several layers can.
///
/// Every operation is O(1) after any time. All are atomic and take no lock, but for those of
/// [`finagle`](Self::finagle), which take one and read the clock.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
enum Account {
    Tokens(Tokens),
    Unlimited,
    InFlight(InFlight),
    Standard(Standard),
    Grpc(Grpc),
    Window(Window),
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
        let deposit = units(ratio)?;
        Ok(Self::of(Account::Tokens(Tokens::new(
            deposit,
            reserve,
            Self::DEFAULT_CAP,
        ))))
    }

    /// One that grants everything and counts nothing: every failure may be repeated, and an outage
    /// multiplies the load by the attempts.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::of(Account::Unlimited)
    }

    /// A new account with the same ratio and reserve that holds at most `attempts`; never less
    /// than the reserve and one deposit, so that neither is lost. Clones made before keep theirs;
    /// of what is not made by [`try_new`](Self::try_new), nothing is changed.
    #[must_use]
    pub fn cap(self, attempts: u32) -> Self {
        match &*self.0 {
            Account::Tokens(tokens) => Self::of(Account::Tokens(tokens.capped(attempts))),
            _ => self,
        }
    }

    fn of(account: Account) -> Self {
        Self(Arc::new(account))
    }

    /// Pays in for one call.
    #[inline]
    pub fn deposit(&self) {
        match &*self.0 {
            Account::Tokens(tokens) => tokens.deposit(),
            Account::Window(window) => window.deposit(),
            _ => {}
        }
    }

    /// Pays in for one call that begins, and counts it as under way until what this returns is
    /// dropped.
    ///
    /// A call that repeats another ([`Scope::attempt`](murphy_core::Scope::attempt) is not the first)
    /// pays nothing and counts for nothing: what was asked for is one call, however many layers
    /// repeat it.
    #[inline]
    pub fn begin(&self) -> Begun {
        match &*self.0 {
            Account::Tokens(tokens) if tokens.is_full() => Begun::NOBODY,
            _ => self.begin_one(),
        }
    }

    #[inline(never)]
    fn begin_one(&self) -> Begun {
        let is_first = || Scope::current().attempt() == 1;
        match &*self.0 {
            Account::Unlimited => return Begun::NOBODY,
            Account::Tokens(tokens) => {
                if is_first() {
                    tokens.deposit();
                }
                return Begun::NOBODY;
            }
            Account::InFlight(_) if !is_first() => return Begun::NOBODY,
            Account::InFlight(in_flight) => {
                in_flight.begin();
                return Begun::counted(self.clone());
            }
            Account::Window(window) if is_first() => window.deposit(),
            Account::Window(_) | Account::Standard(_) | Account::Grpc(_) => {}
        }
        Begun::followed(self.clone())
    }

    /// As [`begin`](Self::begin), and the call remembers whose budget it is.
    pub(crate) fn begin_own(self) -> Begun {
        match self.begin() {
            begun if begun.budget().is_some() => begun,
            _ => Begun::followed(self),
        }
    }

    /// A call succeeded at its first attempt.
    #[inline]
    pub fn succeeded(&self) {
        match &*self.0 {
            Account::Standard(standard) => standard.put(1),
            Account::Grpc(grpc) => grpc.succeeded(),
            _ => {}
        }
    }

    /// An attempt failed in a way that is worth another, or the peer asked not to be asked again.
    #[inline]
    pub fn failed(&self) {
        if let Account::Grpc(grpc) = &*self.0 {
            grpc.failed();
        }
    }

    /// Takes out one attempt, if there is one. Never waits.
    #[inline]
    pub fn acquire(&self) -> Option<Permit<'_>> {
        self.acquire_after(Kind::Transient)
    }

    /// As [`acquire`](Self::acquire), for an attempt after one that failed like this: some are
    /// dearer.
    #[inline]
    pub fn acquire_after(&self, kind: Kind) -> Option<Permit<'_>> {
        let mut cost = 1;
        let granted = match &*self.0 {
            Account::Unlimited => {
                return Some(Permit { budget: None, cost });
            }
            Account::Tokens(tokens) => tokens.take(),
            Account::InFlight(in_flight) => in_flight.take(),
            Account::Standard(standard) => {
                cost = standard.cost(kind);
                standard.take(cost)
            }
            Account::Grpc(grpc) => grpc.open(),
            Account::Window(window) => window.take().map(|slot| cost = slot).is_some(),
        };
        // Not made unless it is granted: dropped, it would give back what was not taken.
        granted.then(|| Permit {
            budget: Some(self),
            cost,
        })
    }

    /// Whether an attempt after one that failed like this could be taken out now.
    pub(crate) fn affords(&self, kind: Kind) -> bool {
        match &*self.0 {
            Account::Standard(standard) => standard.tokens() >= standard.cost(kind),
            _ => self.balance() > 0,
        }
    }

    /// How many extra attempts a call it grants to a retry in the long run, at most, whatever comes of
    /// them; [`reserve`](Self::reserve) more, once.
    ///
    /// | | | since |
    /// |---|---|---|
    /// | [`try_new`](Self::try_new) | its ratio | each takes what calls paid in |
    /// | [`aws_standard`](Self::aws_standard), both | 1 | what fails is paid for; of a call one succeeds, and that gives its cost back |
    /// | [`grpc`](Self::grpc) | its ratio | each follows a failure, and of a call one succeeds |
    /// | [`finagle`](Self::finagle) without `per_second` | what its integers make of its ratio | as the first |
    ///
    /// `None` if nothing bounds them: [`unlimited`](Self::unlimited); [`finagle`](Self::finagle), where
    /// few calls share what is free in each second; and [`in_flight`](Self::in_flight), where an attempt
    /// that ended frees its place, so that a lone caller's calls can be repeated each.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        match &*self.0 {
            Account::Tokens(tokens) => Some(tokens.ratio()),
            Account::Standard(_) => Some(1.0),
            Account::Grpc(grpc) => Some(grpc.ratio()),
            Account::Window(window) => window.ratio(),
            Account::InFlight(_) | Account::Unlimited => None,
        }
    }

    /// How many extra attempts it grants beyond its [`ratio`](Self::ratio), once. 0 if that is `None`.
    #[must_use]
    pub fn reserve(&self) -> u32 {
        match &*self.0 {
            Account::Tokens(tokens) => tokens.reserve(),
            Account::Standard(standard) => standard.reserve(),
            Account::Grpc(grpc) => grpc.reserve(),
            Account::Window(_) | Account::InFlight(_) | Account::Unlimited => 0,
        }
    }

    /// Whether each extra attempt costs the same, whatever led to it and whatever comes of it: then it
    /// does not matter how many layers take them out.
    pub(crate) fn charges_each(&self) -> bool {
        matches!(&*self.0, Account::Tokens(_) | Account::Window(_))
    }

    /// Whether the two are one account.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many whole attempts could be taken out now, the dearest.
    #[must_use]
    pub fn balance(&self) -> u32 {
        match &*self.0 {
            Account::Tokens(tokens) => tokens.balance(),
            Account::Unlimited => u32::MAX,
            Account::InFlight(in_flight) => in_flight.balance(),
            Account::Standard(standard) => standard.tokens() / standard.dearest(),
            Account::Grpc(grpc) => grpc.balance(),
            Account::Window(window) => window.balance(),
        }
    }

    /// A permit that was not used.
    fn give_back(&self, cost: u32) {
        match &*self.0 {
            Account::Tokens(tokens) => tokens.give_back(),
            Account::InFlight(in_flight) => in_flight.give_back(),
            Account::Standard(standard) => standard.put(cost),
            Account::Window(window) => window.give_back(cost),
            Account::Grpc(_) | Account::Unlimited => {}
        }
    }

    /// Whether it wants to know what becomes of an extra attempt.
    fn follows_attempts(&self) -> bool {
        matches!(
            &*self.0,
            Account::InFlight(_) | Account::Standard(_) | Account::Grpc(_)
        )
    }

    /// An extra attempt succeeded.
    fn reward(&self, cost: u32) {
        match &*self.0 {
            Account::Grpc(grpc) => grpc.succeeded(),
            _ => self.refund(cost),
        }
    }

    fn refund(&self, cost: u32) {
        if let Account::Standard(standard) = &*self.0 {
            standard.put(cost);
        }
    }

    fn attempt_ended(&self) {
        if let Account::InFlight(in_flight) = &*self.0 {
            in_flight.give_back();
        }
    }

    fn call_ended(&self) {
        if let Account::InFlight(in_flight) = &*self.0 {
            in_flight.end();
        }
    }
}

/// A ratio in units of an attempt, [`TOKEN`] of them.
fn units(ratio: f64) -> Result<u64, BadKnob> {
    if !(0.0..=10.0).contains(&ratio) {
        let guess = if ratio > 10.0 && ratio <= 100.0 {
            format!("; did you mean {} ({ratio}%)?", ratio / 100.0)
        } else {
            String::new()
        };
        let remedy = format!("use 0.0 to 10.0{guess}");
        return Err(BadKnob::new("budget.ratio", ratio, remedy));
    }
    Ok(rounded(ratio))
}

/// Up, to an even number: five deposits of 0.2 are one attempt, not a hair less than one.
fn rounded(ratio: f64) -> u64 {
    (ratio * (TOKEN / 2) as f64).ceil() as u64 * 2
}

impl Default for Budget {
    /// A fifth of an attempt per call, ten to begin with, at most a hundred.
    fn default() -> Self {
        Self::of(Account::Tokens(Tokens::new(
            rounded(Self::DEFAULT_RATIO),
            Self::DEFAULT_RESERVE,
            Self::DEFAULT_CAP,
        )))
    }
}
