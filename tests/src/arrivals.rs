//! Who came to a service, and what it answered.

use std::sync::{Arc, Mutex, PoisonError};

/// The requests that a service served, in the order in which they came. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Arc<Mutex<Vec<u64>>>);

impl Arrivals {
    /// Notes a request. The answer to it is the request, and ten for each time that it came
    /// before: the original's is 7, the copy's 17.
    pub fn note(&self, request: u64) -> u64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.iter().filter(|r| **r == request).count() as u64;
        all.push(request);
        request + 10 * before
    }

    /// Who came since the last time that this was asked.
    #[must_use]
    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
