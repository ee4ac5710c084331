//! What every store of leases promises, asked of a real one.

mod ask;
mod contract;
mod counting;
mod crowd;
mod line;
mod majority;
#[cfg(unix)]
pub mod served;

pub use ask::{Ask, granted, held};
pub use contract::{Kind, holds};
pub use counting::Counting;
pub use crowd::crowd;
pub use line::keeps_its_line;
pub use majority::{Act, BoxStore, QUORUM, boxed, one_member_may_be_lost};
