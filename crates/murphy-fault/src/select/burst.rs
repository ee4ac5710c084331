//! Bursts: the Gilbert–Elliott channel as a pure function of a count.

use murphy_core::{Draw, Probability};

/// Loss in bursts, given as what one measures: the mean loss and the mean length of a burst.
///
/// Two states; every call in the bad one is struck. With mean loss π and mean burst length L the
/// chain leaves the bad state with r = 1/L and enters it with p = r·π/(1−π)
/// (Gilbert, BSTJ 1960; the parameters as in netem's `gemodel`).
///
/// The state at a count is computed from the draws alone: those before it are walked back to one
/// that forgets the past (on average 1/(p+r) steps, about a burst), so nothing is stored and
/// nothing depends on who asked first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    loss: Probability,
    mean_length: f64,
    enter: Probability,
    stay: Probability,
}

/// Numbers that no burst process has.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field}: `{value}`: {remedy}")]
pub struct BadBurst {
    /// Which number.
    pub field: &'static str,
    /// What was given.
    pub value: f64,
    /// What would have been right.
    pub remedy: String,
}

/// The longest mean length: the walk back is as long as a burst.
const LONGEST: f64 = 10_000.0;

impl Burst {
    /// A burst process with mean loss `loss` and mean burst length `mean_length` (in calls, 1 to
    /// 10,000).
    ///
    /// # Errors
    ///
    /// [`BadBurst`] if the length is outside its range or no number, or if gaps of at least one
    /// call cannot add up to this loss: `loss ≤ mean_length / (mean_length + 1)`, except that
    /// [`Probability::ALWAYS`] is one endless burst.
    pub fn try_new(loss: Probability, mean_length: f64) -> Result<Self, BadBurst> {
        if !(1.0..=LONGEST).contains(&mean_length) {
            return Err(BadBurst {
                field: "mean_length",
                value: mean_length,
                remedy: format!("use 1 to {LONGEST} calls"),
            });
        }
        let most = mean_length / (mean_length + 1.0);
        let leave = 1.0 / mean_length;
        let pi = loss.get();
        let (enter, stay) = if pi == 1.0 {
            (1.0, 1.0)
        } else {
            (leave * pi / (1.0 - pi), 1.0 - leave)
        };
        let forgets = 1.0 - (1.0 - enter - leave).abs();
        if enter <= 1.0 && pi < 1.0 && forgets < 1.0 / LONGEST {
            return Err(BadBurst {
                field: "loss",
                value: pi,
                remedy:
                    "calls would be struck by turns, which never forgets its past: use `every = 2`"
                        .into(),
            });
        }
        // A hair over 1 is rounding, not a wish.
        let known = |p: f64| Probability::try_new(if p > 1.0 && p < 1.0 + 1e-9 { 1.0 } else { p });
        match (known(enter), known(stay)) {
            (Ok(enter), Ok(stay)) => Ok(Self {
                loss,
                mean_length,
                enter,
                stay,
            }),
            _ => Err(BadBurst {
                field: "loss",
                value: pi,
                remedy: format!(
                    "bursts of {mean_length} on average with a gap of one call between them lose {most:.4} at most: \
                     lower the loss or lengthen the bursts"
                ),
            }),
        }
    }

    /// The mean loss.
    #[must_use]
    pub const fn loss(&self) -> Probability {
        self.loss
    }

    /// The mean length of a burst, in calls.
    #[must_use]
    pub const fn mean_length(&self) -> f64 {
        self.mean_length
    }

    /// Whether the `n`-th call falls into a burst. `draw(i)` is the draw of step i.
    pub(crate) fn strikes(&self, n: u64, draw: impl Fn(u64) -> Draw) -> bool {
        // One draw a step decides for both states: from the good one the next is bad if the draw
        // hits `enter`, from the bad one if it hits `stay`. Where both say the same, the past is
        // forgotten; where neither is forced, what came before is kept (enter < stay) or turned
        // over (enter > stay).
        let mut turned = false;
        let mut i = n;
        let start = loop {
            let u = draw(i);
            if i == 0 {
                // The first call is as likely in a burst as any other.
                break u.nth(0).hits(self.loss);
            }
            match (u.hits(self.enter), u.hits(self.stay)) {
                (true, true) => break true,
                (false, false) => break false,
                (false, true) => {}
                (true, false) => turned = !turned,
            }
            i -= 1;
        };
        start != turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use murphy_core::{Lane, Point, Seed, Stream};

    fn run(loss: f64, length: f64, n: u64) -> Vec<bool> {
        let burst = Burst::try_new(Probability::try_new(loss).unwrap(), length).unwrap();
        let stream = Stream::new(Seed::new(7), "s", "f", Lane::Burst);
        (0..n)
            .map(|i| burst.strikes(i, |i| stream.at(Point::positional(i))))
            .collect()
    }

    #[test]
    fn loss_and_length_are_what_was_asked_for() {
        for (loss, length) in [
            (0.01, 1.0),
            (0.05, 4.0),
            (0.2, 10.0),
            (0.4, 1.0),
            (0.6, 3.0),
            (0.9, 50.0),
        ] {
            let n = 50_000;
            let struck = run(loss, length, n);
            let hits = struck.iter().filter(|s| **s).count() as f64;
            let starts = struck.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
            // Standard error of the mean of a chain with autocorrelation a: (1+a)/(1-a) more.
            let a: f64 = 1.0 - 1.0 / length - (1.0 / length) * loss / (1.0 - loss);
            let se = (loss * (1.0 - loss) / n as f64 * (1.0 + a) / (1.0 - a)).sqrt();
            assert!(
                (hits / n as f64 - loss).abs() < 5.0 * se + 1e-9,
                "loss {loss} length {length}: {}",
                hits / n as f64
            );
            let mean = hits / starts;
            let se = (length * length / starts).sqrt();
            assert!(
                (mean - length).abs() < 5.0 * se,
                "loss {loss} length {length}: bursts of {mean}"
            );
        }
    }

    #[test]
    fn the_walk_back_agrees_with_walking_forward() {
        for (loss, length) in [(0.3, 5.0), (0.45, 1.0), (0.7, 2.5)] {
            let burst = Burst::try_new(Probability::try_new(loss).unwrap(), length).unwrap();
            let stream = Stream::new(Seed::new(7), "s", "f", Lane::Burst);
            let mut state = stream.at(Point::positional(0)).nth(0).hits(burst.loss);
            let struck = run(loss, length, 2_000);
            for (i, got) in struck.iter().enumerate() {
                if i > 0 {
                    let u = stream.at(Point::positional(i as u64));
                    state = u.hits(if state { burst.stay } else { burst.enter });
                }
                assert_eq!(*got, state, "step {i}");
            }
        }
    }

    #[test]
    fn the_ends_hold() {
        assert!(run(0.0, 5.0, 1_000).iter().all(|s| !s));
        assert!(run(1.0, 5.0, 1_000).iter().all(|s| *s));
    }

    #[test]
    fn the_impossible_is_refused() {
        for (loss, length, field) in [
            (0.9, 2.0, "loss"),
            (0.5, 1.0, "loss"),
            (0.1, 0.5, "mean_length"),
            (0.1, f64::NAN, "mean_length"),
            (0.1, 1e9, "mean_length"),
        ] {
            let e = Burst::try_new(Probability::try_new(loss).unwrap(), length).unwrap_err();
            assert_eq!(e.field, field, "{e}");
        }
    }
}
