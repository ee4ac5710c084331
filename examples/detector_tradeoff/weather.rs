//! One node's beats, as they arrive.

use std::time::Duration;

use murphy_core::{Distribution, Lane, Point, Seed, Stream};
use murphy_detect::Moment;

/// A beat that arrived before all that were sent after it.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) sent: Moment,
    pub(crate) at: Moment,
    pub(crate) seq: u32,
}

pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// `beats` of a node that beats every second. Of 5,500 beats 5,000 are at rest (about 20 ms, one in a thousand is
/// lost) and 500 in congestion (about 300 ms, three in a hundred are lost); before one in a thousand the node pauses
/// for 0.5 to 3 s.
pub(crate) fn arrivals(seed: Seed, beats: u32) -> Vec<Arrival> {
    let draw = |question: &str, beat: u32| {
        let stream = Stream::new(seed, "node", question, Lane::Magnitude);
        stream.at(Point::positional(beat.into()))
    };
    let rest = Distribution::exponential(Duration::from_millis(5));
    let congested = Distribution::log_normal(Duration::from_millis(250), 0.606).expect("a width");
    let mut sent = Moment::ZERO;
    let mut arrivals: Vec<Arrival> = (0..beats)
        .filter_map(|seq| {
            sent = sent.plus(INTERVAL);
            if draw("pauses", seq).unit() < 1e-3 {
                let seconds = 0.5 + 2.5 * draw("pause", seq).unit();
                sent = sent.plus(Duration::from_secs_f64(seconds));
            }
            let (way, loss) = if seq % 5500 < 5000 {
                (
                    Duration::from_millis(15) + rest.sample(draw("way", seq)),
                    0.001,
                )
            } else {
                (congested.sample(draw("way", seq)), 0.03)
            };
            let arrives = draw("loss", seq).unit() >= loss;
            arrives.then(|| Arrival {
                sent,
                at: sent.plus(way),
                seq,
            })
        })
        .collect();
    arrivals.sort_by_key(|arrival| arrival.at);
    let mut next = 0;
    arrivals.retain(|arrival| {
        let fresh = arrival.seq >= next;
        next = next.max(arrival.seq + 1);
        fresh
    });
    arrivals
}
