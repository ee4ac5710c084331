//! Waiting until nothing is under way any more.

use murphy_fault::{Ledger, Outcome};

use crate::ms;

/// Waits until each entry of a ledger has its outcome, under a paused clock or a real one.
///
/// # Panics
///
/// If one has none after ten seconds and more.
pub async fn quiet(ledger: &Ledger) {
    for _ in 0..2_000 {
        let records = ledger.records();
        if records.iter().all(|r| r.outcome != Outcome::UnderWay) {
            return;
        }
        tokio::time::sleep(ms(5)).await;
    }
    panic!("still under way: {:?}", ledger.records());
}
