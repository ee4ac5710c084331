//! A detector over a workload: what mistakes it makes, and how long a crash would go unnoticed.

use murphy_detect::{Beat, Detector, Moment};

use super::workload::Workload;

/// Beats that are not judged: the detector begins to learn.
const WARM: usize = 1000;

/// What a detector did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// How often it suspected a node that lived.
    pub mistakes: u64,
    /// How long it did, in all, in seconds.
    pub mistaken: f64,
    /// The sum of the squares of how long it did.
    pub mistaken_squares: f64,
    /// Judged, in seconds.
    pub watched: f64,
    /// From sending to suspicion if the sender crashes right after a beat: the mean, in seconds.
    pub detection: f64,
    /// The longest.
    pub longest: f64,
    /// The longest silence that was forgiven, in seconds.
    pub patience: f64,
}

impl Outcome {
    /// Mistakes a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.mistakes as f64 / self.watched
    }
}

/// Whether a detector is told that a silence was an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Learns from every silence, as papers have it.
    Nothing,
    /// As a monitor tells it.
    Outages,
}

/// Drives `detector` over the first `beats` of a workload.
#[must_use]
pub fn judge<D: Detector>(detector: &D, workload: &Workload, beats: usize, told: Told) -> Outcome {
    let mut state = detector.start();
    let mut deadline = Moment::MAX;
    let mut outcome = Outcome::default();
    let arrivals = &workload.arrivals[..beats.min(workload.arrivals.len())];
    let warm = WARM.min(arrivals.len() / 10);
    for (n, arrival) in arrivals.iter().enumerate() {
        let late = arrival.at >= deadline;
        if late && n > warm {
            let seconds = arrival.at.nanos_since(deadline) as f64 * 1e-9;
            outcome.mistakes += 1;
            outcome.mistaken += seconds;
            outcome.mistaken_squares += seconds * seconds;
        }
        let beat = Beat {
            at: arrival.at,
            sent: arrival.sent,
            seq: arrival.seq.into(),
            interval: workload.interval,
            ends_outage: late && told == Told::Outages,
        };
        deadline = detector.observe(&mut state, &beat);
        if n >= warm {
            let detection = deadline.nanos_since(arrival.sent) as f64 * 1e-9;
            outcome.detection += detection;
            outcome.longest = outcome.longest.max(detection);
            let patience = deadline.nanos_since(arrival.at) as f64 * 1e-9;
            outcome.patience = outcome.patience.max(patience);
        }
    }
    outcome.detection /= (arrivals.len() - warm).max(1) as f64;
    if let (Some(first), Some(last)) = (arrivals.get(warm), arrivals.last()) {
        outcome.watched = last.at.nanos_since(first.at) as f64 * 1e-9;
    }
    outcome
}
