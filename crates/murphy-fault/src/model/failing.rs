//! Who is faulty, and how that shows: crashes and lies.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::{Draw, Key, Lane, Point, Probability, Seed, Stream};

use super::error::BadModel;
use super::ground::LinkSite;
use super::timing::{millis, scaled};
use super::{Failures, Model};
use crate::Fault;
use crate::disturbance::Disturbance;

/// Room for four crashes, and returns from them.
const LEAST_HORIZON: Duration = Duration::from_millis(100);

pub(super) fn check(model: &Model) -> Result<(), BadModel> {
    BadModel::unless_within("horizon", model.horizon, LEAST_HORIZON)
}

/// The faulty ones of these nodes. A larger number only adds some.
pub(super) fn chosen(
    model: &Model,
    nodes: &[Arc<str>],
    seed: Seed,
) -> Result<Vec<Arc<str>>, BadModel> {
    let others = nodes.len().saturating_sub(1);
    let tolerable = match model.failures {
        Failures::CrashStop | Failures::CrashRecovery => others / 2,
        Failures::Byzantine => others / 3,
    };
    let faulty = model.faulty.unwrap_or(tolerable);
    if faulty > nodes.len() {
        let have = nodes.len();
        let remedy = format!("there are {have} nodes; {tolerable} faulty ones can be tolerated");
        return Err(BadModel::new("faulty", faulty.to_string(), remedy));
    }
    let mut order = nodes.to_vec();
    order.sort_by_key(|node| {
        let bits = draw(seed, "faulty", Lane::Active, node, 0).bits();
        (bits, Arc::clone(node))
    });
    order.truncate(faulty);
    Ok(order)
}

/// The lies of these nodes, one fault a link.
pub(super) fn lies(
    failures: Failures,
    links: &[LinkSite],
    liars: &[Arc<str>],
) -> Vec<(Arc<str>, Fault)> {
    if failures != Failures::Byzantine {
        return Vec::new();
    }
    let lying = links.iter().filter(|link| liars.contains(&link.to));
    let lie = || Fault::altered_reply(Probability::ALWAYS).named("model.lie");
    lying.map(|link| (Arc::clone(&link.site), lie())).collect()
}

/// The crashes of these nodes.
pub(super) fn crashes(model: &Model, faulty: &[Arc<str>], seed: Seed) -> Vec<Disturbance> {
    let horizon = millis(model.horizon);
    match model.failures {
        Failures::CrashStop => {
            let at = |node: &str| scaled(draw(seed, "crash", Lane::Fires, node, 0), horizon);
            let crash = |node: &Arc<str>| {
                Disturbance::crash(Arc::clone(node)).at(Duration::from_millis(at(node)))
            };
            faulty.iter().map(crash).collect()
        }
        Failures::CrashRecovery => {
            let each = |node| crashes_and_returns(node, horizon, seed);
            faulty.iter().flat_map(each).collect()
        }
        Failures::Byzantine => Vec::new(),
    }
}

/// Two to four crashes, each in its own share of the time, and over before the share is.
fn crashes_and_returns(node: &Arc<str>, horizon: u64, seed: Seed) -> Vec<Disturbance> {
    let draw = |lane, nth| draw(seed, "crash", lane, node, nth);
    let times = 2 + scaled(draw(Lane::Active, 0), 3);
    let share = horizon / times;
    let of = |nth| {
        let late = scaled(draw(Lane::Fires, nth), share / 2);
        let left = share - late;
        // From a quarter to three quarters of what is left.
        let down = left / 4 + scaled(draw(Lane::Magnitude, nth), left / 2);
        Disturbance::crash(Arc::clone(node))
            .at(Duration::from_millis(share * nth + late))
            .lasting(Duration::from_millis(down.max(1)))
    };
    (0..times).map(of).collect()
}

fn draw(seed: Seed, what: &str, lane: Lane, node: &str, nth: u64) -> Draw {
    let point = Point::keyed(Key::from(node), nth);
    Stream::new(seed, "model", what, lane).at(point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timing;

    #[test]
    fn a_node_is_up_again_before_it_crashes_again_and_by_the_horizon() {
        for horizon in [100, 101, 1_000, 1 << 34] {
            let mut times = [0; 5];
            for seed in 0..500 {
                let crashes = crashes_and_returns(&"a".into(), horizon, Seed::new(seed));
                times[crashes.len()] += 1;
                let mut up = Duration::ZERO;
                for crash in &crashes {
                    assert!(crash.at >= up, "{crash:?}");
                    up = crash.end().unwrap();
                    assert!(up > crash.at);
                }
                assert!(up < Duration::from_millis(horizon));
            }
            assert!(times[2..].iter().all(|n| *n > 100), "{times:?}");
        }
    }

    #[test]
    fn one_more_faulty_node_leaves_the_others_as_they_were() {
        let nodes: Vec<Arc<str>> = (0..9).map(|i| format!("n{i}").into()).collect();
        let delta = Duration::from_millis(1);
        let model = Model::new(Timing::Synchronous { delta }, Failures::CrashStop);
        let of = |seed, n| chosen(&model.clone().faulty(n), &nodes, Seed::new(seed)).unwrap();
        let mut first = std::collections::BTreeSet::new();
        for seed in 0..200 {
            for n in 1..9 {
                assert_eq!(of(seed, n + 1)[..n], of(seed, n));
            }
            first.extend(of(seed, 1));
        }
        assert_eq!(first.len(), 9, "anybody may be faulty");
    }
}
