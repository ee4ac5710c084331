//! What survives an unreliable network: the production door.

pub use murphy_core as core;
#[cfg(feature = "policy")]
pub use murphy_policy as policy;
