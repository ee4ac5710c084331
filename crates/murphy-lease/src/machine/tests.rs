//! The machine against tables, and against a naive count of what it may believe.

use murphy_core::Seed;
use proptest::prelude::*;

use super::*;
use crate::Nonce;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn terms(ttl: Ttl, renewal: Renewal) -> Terms {
    Terms {
        ttl,
        validity: Validity::default(),
        renewal,
        pace: Pace::new(Seed::new(7), "test").of(Nonce::from_bits(7)),
    }
}

/// A lease of ten seconds, granted at once, and when.
fn granted(renewal: Renewal) -> (Machine, Instant) {
    let (now, ttl) = (Instant::now(), Ttl::from_secs(10));
    let machine = Machine::new(terms(ttl, renewal), now, now, ttl.get());
    (machine, now)
}

/// Until it is to do something, at most until then; and when that is.
fn until_due(machine: &mut Machine, mut now: Instant, most: Instant) -> (Todo, Instant) {
    loop {
        match machine.todo(now) {
            Todo::Wait(at) if at <= most => {
                assert!(at > now, "no wait is none");
                now = at;
            }
            todo => return (todo, now),
        }
    }
}

proptest! {
    #[test]
    fn while_it_rests_it_has_nothing_to_do(
        ttl in 3u32..100_000, granted in 1u64..200_000, late in 0u64..100_000, nonce: u128,
        ppm in 0.0..900_000.0f64, margin in 0u64..1_000, renewal in 0..3,
    ) {
        let renewal = [Renewal::Auto, Renewal::Never, Renewal::WhileProgress(ms(5))][renewal as usize];
        let drift = murphy_core::clock::Drift::ppm(ppm).unwrap();
        let terms = Terms {
            validity: Validity::default().drift(drift).margin(ms(margin)),
            pace: Pace::new(Seed::new(7), "test").of(Nonce::from_bits(nonce)),
            ..terms(Ttl::from_millis(ttl), renewal)
        };
        let (sent, granted) = (Instant::now(), ms(granted));
        let now = sent + ms(late);
        let rests = terms.rests(sent, granted).filter(|at| *at > now);
        let mut machine = Machine::new(terms, sent, now, granted);
        if let Some(rests) = rests {
            prop_assert!(rests < machine.until());
            let todo = machine.todo(rests - Duration::from_nanos(1));
            prop_assert!(matches!(todo, Todo::Wait(at) if at >= rests), "{todo:?} at {rests:?}");
        }
    }
}

#[test]
fn what_is_due_when() {
    for (name, renewal, due) in [
        (
            "nobody answers",
            Renewal::Auto,
            "renew give-up renew warn give-up renew give-up",
        ),
        ("nothing is asked for", Renewal::Never, "warn stop"),
        (
            "the work stands still",
            Renewal::WhileProgress(ms(100)),
            "warn stop",
        ),
    ] {
        let (mut machine, mut now) = granted(renewal);
        let (end, mut seen) = (machine.until(), Vec::new());
        loop {
            let (todo, at) = until_due(&mut machine, now, end);
            now = at;
            seen.push(match todo {
                Todo::Renew => {
                    machine.sent(now);
                    "renew"
                }
                Todo::GiveUp => {
                    machine.failed(now);
                    "give-up"
                }
                Todo::Warn => "warn",
                Todo::Stop(Why::Expired) => break,
                other => panic!("{name}: {other:?}"),
            });
        }
        seen.push("stop");
        assert!(seen.join(" ").starts_with(due), "{name}: {seen:?}");
        assert_eq!(now, end, "{name}");
    }
}

#[test]
fn the_phases_are_left_as_the_picture_says() {
    let (mut machine, now) = granted(Renewal::Never);
    assert_eq!(machine.phase(), Phase::Valid);
    let late = now + ms(7_000);
    assert_eq!(machine.todo(late), Todo::Warn);
    assert_eq!(machine.phase(), Phase::Expiring);
    assert!(
        matches!(machine.todo(late), Todo::Wait(_)),
        "it is said once"
    );
    machine.wish(late);
    assert_eq!(machine.todo(late), Todo::Renew);
    machine.sent(late);
    assert!(machine.renewed(late, ms(10_000)));
    assert_eq!(machine.phase(), Phase::Valid);
    machine.lose(Why::Refused);
    machine.lose(Why::Released);
    assert_eq!(
        machine.phase(),
        Phase::Lost(Why::Refused),
        "the first stands"
    );
    assert_eq!(machine.todo(now), Todo::Stop(Why::Refused));
}

#[test]
fn a_late_success_brings_nothing_back() {
    let (mut machine, now) = granted(Renewal::Auto);
    machine.sent(now + ms(9_000));
    let end = machine.until();
    assert!(
        !machine.renewed(end, ms(10_000)),
        "not in the instant in which it ends"
    );
    assert_eq!(machine.todo(end), Todo::Stop(Why::Expired));
    assert_eq!(machine.until(), end);
    let (mut machine, now) = granted(Renewal::Auto);
    machine.sent(now + ms(9_000));
    let last = machine.until() - Duration::from_nanos(1);
    assert!(machine.renewed(last, ms(10_000)), "but in the one before");
    assert!(machine.until() > end);
}

#[test]
fn an_answer_to_nothing_is_none() {
    let (mut machine, now) = granted(Renewal::Auto);
    let end = machine.until();
    assert!(!machine.renewed(now + ms(5_000), ms(10_000)));
    assert_eq!(machine.until(), end);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let (mut machine, now) = granted(Renewal::Auto);
    let (end, later) = (machine.until(), now + ms(4_000));
    assert_eq!(machine.todo(later), Todo::Renew);
    machine.sent(now);
    assert_eq!(machine.todo(now), Todo::Wait(later + ms(10_000) / 6));
    // What was sent at an earlier instant gives no more than from then.
    assert!(machine.renewed(later, ms(10_000)));
    assert_eq!(machine.until(), end);
    assert_eq!(machine.todo(end), Todo::Stop(Why::Expired));
    assert_eq!(machine.todo(now), Todo::Stop(Why::Expired), "for good");
}

#[test]
fn a_lease_of_which_most_is_gone_is_renewed_at_once() {
    let (sent, ttl) = (Instant::now(), Ttl::from_secs(10));
    for (waited, left, at_once) in [
        (ms(0), ms(10_000), false),
        (ms(2_500), ms(10_000), false),
        (ms(4_000), ms(10_000), true),
        (ms(0), ms(6_000), true),
    ] {
        let now = sent + waited;
        let mut machine = Machine::new(terms(ttl, Renewal::Auto), sent, now, left);
        let todo = machine.todo(now);
        let todo = if todo == Todo::Warn {
            machine.todo(now)
        } else {
            todo
        };
        assert_eq!(todo == Todo::Renew, at_once, "{waited:?} {left:?}");
    }
}

#[test]
fn a_store_that_grants_hardly_anything_is_not_asked_without_pause() {
    let (mut machine, mut now) = granted(Renewal::Auto);
    let (mut asked, end) = (0, machine.until());
    while now < machine.until() && asked < 1000 {
        match machine.todo(now) {
            Todo::Wait(at) => now = at,
            Todo::Renew => {
                asked += 1;
                machine.sent(now);
                machine.renewed(now, ms(1));
            }
            Todo::Stop(_) => break,
            _ => {}
        }
    }
    assert!(asked < 40, "{asked}");
    assert_eq!(
        machine.until(),
        end,
        "and what it granted before still runs"
    );
}

/// What the network does to a renewal, and how long that takes in thousandths of the ttl.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Fails(u32),
    Comes(u32),
    Hangs,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        (0..200u32).prop_map(Fate::Fails),
        (0..200u32).prop_map(Fate::Comes),
        Just(Fate::Hangs),
    ];
    prop::collection::vec(fate, 0..40)
}

fn ttls() -> impl Strategy<Value = Ttl> {
    let (min, max) = (3u64, 86_400_000);
    prop_oneof![Just(min), Just(max), min..=max, min..1000]
        .prop_map(|ms| Ttl::try_new(Duration::from_millis(ms)).unwrap())
}

proptest! {
    /// Whatever the network does, it is never believed for longer than from the last request that was answered in time; and
    /// it is lost exactly then.
    #[test]
    fn it_is_never_valid_past_its_time(ttl in ttls(), fates in fates()) {
        let terms = terms(ttl, Renewal::Auto);
        let window = terms.validity.window(ttl.get());
        let start = Instant::now();
        let mut machine = Machine::new(terms, start, start, ttl.get());
        let (mut now, mut fates, mut steps) = (start, fates.into_iter(), 0);
        let mut end = start + window;
        // The renewal under way: when it left, when something comes of it, and whether that is an answer.
        let mut on_its_way: Option<(Instant, Option<Instant>, bool)> = None;
        loop {
            steps += 1;
            prop_assert!(steps < 20_000, "bounded");
            let todo = machine.todo(now);
            prop_assert_eq!(machine.until(), end);
            match todo {
                Todo::Stop(why) => {
                    prop_assert_eq!(why, Why::Expired);
                    prop_assert_eq!(now, end, "neither early nor late");
                    break;
                }
                Todo::Renew => {
                    prop_assert!(on_its_way.is_none(), "one at a time");
                    machine.sent(now);
                    let after = |thousandths: u32| Some(now + ttl.get() * thousandths / 1000);
                    on_its_way = Some(match fates.next() {
                        Some(Fate::Fails(after_)) => (now, after(after_), false),
                        Some(Fate::Comes(after_)) => (now, after(after_), true),
                        _ => (now, None, false),
                    });
                }
                Todo::GiveUp => {
                    on_its_way = None;
                    machine.failed(now);
                }
                Todo::Warn => {}
                Todo::Wait(at) => {
                    prop_assert!(at > now && at <= end);
                    match on_its_way {
                        Some((sent, Some(comes), answers)) if comes <= at => {
                            now = now.max(comes);
                            on_its_way = None;
                            if !answers {
                                machine.failed(now);
                            } else if machine.renewed(now, ttl.get()) {
                                prop_assert!(now < end);
                                end = end.max(sent + window);
                            } else {
                                prop_assert!(now >= end);
                            }
                        }
                        _ => now = at,
                    }
                }
            }
        }
    }

    /// All renewals fail until a tick before the end: there is one in that tick, or it was under way.
    #[test]
    fn the_last_try_is_a_tick_before_the_end(nonce: u128, ttl in ttls()) {
        let mut terms = terms(ttl, Renewal::Auto);
        terms.pace = Pace::new(Seed::new(1), "test").of(Nonce::from_bits(nonce));
        let start = Instant::now();
        let mut machine = Machine::new(terms, start, start, ttl.get());
        let (end, mut now, mut last) = (machine.until(), start, start);
        loop {
            match machine.todo(now) {
                Todo::Wait(at) => now = at,
                Todo::Renew => {
                    last = now;
                    machine.sent(now);
                    machine.failed(now);
                }
                Todo::Stop(_) => break,
                _ => {}
            }
        }
        prop_assert!(end - last <= 2 * TICK, "{:?}", end - last);
    }

    /// Whatever it is told, in whatever order, and however the clock jumps: it does not panic, and what is lost stays so.
    #[test]
    fn no_sequence_panics_or_brings_it_back(
        ttl in ttls(),
        acts in prop::collection::vec((0..7u8, -100_000_000i64..100_000_000, any::<Duration>()), 0..60),
    ) {
        let start = Instant::now() + Duration::from_secs(1_000_000);
        let mut machine = Machine::new(terms(ttl, Renewal::Auto), start, start, ttl.get());
        let (mut now, mut latest, mut is_lost) = (start, start, false);
        for (act, by, granted) in acts {
            let step = Duration::from_millis(by.unsigned_abs());
            now = if by < 0 { now.checked_sub(step).unwrap_or(now) } else { now + step };
            latest = latest.max(now);
            match act {
                0 => { machine.todo(now); }
                1 => machine.sent(now),
                2 => { machine.renewed(now, granted.min(Validity::LONGEST)); }
                3 => machine.failed(now),
                4 => machine.wish(now),
                5 => machine.progressed(now),
                _ => machine.lose(Why::Refused),
            }
            let was_lost = is_lost;
            is_lost = matches!(machine.phase(), Phase::Lost(_));
            prop_assert!(is_lost || !was_lost);
        }
        let todo = machine.todo(latest);
        prop_assert_eq!(matches!(todo, Todo::Stop(_)), is_lost || latest >= machine.until());
    }
}
