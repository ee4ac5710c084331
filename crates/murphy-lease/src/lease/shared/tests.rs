//! One number, seen from several sides.

use murphy_core::ManualClock;

use super::*;
use crate::{Nonce, Rank};

const SECOND: Duration = Duration::from_secs(1);

/// A lease of ten seconds, on a clock that stands.
fn shared() -> (Shared, ManualClock) {
    let clock = ManualClock::new();
    let sent = clock.now();
    let (lock, nonce) = ("orders".try_into().unwrap(), Nonce::from_bits(7));
    let begun = Begun {
        token: FencingToken::of(lock, Rank::new(0, 1), nonce),
        site: "test".into(),
        clock: Arc::new(clock.clone()),
        sent,
        until: sent + 10 * SECOND,
        is_watched: false,
        window: 10 * SECOND,
    };
    (Shared::new(begun), clock)
}

#[test]
fn it_is_valid_to_the_last_nanosecond_and_not_after() {
    let (shared, clock) = shared();
    clock.advance(10 * SECOND - Duration::from_nanos(1));
    assert!(shared.token().is_ok());
    assert_eq!(shared.remaining(), Duration::from_nanos(1));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(shared.token().unwrap_err().why, Why::Expired);
    assert_eq!(shared.remaining(), Duration::ZERO);
    assert!(shared.lost().is_cancelled());
}

/// The keeper looked at the clock before the end, and somebody else after it, before the keeper said what it had.
#[test]
fn what_somebody_was_told_is_lost_is_not_extended() {
    let (shared, clock) = shared();
    let sent = clock.now();
    clock.advance(10 * SECOND);
    assert!(shared.check().is_err());
    assert!(!shared.extend(sent, sent + 20 * SECOND));
    assert!(shared.check().is_err());
    assert_eq!(shared.remaining(), Duration::ZERO);
}

#[test]
fn what_is_extended_unseen_goes_on() {
    let (shared, clock) = shared();
    let sent = clock.now();
    clock.advance(10 * SECOND);
    assert!(shared.extend(sent, sent + 20 * SECOND));
    assert!(shared.check().is_ok());
    assert!(
        shared.extend(sent, sent + 15 * SECOND),
        "and is not shortened"
    );
    assert_eq!(shared.remaining(), 10 * SECOND);
}

#[test]
fn the_first_reason_stands() {
    for why in [Why::Expired, Why::Refused, Why::Released, Why::Unattended] {
        let (shared, _) = shared();
        assert!(shared.lose(why));
        assert!(!shared.lose(Why::Released));
        assert_eq!(shared.token().unwrap_err().why, why);
        assert_eq!(shared.loss().why, why);
    }
}

#[test]
fn what_has_no_time_is_not_valid_before_its_beginning_either() {
    let clock = ManualClock::new();
    let sent = clock.now() + SECOND;
    let (lock, nonce) = ("orders".try_into().unwrap(), Nonce::from_bits(7));
    let shared = Shared::new(Begun {
        token: FencingToken::of(lock, Rank::new(0, 1), nonce),
        site: "test".into(),
        clock: Arc::new(clock.clone()),
        sent,
        until: sent,
        is_watched: false,
        window: SECOND,
    });
    assert_eq!(shared.remaining(), Duration::ZERO);
    assert!(shared.check().is_err());
}
