//! A share of the calls, saved up: exact, atomic, without a clock.
//!
//! Two sums make the balance: what was paid in less what was taken out. Whoever pays in writes a word
//! that no other thread writes, which takes no locked instruction; whoever takes out reads all of them,
//! and moves one word that is everybody's. One locked instruction is the least that this can take: of
//! two who want the last attempt, one must see the other (Attiya et al., *Laws of Order*, POPL 2011).

use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use super::paid::Paid;

/// 2³¹ units are one attempt. Deposits are even, so that one of any ratio is exact to 2⁻³⁰ of an
/// attempt, and the lowest bit of any sum is free.
pub(super) const TOKEN: u64 = 1 << 31;

/// The bit in what was spent that says: nothing needs to be paid in.
const FULL: u64 = 1;

#[derive(Debug)]
pub(super) struct Tokens {
    /// What was taken out, and what was forgotten since it was above the cap, less the reserve.
    ///
    /// Nobody moves it but in one step from what it was, so that whoever reads it (first) sees all
    /// that was paid in (read then) by which it came to be: it is never ahead of that.
    spent: AtomicU64,
    paid: Paid,
    deposit: u64,
    cap: u64,
    /// Whoever pays in looks whether it is full once in so many units: 32 to 64 deposits.
    stride: u64,
    reserve: u32,
}

impl Tokens {
    /// Of at most `cap` attempts; never less than the reserve and one deposit, so that neither is
    /// lost. `deposit` is in units, and even.
    pub(super) fn new(deposit: u64, reserve: u32, cap: u32) -> Self {
        let start = u64::from(reserve) * TOKEN;
        Self {
            spent: AtomicU64::new(start.wrapping_neg()),
            paid: Paid::default(),
            deposit,
            cap: (u64::from(cap) * TOKEN).max(start + deposit),
            stride: (deposit * 32).next_power_of_two(),
            reserve,
        }
    }

    /// A new one with the same ratio and reserve.
    pub(super) fn capped(&self, cap: u32) -> Self {
        Self::new(self.deposit, self.reserve, cap)
    }

    /// One load where it is full, which is when all is well; else no more than loads and a store.
    ///
    /// What is above the cap is forgotten by whoever takes out next. Until then only more comes, so
    /// that it is all the same as if it had never been paid in.
    #[inline]
    pub(super) fn deposit(&self) {
        if self.is_full() {
            return;
        }
        let (before, after) = self.paid.add(self.deposit);
        if before ^ after >= self.stride {
            self.look();
        }
    }

    /// Whether it is known to be full: at the latest 64 deposits of a thread after it is.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.spent.load(Relaxed) & FULL != 0
    }

    /// One locked instruction, if there is an attempt; else none.
    #[inline]
    pub(super) fn take(&self) -> bool {
        let one_more = |spent: u64| {
            let has = self.has(spent);
            let kept = has.min(self.cap);
            (kept >= TOKEN).then(|| (spent & !FULL).wrapping_add(has - kept + TOKEN))
        };
        self.spent.fetch_update(AcqRel, Acquire, one_more).is_ok()
    }

    pub(super) fn give_back(&self) {
        self.spent.fetch_sub(TOKEN, AcqRel);
    }

    pub(super) fn ratio(&self) -> f64 {
        self.deposit as f64 / TOKEN as f64
    }

    pub(super) const fn reserve(&self) -> u32 {
        self.reserve
    }

    pub(super) fn balance(&self) -> u32 {
        let has = self.has(self.spent.load(Acquire)).min(self.cap);
        // A reserve and a deposit can be more than there are numbers for.
        u32::try_from(has / TOKEN).unwrap_or(u32::MAX)
    }

    /// What there is, and what is above the cap.
    #[inline]
    fn has(&self, spent: u64) -> u64 {
        self.paid.sum().wrapping_sub(spent & !FULL)
    }

    #[cold]
    #[inline(never)]
    fn look(&self) {
        let spent = self.spent.load(Acquire);
        if self.has(spent) >= self.cap {
            // If somebody took out meanwhile it is not full, or somebody else will see it.
            let full = spent | FULL;
            let _ = self.spent.compare_exchange(spent, full, AcqRel, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of which so much was paid in and taken out already.
    fn after(turnover: u64, deposit: u64, reserve: u32, cap: u32) -> Tokens {
        let mut tokens = Tokens::new(deposit, reserve, cap);
        tokens.paid.add(turnover);
        *tokens.spent.get_mut() = tokens.spent.get_mut().wrapping_add(turnover);
        tokens
    }

    fn units(tokens: &Tokens) -> u64 {
        tokens.has(tokens.spent.load(Relaxed)).min(tokens.cap)
    }

    proptest! {
        #[test]
        fn it_is_to_the_unit_what_one_capped_sum_would_be_even_where_sums_wrap(
            turnover in any::<u32>().prop_map(|n| u64::from(n).wrapping_sub(1 << 31).wrapping_mul(2)),
            deposit in prop_oneof![0..TOKEN / 2, 0..=5 * TOKEN].prop_map(|half| half * 2),
            reserve in 0..3_u32,
            cap in prop_oneof![0..2_u32, 0..20_u32],
            moves in prop::collection::vec((0..100_u32, 0..4_u32, any::<bool>()), 0..60),
        ) {
            let tokens = after(turnover, deposit, reserve, cap);
            let mut model = u64::from(reserve) * TOKEN;
            for (deposits, takes, back) in moves {
                for _ in 0..deposits {
                    tokens.deposit();
                    model = (model + deposit).min(tokens.cap);
                }
                for _ in 0..takes {
                    let taken = tokens.take();
                    prop_assert_eq!(taken, model >= TOKEN);
                    model -= if taken { TOKEN } else { 0 };
                    if taken && back {
                        tokens.give_back();
                        model += TOKEN;
                    }
                }
                prop_assert_eq!(units(&tokens), model);
                prop_assert!(!tokens.is_full() || model == tokens.cap);
            }
        }

        #[test]
        fn it_is_known_to_be_full_within_64_deposits(
            deposit in (1..=5 * TOKEN).prop_map(|half| half * 2),
            turnover in any::<u32>().prop_map(|half| u64::from(half) * 2),
        ) {
            let tokens = after(turnover, deposit, 1, 1);
            // The reserve and one deposit are the cap.
            (0..65).for_each(|_| tokens.deposit());
            prop_assert!(tokens.is_full());
            prop_assert!(tokens.take());
            prop_assert!(!tokens.is_full());
        }
    }

    #[test]
    fn the_greatest_balance_is_the_greatest_number() {
        let tokens = Tokens::new(TOKEN, u32::MAX, 0);
        tokens.deposit();
        assert_eq!(tokens.balance(), u32::MAX);
    }

    #[test]
    fn nothing_is_paid_in_where_it_is_known_to_be_full() {
        let tokens = Tokens::new(TOKEN, 0, 2);
        (0..1_000).for_each(|_| tokens.deposit());
        assert!(tokens.is_full());
        let paid = tokens.paid.sum();
        assert!(paid <= 64 * TOKEN);
        tokens.deposit();
        assert_eq!(tokens.paid.sum(), paid);
    }
}
