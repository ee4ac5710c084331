//! The beats of one sender, as they arrive: three workloads that are drawn, and traces that were recorded.

use std::time::Duration;

use murphy_core::{Distribution, Seed};
use murphy_detect::Moment;

use super::chance::{Chance, log_normal};

/// One beat that arrived before all that were sent after it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it was sent.
    pub sent: Moment,
    /// When it arrived.
    pub at: Moment,
    /// Its number.
    pub seq: u32,
}

/// The beats of one sender, in the order of their arrival.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What the sender says that its interval is.
    pub interval: Duration,
    /// Those that were not overtaken.
    pub arrivals: Vec<Arrival>,
}

const SECOND: u64 = 1_000_000_000;

impl Workload {
    /// Chen's: every second, 1 % are lost, the way is exponential with a mean of 20 ms.
    #[must_use]
    pub fn chen(seed: Seed, beats: u32) -> Self {
        let (mut lost, mut way) = (
            Chance::new(seed, "chen loss"),
            Chance::new(seed, "chen way"),
        );
        let exponential = Distribution::exponential(Duration::from_millis(20));
        Self::drawn(Duration::from_secs(1), beats, |seq| {
            let way = way.nanos(&exponential);
            let sent = (u64::from(seq) + 1) * SECOND;
            (sent, (!lost.hits(0.01)).then_some(way))
        })
    }

    /// A wide area, with the figures of the φ paper: every 103.501 ms (deviation 0.189 ms), 0.397 % are lost, the way
    /// is 135.1 ms and a log-normal rest with a mean of 6.57 ms and a deviation of 13.7 ms.
    #[must_use]
    pub fn wan(seed: Seed, beats: u32) -> Self {
        let (mut lost, mut way) = (Chance::new(seed, "wan loss"), Chance::new(seed, "wan way"));
        let mut period = Chance::new(seed, "wan period");
        let rest = log_normal(6.57e-3, 13.7e-3);
        let periods =
            Distribution::normal(Duration::from_micros(103_501), Duration::from_micros(189));
        let mut sent = 0;
        Self::drawn(Duration::from_micros(103_501), beats, |_| {
            sent += period.nanos(&periods);
            let way = 135_100_000 + way.nanos(&rest);
            (sent, (!lost.hits(0.003_97)).then_some(way))
        })
    }

    /// Changing weather: every second; 5000 beats at rest (15 ms and an exponential 5 ms, 0.1 % lost), then 500 of
    /// congestion (log-normal 300 ms, deviation 200 ms, 3 % lost), and so on; one in a thousand is preceded by a pause
    /// of the sender's of 0.5 to 3 s.
    #[must_use]
    pub fn weather(seed: Seed, beats: u32) -> Self {
        let mut lost = Chance::new(seed, "weather loss");
        let mut way = Chance::new(seed, "weather way");
        let mut pause = Chance::new(seed, "weather pause");
        let rest = Distribution::exponential(Duration::from_millis(5));
        let congested = log_normal(0.3, 0.2);
        let mut sent = 0;
        Self::drawn(Duration::from_secs(1), beats, |seq| {
            sent += SECOND;
            if pause.hits(1e-3) {
                sent += SECOND / 2 + (pause.unit() * 2.5e9) as u64;
            }
            let (way, p) = if seq % 5500 < 5000 {
                (15_000_000 + way.nanos(&rest), 0.001)
            } else {
                (way.nanos(&congested), 0.03)
            };
            (sent, (!lost.hits(p)).then_some(way))
        })
    }

    /// Beats that arrived after these silences. They count as sent when they arrived: a trace of silences does not
    /// know what was the way and what the sender. Time is measured in median silences, each of which is a second here,
    /// and the interval.
    #[must_use]
    pub fn recorded(silences: &[Duration]) -> Self {
        let mut sorted = silences.to_vec();
        sorted.sort_unstable();
        let median = sorted
            .get(sorted.len() / 2)
            .map_or(1.0, Duration::as_secs_f64);
        let mut at = 0;
        let arrivals = (0..).zip(silences).map(|(seq, silence)| {
            at += (silence.as_secs_f64() / median.max(1e-9) * 1e9) as u64;
            let at = Moment::from_nanos(at);
            Arrival { sent: at, at, seq }
        });
        Self {
            interval: Duration::from_secs(1),
            arrivals: arrivals.collect(),
        }
    }

    /// `beat` says of each when it was sent, and how long it was on its way if it arrived, in nanoseconds.
    fn drawn(
        interval: Duration,
        beats: u32,
        mut beat: impl FnMut(u32) -> (u64, Option<u64>),
    ) -> Self {
        let sent = (0..beats).filter_map(|seq| {
            let (sent, way) = beat(seq);
            let at = Moment::from_nanos(sent + way?);
            let sent = Moment::from_nanos(sent);
            Some(Arrival { sent, at, seq })
        });
        let mut arrivals: Vec<Arrival> = sent.collect();
        arrivals.sort_by_key(|arrival| arrival.at);
        let mut newest = None;
        arrivals.retain(|arrival| {
            let fresh = newest.is_none_or(|seq| arrival.seq > seq);
            if fresh {
                newest = Some(arrival.seq);
            }
            fresh
        });
        Self { interval, arrivals }
    }
}
