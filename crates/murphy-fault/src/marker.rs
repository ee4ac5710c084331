//! [`Marker`]: how to tell the injected from the real.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use murphy_core::{Key, Seed};

use crate::Leg;

/// Which fault made this error or response, for which call, under which seed.
///
/// Every refusal closure is handed one. It is an error itself; [`marker`] finds it again in an
/// error's chain of sources, and the ready-made refusals ([`refuse`](crate::refuse)) keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Marker {
    /// The site that the call passed.
    pub site: Arc<str>,
    /// The fault's name.
    pub fault: Arc<str>,
    /// Before the work (request), or after it (reply).
    pub leg: Leg,
    /// The call's ordinal at its site in this run, from 0.
    pub ordinal: u64,
    /// The call's key; 0 if it had none.
    pub key: Key,
    /// Which passage of the key.
    pub occurrence: u64,
    /// The seed of the run.
    pub seed: Seed,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "injected fault `{}` at `{}`, {} leg of call {} ({}={})",
            self.fault,
            self.site,
            self.leg,
            self.ordinal,
            Seed::VARIABLE,
            self.seed
        )
    }
}

impl Error for Marker {}

/// The marker in an error or among its sources, if the error was injected.
///
/// Looks into `io::Error` too, whose `source` skips the error that it wraps. Gives up after 64
/// sources.
#[must_use]
pub fn marker<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Marker> {
    let mut next = Some(error);
    for _ in 0..64 {
        let error = next?;
        if let Some(marker) = error.downcast_ref::<Marker>() {
            return Some(marker);
        }
        next = match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
