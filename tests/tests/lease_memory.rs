//! What every store of leases promises, of the one in memory.

use murphy_lease::MemoryStore;
use tests::lease::{Kind, holds};
use tests::ms;

#[tokio::test]
async fn the_contract_holds() {
    let kind = Kind {
        shortest: ms(1),
        late: ms(20),
        waits: true,
        is_fair: true,
        catches_up: false,
    };
    holds(&MemoryStore::new(), kind).await;
}
