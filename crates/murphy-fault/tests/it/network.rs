//! Networks: what a cut loses, what a hold keeps, and what is left when they end.

mod cut;
mod door;
mod guard;
mod hold;
mod late;
mod model;
mod preset;
mod slow;
mod sum;

use std::collections::BTreeMap;
use std::time::Duration;

use murphy_fault::{Armed, Chaos, FaultService, Ledger, Network, Plan, TimeLimit};
use tower::{Layer, ServiceExt};

use crate::support::{Echo, chaos, ms, within};

/// How long a caller waits for what does not come.
pub(crate) const IMPATIENT: Duration = ms(50);

/// A chaos with nodes, and a run that is on.
pub(crate) fn armed(nodes: &[&str]) -> (Chaos, Network, Armed) {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(nodes).unwrap();
    let armed = run(&chaos);
    (chaos, network, armed)
}

/// A run without faults.
pub(crate) fn run(chaos: &Chaos) -> Armed {
    chaos.arm(&Plan::new(), TimeLimit::None).unwrap()
}

/// The link from `from` to `to`, with an echo at its end.
pub(crate) fn wire(chaos: &Chaos, from: &str, to: &str) -> (FaultService<Echo>, Echo) {
    let echo = Echo::default();
    let site = chaos.site(&format!("{from}->{to}"));
    (site.layer().layer(echo.clone()), echo)
}

/// What comes of one call: whether the service ran, and whether the caller heard of it.
pub(crate) async fn call(wire: &(FaultService<Echo>, Echo)) -> (bool, bool) {
    let before = wire.1.began();
    let heard = within(IMPATIENT, wire.0.clone().oneshot(7)).await.is_some();
    (wire.1.began() > before, heard)
}

pub(crate) const WELL: (bool, bool) = (true, true);
pub(crate) const NEVER_RAN: (bool, bool) = (false, false);
pub(crate) const UNHEARD: (bool, bool) = (true, false);

/// What the ledger says, a line a record: site, fault, outcome.
pub(crate) fn lines(ledger: &Ledger) -> Vec<String> {
    let records = ledger.records().into_iter();
    records
        .map(|r| format!("{} {} {:?}", r.site, r.fault, r.outcome))
        .collect()
}

/// How often which fault had which end.
pub(crate) fn ends(ledger: &Ledger) -> BTreeMap<String, u64> {
    let mut ends = BTreeMap::new();
    for record in ledger.records() {
        let end = format!("{} {:?}", record.fault, record.outcome);
        *ends.entry(end).or_default() += 1;
    }
    ends
}

/// What was done to the world.
pub(crate) fn events(ledger: &Ledger) -> Vec<String> {
    ledger.events().iter().map(ToString::to_string).collect()
}
