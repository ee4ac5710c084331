//! Fault layers that let every call pass.

use axum::Router;
use axum::routing::get;
use murphy_core::{Distribution, Probability, Seed};
use murphy_fault::{Armed, Chaos, Fault, FaultService, Plan, TimeLimit};
use seatbelt::ResilienceContext;
use seatbelt::chaos::injection::Injection;
use std::time::Duration;
use tick::Clock;
use tower::Layer;
use tower::layer::util::Identity;
use tower_fault::error::ErrorLayer;
use tower_resilience_chaos::{ChaosLayer, CustomErrorFn};

use super::cases;
use crate::drive::{Run, cloned, ready, routed};
use crate::service::{Broken, Prompt};

cases! {
    "ready" over "ready" {
        "bare": "a ready service: poll_ready, call, poll, drop" => ready(Prompt::default);
    }
    "fault.disarmed" over "ready" {
        "murphy": "a site that is not armed" => ready(disarmed);
        "tower-resilience": "ChaosLayer, nothing configured" => ready(|| resilience().layer(Prompt::default()));
        "seatbelt": "Injection, disabled" => ready(|| seatbelt(true, Prompt::default()));
        "tower-fault": "ErrorLayer, decider false" => ready(|| ErrorLayer::new(false, broken).layer(Prompt::default()));
    }
    "fault.disarmed_x4" over "ready" {
        "murphy": "four layers, stacked" => ready(|| {
            let layer = || Chaos::new(Seed::new(1)).site("a->b").layer();
            layer().layer(layer().layer(layer().layer(disarmed())))
        });
        "tower-resilience": "four layers, stacked" => ready(|| {
            let layer = resilience();
            layer.layer(layer.layer(layer.layer(layer.layer(Prompt::default()))))
        });
        "seatbelt": "four layers, stacked" => ready(||
            seatbelt(true, seatbelt(true, seatbelt(true, seatbelt(true, Prompt::default()))))
        );
        "tower-fault": "four layers, stacked" => ready(|| {
            let layer = ErrorLayer::new(false, broken);
            layer.layer(layer.layer(layer.layer(layer.layer(Prompt::default()))))
        });
    }
    "fault.armed" over "ready" {
        "murphy": "1 rule of probability 1e-9, positional, ledger on" => armed(1, ready);
        "tower-resilience": "ChaosLayer, error rate 0" => ready(|| resilience_rate_0().layer(Prompt::default()));
        "seatbelt": "Injection, rate 0" => ready(|| seatbelt(false, Prompt::default()));
        "tower-fault": "ErrorLayer, rate 0" => ready(|| ErrorLayer::new(0.0, broken).layer(Prompt::default()));
    }
    "fault.armed_5_rules" over "ready" {
        "murphy": "5 rules of probability 1e-9, positional, ledger on" => armed(5, ready);
    }
    "fault.keyed" over "ready" {
        "murphy": "1 rule of probability 1e-9, 4096 keys in turn, ledger on" => keyed(1);
    }
    "fault.keyed_5_rules" over "ready" {
        "murphy": "5 rules of probability 1e-9, 4096 keys in turn, ledger on" => keyed(5);
    }
    "clone" over "clone" {
        "bare": "as ready, each call through its own clone" => cloned(Prompt::default);
    }
    "clone.disarmed" over "clone" {
        "murphy": "a site that is not armed" => cloned(disarmed);
        "tower-resilience": "ChaosLayer, nothing configured" => cloned(|| resilience().layer(Prompt::default()));
        "seatbelt": "Injection, disabled" => cloned(|| seatbelt(true, Prompt::default()));
        "tower-fault": "ErrorLayer, decider false" => cloned(|| ErrorLayer::new(false, broken).layer(Prompt::default()));
    }
    "clone.armed" over "clone" {
        "murphy": "1 rule, the clones' template has not been called" => armed(1, cloned);
        "tower-resilience": "ChaosLayer, error rate 0" => cloned(|| resilience_rate_0().layer(Prompt::default()));
        "seatbelt": "Injection, rate 0" => cloned(|| seatbelt(false, Prompt::default()));
        "tower-fault": "ErrorLayer, rate 0" => cloned(|| ErrorLayer::new(0.0, broken).layer(Prompt::default()));
    }
    "route" over "route" {
        "bare": "an axum route under a layer that does nothing" => routed(router().layer(Identity::new()));
    }
    "route.disarmed" over "route" {
        "murphy": "as `.layer` of the router, not armed" => routed(
            router().layer(Chaos::new(Seed::new(1)).site("a->b").layer())
        );
    }
    "route.armed" over "route" {
        "murphy": "as `.layer` of the router, 1 rule" => {
            let chaos = Chaos::new(Seed::new(1));
            let router = router().layer(chaos.site("a->b").layer());
            keep(arm(&chaos, 1), routed(router))
        };
    }
}

fn broken(_: &u64) -> Broken {
    Broken
}

fn disarmed() -> FaultService<Prompt> {
    Chaos::new(Seed::new(1))
        .site("a->b")
        .layer()
        .layer(Prompt::default())
}

type Made = Box<dyn FnOnce() -> FaultService<Prompt>>;

fn armed(rules: usize, drive: fn(Made) -> Run) -> Run {
    let chaos = Chaos::new(Seed::new(1));
    let service = chaos.site("a->b").layer().layer(Prompt::default());
    keep(arm(&chaos, rules), drive(Box::new(|| service)))
}

fn keyed(rules: usize) -> Run {
    let chaos = Chaos::new(Seed::new(1));
    let layer = chaos
        .site("a->b")
        .layer()
        .keyed_by(|request: &u64| *request);
    keep(arm(&chaos, rules), ready(|| layer.layer(Prompt::default())))
}

/// Rules that ask chance at every call, and are as good as never told yes.
fn arm(chaos: &Chaos, rules: usize) -> Armed {
    let rarely = Probability::try_new(1e-9).expect("a probability");
    let delay = || Distribution::fixed(Duration::from_millis(1));
    let faults = [
        Fault::latency(delay(), rarely),
        Fault::slow_server(delay(), rarely),
        Fault::slow_reply(delay(), rarely),
        Fault::lost_request(rarely),
        Fault::lost_reply(rarely),
    ];
    let plan = faults
        .into_iter()
        .take(rules)
        .fold(Plan::new(), |plan, fault| plan.with("a->b", fault));
    chaos.arm(&plan, TimeLimit::None).expect("a right plan")
}

/// The run lasts as long as its calls.
fn keep(armed: Armed, mut run: Run) -> Run {
    Box::new(move |calls| {
        let _armed = &armed;
        run(calls);
    })
}

fn router() -> Router {
    Router::new().route("/", get(async || "ok"))
}

fn resilience() -> ChaosLayer {
    ChaosLayer::builder().build()
}

fn resilience_rate_0() -> ChaosLayer<CustomErrorFn<fn(&u64) -> Broken>> {
    let errors = ChaosLayer::builder().error_fn(broken as fn(&u64) -> Broken);
    errors.error_rate(0.0).build()
}

fn seatbelt<S>(disabled: bool, inner: S) -> Injection<u64, Result<u64, Broken>, S> {
    let context = ResilienceContext::new(Clock::new_tokio());
    let layer = Injection::layer("a->b", &context)
        .rate(0.0)
        .output_error(Broken);
    match disabled {
        true => layer.disable().layer(inner),
        false => layer.layer(inner),
    }
}
