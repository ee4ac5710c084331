//! [`Regions`] and [`Access`]: links that somebody measured.

use std::time::Duration;

use murphy_core::{Distribution, Probability};

use super::profile::{Basis, Profile, Source};
use super::queue::Rate;
use super::{Network, NetworkError};
use crate::plan::nearest;

/// Round trips between the regions of a cloud.
///
/// Averages: a link gets half of one each way, without jitter. What is missing here is what the
/// source did not publish.
#[derive(Clone, Copy, Debug)]
pub struct Regions {
    names: &'static [&'static str],
    /// Round trips in milliseconds, a row a region, in the order of the names.
    rtt_ms: &'static [&'static [f64]],
    preset: &'static str,
    publisher: &'static str,
    date: &'static str,
}

/// No region of the table has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{preset}` has no region `{region}`: {remedy}")]
pub struct UnknownRegion {
    /// The table.
    pub preset: &'static str,
    /// The name.
    pub region: String,
    /// The nearest one, and all of them.
    pub remedy: String,
}

impl Regions {
    /// Eight regions of Amazon's, pinged on 2020-06-05 for "Efficient Replication via Timestamp
    /// Stability" (EuroSys 2021); the data are in the repository `vitorenesduarte/fantoch`.
    pub const AWS: Self = Self {
        preset: "aws",
        publisher: "vitorenesduarte/fantoch, latency_aws (average of ping)",
        date: "2020-06-05",
        names: &[
            "us-east-1",
            "us-west-2",
            "sa-east-1",
            "eu-west-1",
            "eu-central-1",
            "ap-south-1",
            "ap-southeast-1",
            "ap-northeast-1",
        ],
        rtt_ms: &[
            &[0.3, 72.5, 113.0, 70.5, 85.6, 182.0, 236.0, 152.0],
            &[72.5, 0.3, 180.0, 127.0, 158.0, 223.0, 163.0, 101.0],
            &[113.0, 180.0, 0.2, 184.0, 203.0, 299.0, 338.0, 268.0],
            &[70.5, 127.0, 184.0, 0.1, 23.8, 118.0, 187.0, 204.0],
            &[85.6, 158.0, 203.0, 23.8, 0.1, 112.0, 178.0, 244.0],
            &[182.0, 223.0, 299.0, 118.0, 112.0, 0.1, 63.0, 137.0],
            &[236.0, 163.0, 338.0, 187.0, 178.0, 63.0, 0.2, 77.0],
            &[152.0, 101.0, 268.0, 204.0, 244.0, 137.0, 77.0, 0.1],
        ],
    };

    /// The names of the regions.
    #[must_use]
    pub fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// The published round trip between two regions.
    ///
    /// # Errors
    ///
    /// [`UnknownRegion`], with the nearest name.
    pub fn rtt(&self, one: &str, other: &str) -> Result<Duration, UnknownRegion> {
        let (one, other) = (self.index(one)?, self.index(other)?);
        Ok(Duration::from_secs_f64(self.rtt_ms[one][other] / 1e3))
    }

    /// One direction of the link between two regions: half the round trip.
    ///
    /// # Errors
    ///
    /// [`UnknownRegion`], with the nearest name.
    pub fn between(&self, one: &str, other: &str) -> Result<Profile, UnknownRegion> {
        let one_way = self.rtt(one, other)? / 2;
        Ok(Profile::new()
            .latency(Distribution::fixed(one_way))
            .from(Source {
                preset: self.preset,
                publisher: self.publisher,
                date: self.date,
                basis: Basis::RoundTrip,
                measured: true,
            }))
    }

    fn index(&self, region: &str) -> Result<usize, UnknownRegion> {
        self.names.iter().position(|n| *n == region).ok_or_else(|| {
            let guess = nearest(region, self.names.iter().copied());
            let guess = guess.map_or(String::new(), |g| format!("did you mean `{g}`? "));
            UnknownRegion {
                preset: self.preset,
                region: region.chars().take(64).collect(),
                remedy: format!("{guess}known are {}", self.names.join(", ")),
            }
        })
    }
}

/// How a device reaches the network: slow up, slow down, and lossy.
///
/// Its latency is half the published round trip each way. Its loss is of packets, which TCP sends
/// again: to a request it is a delay ([`Fault::resent`](crate::Fault::resent)). Its rate is of bytes,
/// so the layer needs a sizer ([`sizing`](crate::FaultLayer::sizing)): without one, arming is refused, or, where
/// the layer is built later, the rate is not applied and counted as unable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Access {
    preset: &'static str,
    publisher: &'static str,
    date: &'static str,
    measured: bool,
    rtt_ms: u64,
    loss_percent: f64,
    /// kbit/s, down and up.
    kbits: (f64, f64),
}

/// What a modem holds: as many full packets as `netem` does by default.
const PACKETS: u32 = 1000;

impl Access {
    /// A regular 3G connection, as Lighthouse simulates it.
    pub const REGULAR_3G: Self = Self {
        preset: "regular-3g",
        publisher: "Lighthouse, core/config/constants.js (mobileRegular3G)",
        date: "2026 (as read; the source gives none)",
        measured: false,
        rtt_ms: 300,
        loss_percent: 0.0,
        kbits: (700.0, 700.0),
    };

    /// A slow 4G connection, as Lighthouse simulates it.
    pub const SLOW_4G: Self = Self {
        preset: "slow-4g",
        publisher: "Lighthouse, core/config/constants.js (mobileSlow4G)",
        date: "2026 (as read; the source gives none)",
        measured: false,
        rtt_ms: 150,
        loss_percent: 0.0,
        kbits: (1638.4, 750.0),
    };

    /// A satellite in a low orbit.
    pub const LEO: Self = Self {
        preset: "leo",
        publisher: "Ookla, Starlink in the first quarter (median latency and download); \
                    upload and loss: judgement",
        date: "2025-Q1",
        measured: true,
        rtt_ms: 45,
        loss_percent: 0.5,
        kbits: (105_000.0, 15_000.0),
    };

    /// A satellite that stands still.
    pub const GEO: Self = Self {
        preset: "geo",
        publisher: "Ookla, HughesNet in the first quarter (median latency); rates and loss: \
                    judgement",
        date: "2025-Q1",
        measured: true,
        rtt_ms: 683,
        loss_percent: 1.0,
        kbits: (50_000.0, 5_000.0),
    };

    /// Wi-Fi, two walls away.
    pub const POOR_WIFI: Self = Self {
        preset: "poor-wifi",
        publisher: "BeanNetworkTester, weak-wifi; rates: judgement",
        date: "2026 (as read; the source gives none)",
        measured: false,
        rtt_ms: 160,
        loss_percent: 2.0,
        kbits: (5_000.0, 2_000.0),
    };

    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::REGULAR_3G,
        Self::SLOW_4G,
        Self::LEO,
        Self::GEO,
        Self::POOR_WIFI,
    ];

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.preset
    }

    /// The published round trip.
    #[must_use]
    pub fn rtt(&self) -> Duration {
        Duration::from_millis(self.rtt_ms)
    }

    /// What the device sends.
    #[must_use]
    pub fn up(&self) -> Profile {
        self.way(self.kbits.1)
    }

    /// What the device is sent.
    #[must_use]
    pub fn down(&self) -> Profile {
        self.way(self.kbits.0)
    }

    fn way(&self, kbits: f64) -> Profile {
        let mut profile = Profile::new()
            .latency(Distribution::fixed(self.rtt() / 2))
            .from(Source {
                preset: self.preset,
                publisher: self.publisher,
                date: self.date,
                basis: Basis::RoundTrip,
                measured: self.measured,
            });
        if let Ok(share) = Probability::percent(self.loss_percent) {
            profile = profile.resending(share, self.rtt());
        }
        match (Rate::bytes(kbits * 125.0), PACKETS.try_into()) {
            (Ok(rate), Ok(packets)) => profile.rate(rate, packets),
            _ => profile,
        }
    }
}

impl Network {
    /// Puts nodes into regions: all links between them get the latency of that distance, those
    /// within a region its own. From the next arming on, as all profiles.
    ///
    /// # Errors
    ///
    /// [`NetworkError::UnknownNode`], [`NetworkError::UnknownRegion`],
    /// [`NetworkError::InTwoGroups`] for a node that is named twice; then nothing is changed.
    pub fn place<N: AsRef<str>, R: AsRef<str>>(
        &self,
        regions: &Regions,
        nodes: impl IntoIterator<Item = (N, R)>,
    ) -> Result<(), NetworkError> {
        let nodes: Vec<(N, R)> = nodes.into_iter().collect();
        let mut links = Vec::new();
        for (index, (from, here)) in nodes.iter().enumerate() {
            for (to, there) in &nodes {
                let profile = regions.between(here.as_ref(), there.as_ref())?;
                if from.as_ref() != to.as_ref() {
                    links.push(([from.as_ref()], [to.as_ref()], profile));
                }
            }
            self.id(from.as_ref())?;
            let again = |(node, _): &(N, R)| node.as_ref() == from.as_ref();
            if nodes[..index].iter().any(again) {
                let node = from.as_ref().to_owned();
                return Err(NetworkError::InTwoGroups { node });
            }
        }
        for (from, to, profile) in links {
            self.profile(from, to, &profile)?;
        }
        Ok(())
    }

    /// Connects a node to everybody who is declared by now, by what it has at home. From the next
    /// arming on, as all profiles.
    ///
    /// # Errors
    ///
    /// [`NetworkError::UnknownNode`].
    pub fn access(&self, node: &str, access: &Access) -> Result<(), NetworkError> {
        self.id(node)?;
        let others: Vec<_> = self.names().into_iter().filter(|n| **n != *node).collect();
        if others.is_empty() {
            return Ok(());
        }
        self.profile([node], &others, &access.up())?;
        self.profile(&others, [node], &access.down())
    }
}
