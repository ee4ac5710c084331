//! A hundred servers, one of which stalls now and then.

use std::time::Duration;

use anyhow::Result;
use murphy_core::{Distribution, Key, Lane, Point, Scope, Seed, Stream};

/// A millisecond of the model is a second here: tokio's timers are whole milliseconds.
pub(crate) const MS: Duration = Duration::from_secs(1);
const SERVERS: u64 = 100;
/// How often a server stalls in a fetch.
const STALLS: f64 = 2e-4;
/// Which of its keys are hit then.
const HIT: f64 = 0.5;

/// What a key takes when nothing stalls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weather {
    /// A few milliseconds.
    Good,
    /// Ten times that.
    Bad,
}

/// One key of one fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) fetch: u64,
    pub(crate) key: u64,
}

/// What each server takes for each read: a function of the seed, the read and which request for it
/// this is, so that all rows meet the same servers.
#[derive(Clone)]
pub(crate) struct Servers {
    alone: Distribution,
    stall: Distribution,
    takes: Stream,
    picks: Stream,
    stalls: Stream,
    lasts: Stream,
    hits: Stream,
}

impl Servers {
    pub(crate) fn new(seed: Seed, weather: Weather) -> Result<Self> {
        let median = match weather {
            Weather::Good => MS * 4,
            Weather::Bad => MS * 40,
        };
        let stream = |what, lane| Stream::new(seed, "servers", what, lane);
        Ok(Self {
            alone: Distribution::log_normal(median, 0.35)?,
            stall: Distribution::uniform(MS * 500, MS * 2000)?,
            takes: stream("read", Lane::Magnitude),
            picks: stream("hedge", Lane::Magnitude),
            stalls: stream("stall", Lane::Fires),
            lasts: stream("stall", Lane::Magnitude),
            hits: stream("hit", Lane::Fires),
        })
    }

    /// How long this request takes: the first for a read goes to the key's own server, a hedge to
    /// any.
    pub(crate) fn takes(&self, read: Read) -> Duration {
        let attempt = u64::from(Scope::current().attempt());
        let request = Point::keyed(Key::from((read.fetch, read.key)), attempt);
        let server = match attempt {
            1 => read.key % SERVERS,
            _ => (self.picks.at(request).unit() * SERVERS as f64) as u64,
        };
        let alone = self.alone.sample(self.takes.at(request));
        let stalls = Point::keyed(Key::from((read.fetch, server)), 0);
        if self.stalls.at(stalls).unit() >= STALLS {
            return alone;
        }
        // Half of the keys wait for some part of the stall.
        let hit = self.hits.at(request);
        if hit.unit() >= HIT {
            return alone;
        }
        let stall = self.stall.sample(self.lasts.at(stalls));
        alone + stall.mul_f64(hit.nth(1).unit())
    }
}
