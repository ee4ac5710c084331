//! The budget against its formula, a model and threads.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use murphy_policy::Budget;
use proptest::prelude::*;

fn drain(budget: &Budget) -> u64 {
    std::iter::from_fn(|| budget.acquire().map(murphy_policy::Permit::sent)).count() as u64
}

/// What `calls` calls that all want as much as they can get are granted.
fn granted(ratio: f64, reserve: u32, calls: u64) -> u64 {
    let budget = Budget::try_new(ratio, reserve).unwrap();
    let mut granted = 0;
    for _ in 0..calls {
        budget.deposit();
        granted += drain(&budget);
    }
    granted
}

#[test]
fn whole_fractions_are_exact() {
    for (ratio, reserve, calls, want) in [
        (0.2, 0, 5, 1),
        (0.2, 10, 100, 30),
        (0.6, 0, 10, 6),
        (0.75, 0, 4, 3),
        (0.9, 0, 1_000, 900),
        (0.1, 0, 1_000_000, 100_000),
        (1.0, 0, 7, 7),
        (2.0, 3, 7, 17),
        (0.0001, 0, 10_000, 1),
        (0.0001, 0, 9_999, 0),
        (0.0, 5, 1_000, 5),
    ] {
        assert_eq!(granted(ratio, reserve, calls), want, "{ratio} of {calls}");
    }
}

#[test]
fn a_ratio_that_cannot_be_is_named_with_a_guess() {
    for (ratio, says) in [
        (
            20.0,
            "`budget.ratio = 20`: use 0.0 to 10.0; did you mean 0.2 (20%)?",
        ),
        (-0.1, "`budget.ratio = -0.1`: use 0.0 to 10.0"),
        (f64::NAN, "`budget.ratio = NaN`: use 0.0 to 10.0"),
        (f64::INFINITY, "`budget.ratio = inf`: use 0.0 to 10.0"),
    ] {
        assert_eq!(Budget::try_new(ratio, 0).unwrap_err().to_string(), says);
    }
}

#[test]
fn a_dropped_permit_is_returned_and_a_sent_one_is_not() {
    let budget = Budget::try_new(0.0, 1).unwrap();
    drop(budget.acquire().unwrap());
    assert_eq!(budget.balance(), 1);
    budget.acquire().unwrap().sent();
    assert_eq!(budget.balance(), 0);
    assert!(budget.acquire().is_none());
}

#[test]
fn what_is_saved_is_capped() {
    let budget = Budget::try_new(0.5, 3).unwrap().cap(7);
    for _ in 0..1_000 {
        budget.deposit();
    }
    assert_eq!(budget.balance(), 7);
    // Not below what it starts with.
    assert_eq!(Budget::try_new(0.5, 30).unwrap().cap(0).balance(), 30);
}

#[test]
fn an_unlimited_one_grants_everything() {
    let budget = Budget::unlimited().cap(0);
    budget.deposit();
    for _ in 0..1_000 {
        budget.acquire().unwrap().sent();
        drop(budget.acquire().unwrap());
    }
    assert_eq!(budget.balance(), u32::MAX);
}

#[test]
fn clones_share_and_threads_are_counted_exactly() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 50_000;
    let budget = Budget::try_new(0.3, 10).unwrap();
    let granted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (budget, granted) = (budget.clone(), &granted);
            scope.spawn(move || {
                for call in 0..CALLS {
                    budget.deposit();
                    while let Some(permit) = budget.acquire() {
                        if (call + thread) % 7 == 0 {
                            break; // not sent after all: dropped
                        }
                        permit.sent();
                        granted.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    let granted = granted.into_inner() + drain(&budget);
    assert_eq!(granted, THREADS * CALLS * 3 / 10 + 10);
}

#[test]
fn threads_neither_pass_the_cap_nor_spend_what_was_not_paid_in() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 20_000;
    let budget = Budget::try_new(0.3, 2).unwrap().cap(3);
    let granted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (budget, granted) = (budget.clone(), &granted);
            scope.spawn(move || {
                for call in 0..CALLS {
                    budget.deposit();
                    let permit = budget.acquire();
                    assert!(budget.balance() <= 3);
                    // Every other one is returned, into an account that others may have filled.
                    if let Some(permit) = permit.filter(|_| (call + thread) % 2 == 0) {
                        permit.sent();
                        granted.fetch_add(1, Relaxed);
                    }
                    assert!(budget.balance() <= 3);
                }
            });
        }
    });
    let granted = granted.into_inner() + drain(&budget);
    assert!(granted <= THREADS * CALLS * 3 / 10 + 2, "{granted}");
}

#[test]
fn what_more_threads_pay_in_than_have_a_word_of_their_own_is_counted_and_stays_when_they_end() {
    const THREADS: usize = 24;
    const CALLS: u64 = 20_000;
    let budget = Budget::try_new(0.5, 0).unwrap().cap(u32::MAX);
    let together = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                budget.deposit();
                together.wait();
                (1..CALLS).for_each(|_| budget.deposit());
            });
        }
    });
    // One after the other: each in the word of one that ended.
    for _ in 0..THREADS {
        std::thread::scope(|scope| _ = scope.spawn(|| budget.deposit()));
    }
    assert_eq!(drain(&budget), THREADS as u64 * (CALLS + 1) / 2);
}

#[test]
fn a_budget_that_threads_filled_and_emptied_at_once_takes_all_that_comes_after() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 200;
    for _ in 0..ROUNDS {
        let budget = Budget::try_new(0.5, 1).unwrap().cap(4);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let budget = &budget;
                scope.spawn(move || {
                    for call in 0..300 {
                        budget.deposit();
                        if (call + thread) % 3 == 0 {
                            drop(budget.acquire());
                        }
                        if (call + thread) % 5 == 0 {
                            _ = budget.acquire().map(murphy_policy::Permit::sent);
                        }
                    }
                });
            }
        });
        (0..8).for_each(|_| budget.deposit());
        assert_eq!(budget.balance(), 4);
        drain(&budget);
        // Half of one may be left.
        for whole in 1..=4 {
            budget.deposit();
            budget.deposit();
            assert_eq!(budget.balance(), whole);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Deposit,
    Send,
    Cancel,
}

proptest! {
    #[test]
    fn granted_is_the_floor_of_ratio_times_calls_and_the_reserve(
        ratio in 0.0001..=2.0_f64,
        reserve in 0..50_u32,
        calls in 1..5_000_u64,
    ) {
        let want = (ratio * calls as f64).floor() as i64 + i64::from(reserve);
        let got = granted(ratio, reserve, calls) as i64;
        prop_assert!((got - want).abs() <= 1, "{} for {}", got, want);
    }

    #[test]
    fn it_follows_its_model(
        thousandths in 0..=2_000_u32,
        reserve in 0..20_u32,
        cap in 0..40_u32,
        moves in prop::collection::vec(
            prop_oneof![Just(Move::Deposit), Just(Move::Send), Just(Move::Cancel)],
            0..400,
        ),
    ) {
        let ratio = f64::from(thousandths) / 1_000.0;
        let budget = Budget::try_new(ratio, reserve).unwrap().cap(cap);
        let most = f64::from(cap).max(f64::from(reserve) + ratio);
        let mut model = f64::from(reserve);
        for (i, step) in moves.into_iter().enumerate() {
            match step {
                Move::Deposit => {
                    budget.deposit();
                    model = (model + ratio).min(most);
                }
                Move::Send => {
                    let permit = budget.acquire();
                    prop_assert_eq!(permit.is_some(), model >= 1.0 - 1e-6, "move {}", i);
                    if let Some(permit) = permit {
                        permit.sent();
                        model -= 1.0;
                    }
                }
                Move::Cancel => drop(budget.acquire()),
            }
            prop_assert_eq!(budget.balance(), (model + 1e-6).floor() as u32, "move {}", i);
        }
    }

    #[test]
    fn no_ratio_reserve_or_cap_panics(
        ratio in any::<f64>(),
        reserve in any::<u32>(),
        cap in any::<u32>(),
    ) {
        if let Ok(budget) = Budget::try_new(ratio, reserve) {
            let budget = budget.cap(cap);
            budget.deposit();
            prop_assert!(budget.balance() >= reserve);
            drop(budget.acquire());
        }
    }
}
