//! How improbable such a silence is: φ of a bell curve, akka's and the exact one.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, LN_10, PI};

/// Which curve φ is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// akka's logistic approximation of the bell.
    Logistic,
    /// The bell itself.
    Normal,
}

impl Tail {
    /// −log₁₀ of the chance that a beat comes later than `y` standard deviations after the mean.
    /// Finite, not negative, never falling, for every finite `y` up to 10¹⁰⁰.
    pub(super) fn phi(self, y: f64) -> f64 {
        let nats = match self {
            Self::Logistic => softplus(y * (1.597_6 + 0.070_566 * y * y)),
            Self::Normal => normal(y),
        };
        (nats / LN_10).max(0.0)
    }

    /// The `y` from which [`phi`](Self::phi) is `phi`: by bisection, to the last bit.
    pub(super) fn deviations(self, phi: f64) -> f64 {
        let (mut below, mut above) = (-60.0, 1e4);
        loop {
            let middle = 0.5 * (below + above);
            if middle <= below || middle >= above {
                return above;
            }
            if self.phi(middle) < phi {
                below = middle;
            } else {
                above = middle;
            }
        }
    }
}

/// ln(1 + eᵍ). Both of akka's branches are this, where they do not overflow.
fn softplus(g: f64) -> f64 {
    g.max(0.0) + libm::log1p(libm::exp(-g.abs()))
}

/// −ln of the bell's upper tail at `y`.
fn normal(y: f64) -> f64 {
    let x = y * FRAC_1_SQRT_2;
    if y < 0.0 {
        -libm::log1p(-0.5 * libm::erfc(-x))
    } else if y <= 5.0 {
        LN_2 - libm::log(libm::erfc(x))
    } else {
        // From here on the tail itself leaves the doubles, its logarithm does not.
        x * x + LN_2 - libm::log(erfcx(x))
    }
}

/// e^(x²) erfc(x) for `x` from 3.5 up, by its continued fraction (Abramowitz and Stegun 7.1.14).
fn erfcx(x: f64) -> f64 {
    let fraction = (1..=60)
        .rev()
        .fold(x, |rest, k| x + 0.5 * f64::from(k) / rest);
    1.0 / (fraction * PI.sqrt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deviations_are_those_of_the_tables() {
        for (phi, logistic, normal) in [
            (0.5, 0.477_88, 0.478_27),
            (1.0, 1.282_22, 1.281_55),
            (2.0, 2.322_75, 2.326_35),
            (3.0, 3.058_94, 3.090_23),
            (5.0, 4.119_19, 4.264_89),
            (8.0, 5.225_99, 5.612_00),
            (10.0, 5.799_02, 6.361_34),
            (12.0, 6.292_12, 7.034_48),
            (16.0, 7.119_68, 8.222_08),
        ] {
            assert!(
                (Tail::Logistic.deviations(phi) - logistic).abs() < 1e-5,
                "{phi}"
            );
            assert!(
                (Tail::Normal.deviations(phi) - normal).abs() < 1e-5,
                "{phi}"
            );
        }
    }

    #[test]
    fn akkas_eight_is_seven_and_a_bit() {
        for (phi, truly) in [(2.0, 1.996), (8.0, 7.062), (16.0, 12.267)] {
            let exact = Tail::Normal.phi(Tail::Logistic.deviations(phi));
            assert!((exact - truly).abs() < 1e-3, "{phi}: {exact}");
        }
    }

    #[test]
    fn logistic_phi_passes_akkas_own_tests() {
        let chance = |y| 1.0 - libm::pow(10.0, -Tail::Logistic.phi(y));
        for (y, want, apart) in [
            (0.0, 0.5, 1e-3),
            (0.6, 0.7257, 1e-3),
            (1.5, 0.9332, 1e-3),
            (2.0, 0.977_25, 1e-3),
            (2.5, 0.993_79, 1e-3),
            (3.5, 0.999_77, 1e-3),
            (4.0, 0.999_97, 1e-4),
            (2.0 / 3.0, 0.7475, 1e-3),
        ] {
            assert!((chance(y) - want).abs() < apart, "{y}: {}", chance(y));
        }
        // A mean of 1 s with a deviation of 100 ms, and outliers.
        for (y, want, apart) in [
            (-10.0, 0.0, 0.1),
            (-5.0, 0.1, 0.1),
            (0.0, 0.3, 0.1),
            (2.0, 1.6, 0.1),
            (4.0, 4.7, 0.1),
            (6.0, 10.8, 0.1),
            (7.0, 15.3, 0.1),
            (10.0, 38.0, 1.0),
            (-25.0, 0.0, 0.0),
        ] {
            let phi = Tail::Logistic.phi(y);
            assert!((phi - want).abs() <= apart, "{y}: {phi}");
        }
        assert!((Tail::Normal.phi(6.0) - 9.0).abs() < 0.1);
    }

    #[test]
    fn the_exact_tail_has_no_seam() {
        let (left, right) = (Tail::Normal.phi(5.0), Tail::Normal.phi(5.0 + 1e-12));
        assert!(left <= right && right - left < 1e-11, "{left} {right}");
        // Mills' ratio, far out: erfcx(x) is 1 / (x √π) there.
        assert!((erfcx(1e8) * 1e8 * PI.sqrt() - 1.0).abs() < 1e-12);
        assert!((erfcx(3.6) / (libm::exp(3.6 * 3.6) * libm::erfc(3.6)) - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn phi_is_finite_and_never_falls(y in -1e20..1e20, step in 1e-9..1e9) {
            for tail in [Tail::Logistic, Tail::Normal] {
                for y in [y, y / 1e10, y / 1e19] {
                    let (a, b) = (tail.phi(y), tail.phi(y + step));
                    prop_assert!(a.is_finite() && b.is_finite() && a >= 0.0, "{y}: {a} {b}");
                    prop_assert!(a <= b, "{tail:?}: {a} at {y} is more than {b}");
                }
            }
        }

        #[test]
        fn deviations_are_where_phi_is_reached(phi in 1e-3..1e6) {
            for tail in [Tail::Logistic, Tail::Normal] {
                let y = tail.deviations(phi);
                prop_assert!((tail.phi(y) - phi).abs() < 1e-9 * phi.max(1.0));
            }
        }
    }
}
