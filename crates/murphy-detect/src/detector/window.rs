//! The last samples, in whole numbers: sums that neither drift nor overflow.
//!
//! A sample is a deviation from what was to be expected, in [`Unit`]s, and no further from it than
//! 2²⁴ of them. So squares fit 48 bits, and the sum of 2¹⁴ of them 62.

/// The largest deviation that is kept, in units.
const FARTHEST: i64 = 1 << 24;

/// The most samples that a window keeps.
pub(super) const MOST: u16 = 1 << 14;

/// What deviations are counted in: a microsecond, or a millionth of the interval if that is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit(i64);

impl Unit {
    /// For beats every `interval` nanoseconds.
    pub(super) const fn of(interval: u64) -> Self {
        let millionth = interval / 1_000_000;
        Self(if millionth > 1_000 {
            millionth as i64
        } else {
            1_000
        })
    }

    /// A sample of so many nanoseconds, at most the farthest that is kept.
    #[inline]
    pub(super) fn sample(self, nanos: i64) -> i32 {
        (nanos / self.0).clamp(-FARTHEST, FARTHEST) as i32
    }

    /// So many units in nanoseconds.
    #[inline]
    pub(super) fn nanos(self, units: f64) -> f64 {
        units * self.0 as f64
    }

    /// From how far off on a sample is cut, in nanoseconds.
    #[inline]
    pub(super) const fn reach(self) -> i64 {
        self.0 * FARTHEST
    }
}

/// The last samples, their sum and the sum of their squares.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    samples: Vec<i32>,
    oldest: usize,
    sum: i64,
    squares: i64,
}

impl Window {
    /// Takes a sample in; the oldest one goes where there would be more than `size`.
    #[inline]
    pub(super) fn push(&mut self, size: u16, sample: i32) {
        let new = i64::from(sample);
        self.sum += new;
        self.squares += new * new;
        if self.samples.len() < usize::from(size) {
            self.samples.push(sample);
            return;
        }
        let Some(place) = self.samples.get_mut(self.oldest) else {
            return;
        };
        let old = i64::from(std::mem::replace(place, sample));
        self.sum -= old;
        self.squares -= old * old;
        self.oldest += 1;
        if self.oldest == self.samples.len() {
            self.oldest = 0;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) const fn sum(&self) -> i64 {
        self.sum
    }

    /// The mean; 0 of nothing.
    #[inline]
    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / self.samples.len().max(1) as f64
    }

    /// The standard deviation (of these samples, not of what they are a sample of); 0 of nothing.
    #[inline]
    pub(super) fn deviation(&self) -> f64 {
        let n = self.samples.len().max(1) as i128;
        let (sum, squares) = (i128::from(self.sum), i128::from(self.squares));
        // In whole numbers it is not negative, whatever the samples (Cauchy and Schwarz).
        let scaled = n * squares - sum * sum;
        (scaled as f64).sqrt() / n as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(size: u16, samples: &[i32]) -> Window {
        let mut window = Window::default();
        samples.iter().for_each(|&s| window.push(size, s));
        window
    }

    #[test]
    fn mean_and_variance_are_akkas() {
        for (size, samples, mean, variance) in [
            (20, &[100, 200, 125, 340, 130][..], 179.0, 7584.0),
            (600, &[1000], 1000.0, 0.0),
            (3, &[100, 110, 90], 100.0, 66.666_666_7),
            (3, &[100, 110, 90, 140], 113.333_333_3, 422.222_222_2),
            (3, &[100, 110, 90, 140, 80], 103.333_333_3, 688.888_888_9),
        ] {
            let window = filled(size, samples);
            assert!((window.mean() - mean).abs() < 1e-5, "{samples:?}");
            let got = window.deviation() * window.deviation();
            assert!((got - variance).abs() < 1e-5, "{samples:?}: {got}");
        }
    }

    #[test]
    fn an_empty_window_says_nothing() {
        assert_eq!(
            (Window::default().mean(), Window::default().deviation()),
            (0.0, 0.0)
        );
    }

    #[test]
    fn the_widest_window_of_the_farthest_samples_does_not_overflow() {
        let unit = Unit::of(1_000_000_000);
        let mut window = Window::default();
        for n in 0..3 * i64::from(MOST) {
            window.push(
                MOST,
                unit.sample(if n % 2 == 0 { i64::MAX } else { i64::MIN }),
            );
        }
        assert_eq!(window.len(), usize::from(MOST));
        assert_eq!(window.deviation(), FARTHEST as f64);
    }

    #[test]
    fn a_unit_grows_with_long_intervals() {
        assert_eq!(Unit::of(1_000_000), Unit(1_000));
        assert_eq!(Unit::of(60_000_000_000), Unit(60_000));
        assert_eq!(Unit::of(60_000_000_000).sample(60_000_000_000), 1_000_000);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_last_samples(
            size in 1u16..50,
            samples in prop::collection::vec(-FARTHEST as i32..=FARTHEST as i32, 0..200),
        ) {
            let window = filled(size, &samples);
            let last = &samples[samples.len().saturating_sub(usize::from(size))..];
            let sum: i64 = last.iter().map(|&s| i64::from(s)).sum();
            let squares: i64 = last.iter().map(|&s| i64::from(s).pow(2)).sum();
            prop_assert_eq!((window.sum, window.squares), (sum, squares));
            prop_assert_eq!(window.len(), last.len());
            prop_assert!(window.deviation().is_finite());
        }
    }
}
