//! A monitor with the simplest of detectors.

mod chapter;
mod model;
mod observer;
mod oddities;
mod senders;
mod states;

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use super::*;
use crate::{Beat, Heartbeat};

/// Suspects after a fixed silence; the level is the share of it that is over.
#[derive(Clone, Debug)]
struct Fixed(Duration);

impl Detector for Fixed {
    type State = Moment;

    fn start(&self) -> Moment {
        Moment::ZERO
    }

    fn observe(&self, last: &mut Moment, beat: &Beat) -> Moment {
        *last = beat.at;
        beat.at.plus(self.0)
    }

    fn level(&self, last: &Moment, now: Moment) -> f64 {
        now.since(*last).as_secs_f64() / self.0.as_secs_f64()
    }

    fn threshold(&self) -> f64 {
        1.0
    }
}

type Watched = Monitor<&'static str, Fixed>;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn at(n: u64) -> Moment {
    Moment::from_nanos(n * 1_000_000)
}

const fn beat(node: &'static str, incarnation: u64, seq: u64) -> Heartbeat<&'static str> {
    Heartbeat {
        node,
        incarnation,
        seq,
        sent: at(seq * 1000),
        interval: ms(1000),
    }
}

/// Dead after 3 s of silence.
fn monitor() -> Watched {
    Monitor::new(Fixed(ms(3000)))
}

impl Watched {
    /// Beat `seq` of the first life.
    fn hear(&mut self, now: u64, node: &'static str, seq: u64) {
        self.record_heartbeat(at(now), &beat(node, 1, seq)).unwrap();
    }

    /// All that happened until `now`, a line each.
    fn told(&mut self, now: u64) -> Vec<String> {
        std::iter::from_fn(|| self.poll(at(now)))
            .map(|event| match event {
                Event::Up { node, incarnation } => format!("{node} up in life {incarnation}"),
                Event::Suspect { node, silent } => format!("{node} suspect after {silent:?}"),
                Event::Trusted { node, suspected } => format!("{node} trusted after {suspected:?}"),
                Event::Down { node, silent } => format!("{node} down after {silent:?}"),
                Event::Restarted { node, old, new } => format!("{node} restarted {old} -> {new}"),
                Event::Forgotten { node, incarnation } => {
                    format!("{node} forgotten in {incarnation}")
                }
                Event::ObserverPaused { lost } => format!("paused for {lost:?}"),
                Event::SafeMode { on, suspects } => format!("safe mode {on} with {suspects}"),
            })
            .collect()
    }

    fn believed(&self, now: u64) -> String {
        let mark = |(node, liveness): (&&str, Liveness)| match liveness {
            Liveness::Unknown => format!("{node}? "),
            Liveness::Alive => format!("{node}+ "),
            Liveness::Suspect { .. } => format!("{node}~ "),
            Liveness::Dead { .. } => format!("{node}- "),
        };
        self.nodes(at(now))
            .map(mark)
            .collect::<String>()
            .trim_end()
            .into()
    }
}

const NOTHING: [&str; 0] = [];
