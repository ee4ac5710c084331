//! What a layer's setters set, and the breaker that comes of it.

use std::sync::Arc;
use std::time::Duration;

use murphy_core::Lane;

use super::core::{Core, Wait};
use super::rules::{Rules, Trials};
use crate::throttle::chance::Source;
use crate::{Kind, Pace, Step};

#[derive(Clone)]
pub(super) struct Knobs {
    pub(super) rules: Rules,
    pub(super) trials: Trials,
    pub(super) pace: Arc<dyn Pace + Send + Sync>,
    pub(super) jitter: f64,
    pub(super) source: Source,
    pub(super) site: Arc<str>,
}

impl Knobs {
    /// A new breaker of this kind.
    pub(super) fn core(&self) -> Arc<Core> {
        let chance = self.source.chance(&self.site, "breaker", Lane::Jitter);
        let (pace, jitter) = (Arc::clone(&self.pace), self.jitter);
        let wait: Wait = Arc::new(move |openings| {
            let draw = chance.draw_next();
            let mut step = Step::first(draw);
            step.n = openings.saturating_sub(1);
            step.kind = Kind::Server;
            lengthened(pace.wait(step), jitter * draw.nth(1).unit())
        });
        Arc::new(Core::new(
            self.rules,
            self.trials,
            wait,
            Arc::clone(&self.site),
        ))
    }
}

fn lengthened(wait: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(wait.as_secs_f64() * by)
        .map_or(Duration::MAX, |more| wait.saturating_add(more))
}
