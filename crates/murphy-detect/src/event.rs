//! What is told of it all: the crate's docs list it.

use std::fmt;

use tracing::Span;

use crate::metered::{count, gauge};
use crate::{Event, Refused, TARGET, Tally};

/// Something that an observer came to believe.
pub(crate) fn happened<N: fmt::Debug>(site: &str, event: &Event<N>) {
    match event {
        Event::Up { node, incarnation } => {
            count("murphy_detect_up_total", site);
            tracing::info!(name: "node.up", target: TARGET, site, ?node, incarnation, "up");
        }
        Event::Suspect { node, silent } => {
            count("murphy_detect_suspected_total", site);
            tracing::warn!(name: "node.suspect", target: TARGET, site, ?node, ?silent, "suspected");
        }
        Event::Trusted { node, suspected } => {
            count("murphy_detect_trusted_total", site);
            tracing::info!(name: "node.trusted", target: TARGET, site, ?node, ?suspected, "trusted again");
        }
        Event::Down { node, silent } => {
            count("murphy_detect_down_total", site);
            tracing::warn!(name: "node.down", target: TARGET, site, ?node, ?silent, "down");
        }
        Event::Restarted { node, old, new } => {
            count("murphy_detect_restarted_total", site);
            tracing::warn!(name: "node.restarted", target: TARGET, site, ?node, old, new, "restarted");
        }
        Event::Forgotten { node, incarnation } => {
            count("murphy_detect_forgotten_total", site);
            tracing::info!(name: "node.forgotten", target: TARGET, site, ?node, incarnation, "forgotten");
        }
        Event::ObserverPaused { lost } => {
            count("murphy_detect_observer_paused_total", site);
            tracing::warn!(name: "observer.paused", target: TARGET, site, ?lost, "stood still");
        }
        Event::SafeMode { on, suspects } => {
            count("murphy_detect_safe_mode_total", site);
            tracing::warn!(name: "observer.safe_mode", target: TARGET, site, on, suspects, "safe mode");
        }
    }
}

/// How many are in which phase.
pub(crate) fn tally(site: &str, tally: Tally) {
    gauge("murphy_detect_alive", site, tally.alive);
    gauge("murphy_detect_suspect", site, tally.suspect);
    gauge("murphy_detect_dead", site, tally.dead);
}

/// A beat did not count.
pub(crate) fn refused(site: &str, why: &Refused) {
    count("murphy_detect_refused_total", site);
    tracing::debug!(name: "beat.refused", target: TARGET, site, %why, "refused");
}

/// What a beat is sent in, and its answer waited for.
pub(crate) fn sending(seq: u64) -> Span {
    tracing::debug_span!(target: TARGET, "heartbeat.send", seq)
}

/// A beat was not sent, or not answered.
pub(crate) fn failed(site: &str, why: &dyn fmt::Display) {
    count("murphy_detect_beats_failed_total", site);
    tracing::debug!(name: "beat.failed", target: TARGET, site, %why, "failed");
}

/// A sender begins a new life, because an observer knows of a later one.
pub(crate) fn renewed(site: &str, old: u64, new: u64) {
    count("murphy_detect_renewed_total", site);
    tracing::warn!(name: "beat.renewed", target: TARGET, site, old, new, "begins a new life");
}

/// Bytes that were no beat.
#[cfg(any(feature = "udp", feature = "http"))]
pub(crate) fn dropped(site: &str, why: &crate::wire::BadMessage) {
    count("murphy_detect_dropped_total", site);
    tracing::debug!(name: "wire.dropped", target: TARGET, site, %why, "no beat");
}

/// A socket failed.
#[cfg(feature = "udp")]
pub(crate) fn socket_failed(site: &str, error: &dyn fmt::Display) {
    count("murphy_detect_socket_failed_total", site);
    tracing::debug!(name: "wire.failed", target: TARGET, site, %error, "the socket failed");
}
