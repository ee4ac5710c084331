//! Chen's example of a configuration.

use std::time::Duration;

use murphy_core::{Distribution, Probability};
use murphy_detect::configure::{self, Configured, Spread, Wish};

use super::verdicts::{Verdicts, grid};

/// Found within 30 s, a mistake a month that lasts a minute; 1 % are lost, delays have a mean of 20 ms.
///
/// # Panics
///
/// If that is impossible.
pub fn measure(verdicts: &mut Verdicts) -> String {
    let (minute, day) = (Duration::from_secs(60), Duration::from_secs(86_400));
    let wish = Wish::try_new(minute / 2, day * 30, minute).expect("a wish");
    let loss = Probability::percent(1.0).expect("a percentage");
    let mean = Duration::from_millis(20);
    let delay = Distribution::exponential(mean);
    let known = configure::known(wish, loss, &delay).expect("possible");
    let spread = Spread::new(mean, Duration::from_secs_f64(0.02_f64.sqrt()));
    let estimated = configure::estimated(wish, loss, spread).expect("possible");
    let mut row = |subject: &str, configured: Configured, published: f64| {
        let interval = configured.interval().as_secs_f64();
        // Published to the digits that it has here.
        let accepted = published - 5e-4..=published + 5e-4;
        let mark = verdicts.expect(
            "detect.configure.interval",
            subject,
            interval,
            "s",
            &accepted,
        );
        let shift = configured.shift().as_secs_f64();
        vec![
            subject.to_owned(),
            format!("{mark}{interval:.4}"),
            format!("{published}"),
            format!("{shift:.4}"),
        ]
    };
    let rows = [
        row("delay known: exponential", known, 9.976),
        row("mean and variance known", estimated, 9.7095),
    ];
    let heading = [
        "30 s, 30 days, 60 s",
        "interval, s",
        "published",
        "shift, s",
    ];
    grid(&heading.map(str::to_owned), &rows)
}
