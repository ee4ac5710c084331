//! System models, each by its definition.

mod cluster;
mod failures;
mod plans;
mod timing;

use std::time::Duration;

use murphy_fault::{Failures, Timing};

use crate::support::ms;

const DELTA: Duration = Duration::from_millis(10);

const SYNCHRONOUS: Timing = Timing::Synchronous { delta: DELTA };

const ASYNCHRONOUS: Timing = Timing::Asynchronous { typical: DELTA };

fn partial(gst: u64) -> Timing {
    Timing::PartiallySynchronous {
        gst: ms(gst),
        delta: DELTA,
    }
}

const FAILURES: [Failures; 3] = [
    Failures::CrashStop,
    Failures::CrashRecovery,
    Failures::Byzantine,
];
