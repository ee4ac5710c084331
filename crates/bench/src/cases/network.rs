//! Calls over a link, beside calls that a plain rule treats alike.
//!
//! Here `bare` is the plain rule at a site that is no link, so that what is over it is the network's.

use std::hint::black_box;
use std::time::Duration;

use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{BadRate, Chaos, Fault, FaultService, Leg, Plan, Profile, Rate, TimeLimit};
use tower::Layer;

use super::cases;
use crate::drive::{Run, delayed, ready, silent};
use crate::service::Prompt;

cases! {
    "ready" over "ready" {
        "bare": "a ready service: poll_ready, call, poll, drop" => ready(Prompt::default);
    }
    "box" over "box" {
        "bare": "56 bytes allocated and freed, as a call over a link does" => boxed();
    }
    "rule.passes" over "rule.passes" {
        "bare": "1 rule of probability 1e-9, a site that is no link" => ready(|| ruled(&PLAIN, &[rare()]));
    }
    "network.link_clear" over "rule.passes" {
        "murphy": "the same rule, over a link that nothing disturbs" => ready(|| ruled(&LINK, &[rare()]));
    }
    "network.link_clear_elsewhere" over "rule.passes" {
        "murphy": "the same, while other links are cut" => ready(|| ruled(&ELSEWHERE, &[rare()]));
    }
    "rule.loses" over "rule.loses" {
        "bare": "lost_request(ALWAYS), polled once, every record kept" => silent(|| ruled(&PLAIN, &[lost()]));
    }
    "network.cut" over "rule.loses" {
        "murphy": "no rule, over a link that a partition cuts" => silent(|| ruled(&CUT, &[]));
    }
    "rule.delays" over "rule.delays" {
        "bare": "latency(1 ms, ALWAYS), clock paused, every record kept" => delayed(|| ruled(&PLAIN, &[late()]));
    }
    "network.link_delayed" over "rule.delays" {
        "murphy": "the same rule, over a link that nothing disturbs" => delayed(|| ruled(&LINK, &[late()]));
    }
    "network.profile" over "rule.delays" {
        "murphy": "no rule, over a link whose profile is 1 ms there and nothing back" => delayed(|| {
            LINK.profiled(&Profile::new().latency(millisecond()))
        });
    }
    "network.queue" over "rule.delays" {
        "murphy": "slow_link(1,000/s, 64 places), always empty: 1 ms, as the rule" =>
            delayed(|| ruled(&PLAIN, &[slow(Rate::messages(1e3))]));
    }
    "network.queue_bytes" over "rule.delays" {
        "murphy": "slow_link(8,000 B/s, 64 places), always empty, messages of 8 bytes: 1 ms" => delayed(|| {
            let chaos = PLAIN.chaos();
            let layer = chaos.site(SITE).layer().sizing(|_: &u64| 8, |_: &u64| 8);
            PLAIN.arm(&chaos, &[slow(Rate::bytes(8e3))]);
            layer.layer(Prompt::default())
        });
    }
}

const SITE: &str = "a->b";

/// What lies around the site.
struct Around {
    nodes: &'static [&'static str],
    cut: Option<[&'static str; 2]>,
}

const PLAIN: Around = Around {
    nodes: &[],
    cut: None,
};
const LINK: Around = Around {
    nodes: &["a", "b"],
    cut: None,
};
const ELSEWHERE: Around = Around {
    nodes: &["a", "b", "c", "d"],
    cut: Some(["c", "d"]),
};
const CUT: Around = Around {
    nodes: &["a", "b"],
    cut: Some(["a", "b"]),
};

impl Around {
    fn chaos(&self) -> Chaos {
        let chaos = Chaos::new(Seed::new(1));
        let declared = chaos.network().nodes(self.nodes);
        declared.expect("right names");
        chaos
    }

    /// For as long as its calls last: nothing ends the run.
    fn arm(&self, chaos: &Chaos, faults: &[Fault]) {
        let plan = faults
            .iter()
            .fold(Plan::new(), |plan, fault| plan.with(SITE, fault.clone()));
        let armed = chaos.arm(&plan, TimeLimit::None);
        armed.expect("a right plan").keep();
        if let Some([from, to]) = self.cut {
            for (from, to) in [(from, to), (to, from)] {
                let cut = chaos.network().partition_oneway([from], [to]);
                cut.expect("both are declared").keep();
            }
        }
    }

    fn profiled(&self, profile: &Profile) -> FaultService<Prompt> {
        let chaos = self.chaos();
        let said = chaos.network().profile(["a"], ["b"], profile);
        said.expect("both are declared");
        let service = chaos.site(SITE).layer().layer(Prompt::default());
        self.arm(&chaos, &[]);
        service
    }
}

fn ruled(around: &Around, faults: &[Fault]) -> FaultService<Prompt> {
    let chaos = around.chaos();
    let service = chaos.site(SITE).layer().layer(Prompt::default());
    around.arm(&chaos, faults);
    service
}

fn boxed() -> Run {
    Box::new(|calls| (0..calls).for_each(|_| drop(black_box(Box::new(black_box([1u64; 7]))))))
}

fn millisecond() -> Distribution {
    Distribution::fixed(Duration::from_millis(1))
}

/// As good as never, and asked at every call.
fn rare() -> Fault {
    let rarely = Probability::try_new(1e-9).expect("a probability");
    Fault::latency(millisecond(), rarely)
}

fn late() -> Fault {
    Fault::latency(millisecond(), Probability::ALWAYS)
}

fn lost() -> Fault {
    Fault::lost_request(Probability::ALWAYS)
}

fn slow(rate: Result<Rate, BadRate>) -> Fault {
    let places = 64.try_into().expect("not zero");
    let rate = rate.expect("a rate");
    Fault::slow_link(Leg::Request, rate, places, Probability::ALWAYS)
}
