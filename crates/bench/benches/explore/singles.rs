//! Every single fault of 64 calls.

use std::time::Duration;

use bench::figure::Figure;
use murphy_chaos::{Budget, Kind, Menu, Stage, World};
use tokio::time::timeout;

const ROUNDS: usize = 5;

pub(crate) fn measure() -> Vec<Figure> {
    let mut rounds: Vec<(f64, u64)> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ms, tried) = rounds[ROUNDS / 2];
    let note = format!("{tried} singles of 64 calls; the median of {ROUNDS}");
    let name = "explore.singles_of_64.ms".to_owned();
    vec![Figure::new(name, "murphy", ms, "ms", &note)]
}

/// Milliseconds, and how many singles.
fn round() -> (f64, u64) {
    let menu = Menu::only([
        Kind::LostRequest,
        Kind::LostReply,
        Kind::Duplicate,
        Kind::Latency,
    ]);
    let exploration = crate::exploration("explore-singles", 1)
        .menu(menu.calls_only())
        .budget(Budget::runs(64 * 5 + 6));
    let test = async |w: World| {
        for key in 1..=64_u64 {
            let call = w.site("api->pay").run(key, async || {}).duplicating();
            let _ = timeout(Duration::from_secs(5), call).await;
        }
    };
    let (outcome, seconds) = crate::timed(|| exploration.run(test));
    let singles = outcome
        .phases
        .iter()
        .find(|phase| phase.stage == Stage::Singles);
    (seconds * 1e3, singles.map_or(0, |phase| phase.tried))
}
