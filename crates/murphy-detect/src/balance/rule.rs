//! Who gets calls: a plain function.

use crate::Liveness;

/// What is believed of an endpoint's node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Belief {
    pub(super) liveness: Liveness,
    pub(super) level: f64,
}

/// Which endpoints are open: those not suspected, and as many more as it takes to have `share` of them and one
/// at least, the least suspicious first, then the first.
pub(super) fn open(beliefs: &[Belief], share: f64) -> Vec<bool> {
    let is_open = |belief: &Belief| matches!(belief.liveness, Liveness::Alive | Liveness::Unknown);
    let mut open: Vec<bool> = beliefs.iter().map(is_open).collect();
    let floor = ((beliefs.len() as f64 * share).ceil() as usize).max(1);
    let missing = floor.saturating_sub(open.iter().filter(|open| **open).count());
    let mut closed: Vec<usize> = (0..open.len()).filter(|&n| !open[n]).collect();
    closed.sort_by(|&a, &b| {
        let dead = |n: usize| beliefs[n].liveness.is_dead();
        let by_level = beliefs[a].level.total_cmp(&beliefs[b].level);
        dead(a).cmp(&dead(b)).then(by_level)
    });
    for n in closed.into_iter().take(missing) {
        open[n] = true;
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moment;

    fn open_of(text: &str) -> String {
        let since = Moment::ZERO;
        let belief = |(n, c): (usize, char)| Belief {
            liveness: match c {
                '+' => Liveness::Alive,
                '?' => Liveness::Unknown,
                '-' => Liveness::Dead { since },
                _ => Liveness::Suspect { since },
            },
            level: match c {
                '~' => 2.0 - n as f64 / 100.0,
                _ => 9.0 - n as f64 / 100.0,
            },
        };
        let beliefs: Vec<Belief> = text.chars().enumerate().map(belief).collect();
        let mark = |open: bool| if open { 'o' } else { '.' };
        open(&beliefs, 0.5).into_iter().map(mark).collect()
    }

    #[test]
    fn half_stay_open_and_one_at_least_the_least_suspicious_first() {
        for (beliefs, want) in [
            ("", ""),
            ("+++", "ooo"),
            ("+-?", "o.o"),
            ("-", "o"),
            ("--", ".o"),
            ("+--", "o.o"),
            ("---~", "..oo"),
            ("~~~~", "..oo"),
            ("+++-", "ooo."),
        ] {
            assert_eq!(open_of(beliefs), want, "{beliefs}");
        }
    }
}
