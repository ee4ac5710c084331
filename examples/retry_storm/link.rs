//! The link between clients and a server: it delays each way.

use anyhow::Result;
use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{Chaos, Fault, FaultLayer, Plan, TimeLimit};

/// A link whose requests and replies each take a time from `delay`.
///
/// Armed for as long as its runtime is there, which ends with the run.
pub(crate) fn slow(seed: Seed, delay: &Distribution) -> Result<FaultLayer> {
    const LINK: &str = "clients->server";
    let plan = Plan::new()
        .with(LINK, Fault::latency(delay.clone(), Probability::ALWAYS))
        .with(LINK, Fault::slow_reply(delay.clone(), Probability::ALWAYS))
        // Of what nobody reads.
        .limits(|limits| limits.ledger = 1);
    let chaos = Chaos::new(seed);
    let link = chaos.site(LINK);
    chaos.arm(&plan, TimeLimit::None)?.keep();
    Ok(link.layer())
}
