//! What a plan does to the world, carried out in time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use murphy_core::{Draw, Key, Lane, Point, Seed, Stream, mix};
use tokio::time::{Instant, sleep_until};

use super::{Chaos, Inner};
use crate::disturbance::{Deed, Disturbance, Undo};

/// The next moment of a disturbance. At one instant what ends comes before what begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    at: Duration,
    begins: bool,
    which: usize,
}

/// Disturbances with nothing left to be drawn: each swizzle has become the isolation of single
/// nodes.
pub(super) fn drawn(disturbances: &[Disturbance], seed: Seed) -> Vec<Disturbance> {
    let mut all = Vec::new();
    for (index, disturbance) in disturbances.iter().enumerate() {
        match (&disturbance.deed, disturbance.lasting) {
            (Deed::Swizzle { nodes }, Some(lasting)) => {
                let which = name(disturbance, &disturbances[..index]);
                all.extend(swizzled(nodes, disturbance.at, lasting, seed, which));
            }
            _ => all.push(disturbance.clone()),
        }
    }
    all
}

/// What tells a swizzle from others, whatever else is in the plan: when it is, and how many just
/// like it come before.
fn name(swizzle: &Disturbance, before: &[Disturbance]) -> u64 {
    let nanos = |d: Duration| d.as_nanos() as u64;
    let twins = before.iter().filter(|d| *d == swizzle).count() as u64;
    let words = [
        nanos(swizzle.at),
        nanos(swizzle.lasting.unwrap_or_default()),
        twins,
    ];
    words.into_iter().fold(0, |h, w| mix(mix(h) ^ w))
}

/// Half of the nodes (rounded up): each cut off at some time in the first half, healed in the second.
fn swizzled(
    nodes: &[Arc<str>],
    from: Duration,
    lasting: Duration,
    seed: Seed,
    which: u64,
) -> Vec<Disturbance> {
    let draw = |node: &Arc<str>, lane| -> Draw {
        let point = Point::keyed(Key::from(&**node), which);
        Stream::new(seed, "network", "swizzle", lane).at(point)
    };
    let mut chosen: Vec<&Arc<str>> = nodes.iter().collect();
    chosen.sort_by_key(|node| (draw(node, Lane::Active).bits(), Arc::clone(node)));
    chosen.truncate(nodes.len().div_ceil(2));
    let half = lasting / 2;
    let of = |node: &Arc<str>, lane| half.mul_f64(draw(node, lane).unit());
    chosen
        .into_iter()
        .map(|node| {
            let cut = of(node, Lane::Fires);
            let healed = half + of(node, Lane::Magnitude);
            Disturbance::isolate(Arc::clone(node))
                .at(from.saturating_add(cut))
                .lasting(healed.saturating_sub(cut))
        })
        .collect()
}

/// Does and undoes, each at its time. Dropped with the run; what it has done is then healed.
pub(super) struct Schedule {
    chaos: Weak<Inner>,
    version: u64,
    started: Instant,
    disturbances: Vec<Disturbance>,
    undo: Vec<Option<Undo>>,
    steps: BinaryHeap<Reverse<Step>>,
}

impl Schedule {
    pub(super) fn new(
        chaos: Weak<Inner>,
        version: u64,
        started: Instant,
        disturbances: Vec<Disturbance>,
    ) -> Self {
        let first = |(which, d): (usize, &Disturbance)| {
            Reverse(Step {
                at: d.at,
                begins: true,
                which,
            })
        };
        Self {
            chaos,
            version,
            started,
            undo: disturbances.iter().map(|_| None).collect(),
            steps: disturbances.iter().enumerate().map(first).collect(),
            disturbances,
        }
    }

    /// What the run begins with: done before anybody else can do anything in it.
    pub(super) fn begin(&mut self) {
        let now = |step: &Reverse<Step>| step.0.at.is_zero();
        while self.steps.peek().is_some_and(now) {
            if self.step().is_none() {
                return;
            }
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(Reverse(next)) = self.steps.peek() {
            let Some(at) = self.started.checked_add(next.at) else {
                // Past the end of time, and so is everything after it.
                break;
            };
            sleep_until(at).await;
            if self.step().is_none() {
                return;
            }
        }
        // What has no end lasts as long as the run, and so do the guards that hold it.
        std::future::pending::<()>().await;
    }

    /// Takes the next step. Nothing, if there is none, or the run is over.
    fn step(&mut self) -> Option<()> {
        let inner = self.chaos.upgrade()?;
        let Reverse(step) = self.steps.pop().filter(|_| inner.is_on(self.version))?;
        let disturbance = &self.disturbances[step.which];
        self.undo[step.which] = if step.begins {
            commit(&Chaos { inner }, self.version, disturbance)
        } else {
            None
        };
        self.steps.extend(after(disturbance, step).map(Reverse));
        Some(())
    }
}

/// What comes after a step, if anything does.
fn after(disturbance: &Disturbance, step: Step) -> Option<Step> {
    let end = disturbance.end();
    let next = match (step.begins, disturbance.flapping) {
        (true, None) => end?,
        (true, Some((on, _))) => {
            let off_at = step.at.saturating_add(on);
            end.map_or(off_at, |end| end.min(off_at))
        }
        (false, None) => return None,
        (false, Some((_, off))) => {
            let on_at = step.at.saturating_add(off);
            return end.is_none_or(|end| on_at < end).then_some(Step {
                at: on_at,
                begins: true,
                ..step
            });
        }
    };
    Some(Step {
        at: next,
        begins: false,
        ..step
    })
}

fn commit(chaos: &Chaos, version: u64, disturbance: &Disturbance) -> Option<Undo> {
    match disturbance.deed.commit(chaos, version) {
        Ok(undo) => Some(undo),
        Err(e) => {
            // It was checked when the plan was armed; a network can fill up since.
            tracing::warn!(target: "murphy::fault", deed = %disturbance.deed, problem = %e, "world.unchanged");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Begins and ends, in order.
    fn steps(disturbance: &Disturbance, most: usize) -> Vec<(bool, u64)> {
        let first = Step {
            at: disturbance.at,
            begins: true,
            which: 0,
        };
        std::iter::successors(Some(first), |step| after(disturbance, *step))
            .take(most)
            .map(|step| (step.begins, step.at.as_secs()))
            .collect()
    }

    #[test]
    fn a_disturbance_begins_and_ends() {
        let isolate = || Disturbance::isolate("a").at(s(2));
        assert_eq!(steps(&isolate(), 9), [(true, 2)]);
        assert_eq!(steps(&isolate().lasting(s(3)), 9), [(true, 2), (false, 5)]);
    }

    #[test]
    fn flapping_goes_on_and_off_and_ends_in_time() {
        let flapping = Disturbance::isolate("a").at(s(1)).flapping(s(2), s(3));
        let want = [(true, 1), (false, 3), (true, 6), (false, 8), (true, 11)];
        assert_eq!(steps(&flapping, 5), want);
        let bounded = flapping.lasting(s(6));
        assert_eq!(
            steps(&bounded, 9),
            [(true, 1), (false, 3), (true, 6), (false, 7)]
        );
    }

    #[test]
    fn a_swizzle_cuts_half_of_the_nodes_and_heals_them_in_another_order() {
        let names: Vec<Arc<str>> = (0..9).map(|n| format!("n{n}").into()).collect();
        let mut orders = 0;
        for seed in 0..100 {
            let swizzled = swizzled(&names, s(10), s(60), Seed::new(seed), 0);
            assert_eq!(swizzled.len(), 5);
            let mut by_cut = swizzled.clone();
            by_cut.sort_by_key(|d| d.at);
            let mut by_heal = swizzled.clone();
            by_heal.sort_by_key(|d| d.end());
            orders += usize::from(by_cut != by_heal);
            for d in &swizzled {
                assert!((s(10)..=s(40)).contains(&d.at), "cut at {:?}", d.at);
                let end = d.end().unwrap();
                assert!((s(40)..=s(70)).contains(&end), "healed at {end:?}");
            }
        }
        assert!(orders > 90, "{orders} of 100 heal in another order");
    }
}
