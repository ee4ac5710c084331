//! What the examples share.

use std::future::Future;

use tokio::runtime::Builder;

#[cfg(feature = "plot")]
pub mod chart;
#[cfg(unix)]
pub mod process;
pub mod published;

/// Runs a model to its end under a clock of its own, which stands at zero and moves when all wait.
///
/// What the model spawned and left behind ends with it.
///
/// # Panics
///
/// When called within a runtime.
pub fn in_virtual_time<F: Future>(model: F) -> F::Output {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread")
        .block_on(model)
}
