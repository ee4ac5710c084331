//! What every store of leases promises, asked of a real one.

mod ask;
mod contract;
mod crowd;
mod line;
#[cfg(unix)]
pub mod served;

pub use ask::{Ask, granted, held};
pub use contract::{Kind, holds};
pub use crowd::crowd;
pub use line::keeps_its_line;
