//! The longest interval that fulfils a wish.
//!
//! The recurrence is no monotone function of the interval: it jumps by a factor of 1/loss where one more beat fits
//! into the detection time, and between two jumps it rises and then falls. So each stretch between two jumps is
//! looked at by itself, the one with the longest intervals first: on a grid from its end to its beginning, and, where
//! one of the grid's intervals fulfils the wish and the next longer one does not, by bisection between them. What is
//! found fulfils the wish, whatever the function is; that nothing longer does holds as far as the grid sees.

use super::Wish;
use super::law::{Law, recurrence};
use crate::heartbeat::{LONGEST_INTERVAL, SHORTEST_INTERVAL};

/// How many beats may fall into a detection time.
const BEATS: u32 = 128;
/// Intervals that are tried between two jumps.
const GRID: u32 = 32;

/// The longest interval, in seconds; `None` if none of a 128th of the detection time and more does it.
pub(super) fn interval(wish: Wish, law: &dyn Law) -> Option<f64> {
    let detection = wish.detection().as_secs_f64();
    let wanted = wish.recurrence().as_secs_f64();
    let longest = law.longest(detection, wish.duration().as_secs_f64());
    let fulfils = |interval: f64| recurrence(law, detection, interval) >= wanted;
    let mut above = None;
    for interval in candidates(law, detection, longest) {
        if fulfils(interval) {
            return Some(above.map_or(interval, |above| bisected(interval, above, fulfils)));
        }
        above = Some(interval);
    }
    None
}

/// The longest recurrence that any interval has, in seconds.
pub(super) fn longest_recurrence(wish: Wish, law: &dyn Law) -> f64 {
    let detection = wish.detection().as_secs_f64();
    let longest = law.longest(detection, wish.duration().as_secs_f64());
    let recurrences = candidates(law, detection, longest).map(|i| recurrence(law, detection, i));
    recurrences.fold(0.0, f64::max)
}

/// Intervals to try, each shorter than the one before, none longer than `longest`.
fn candidates(law: &dyn Law, detection: f64, longest: f64) -> impl Iterator<Item = f64> {
    let (shortest, longest_of_all) = (
        SHORTEST_INTERVAL.as_secs_f64(),
        LONGEST_INTERVAL.as_secs_f64(),
    );
    let reach = law.reach(detection);
    let longest = longest.min(reach).min(longest_of_all);
    // Where an hour is less than a 128th of it, an hour it is.
    let rare = (longest < reach / f64::from(BEATS)).then_some(longest);
    let stretches = (2..=BEATS).flat_map(move |beats| {
        // So many beats fit: the interval is from a `beats`th of the reach on, and below one of a beat less.
        let (low, high) = (reach / f64::from(beats), reach / f64::from(beats - 1));
        let high = high.min(longest);
        let at = move |n: u32| high - (high - low) * f64::from(n) / f64::from(GRID);
        let within = (low..=high).contains(&high);
        (0..=GRID).filter(move |_| within).map(at)
    });
    rare.into_iter()
        .chain(stretches)
        .filter(move |interval| *interval >= shortest)
}

/// Between one that fulfils and a longer one that does not: to the last bit that counts.
fn bisected(mut good: f64, mut bad: f64, fulfils: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..60 {
        let middle = 0.5 * (good + bad);
        if fulfils(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}
