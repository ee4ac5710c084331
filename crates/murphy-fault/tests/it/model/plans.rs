//! What plans models make, and which they refuse to.

use std::collections::BTreeSet;
use std::time::Duration;

use murphy_core::{Distribution, Seed};
use murphy_fault::{ArmError, Chaos, Deed, Failures, Model, Plan, Profile, TimeLimit, Timing};
use tower::{Layer, service_fn};

use super::cluster::Cluster;
use super::{ASYNCHRONOUS, DELTA, FAILURES, SYNCHRONOUS, partial};
use crate::support::ms;

#[test]
fn each_of_the_nine_is_data() {
    for timing in [SYNCHRONOUS, partial(5_000), ASYNCHRONOUS] {
        for failures in FAILURES {
            let cluster = Cluster::new(1, 5);
            let model = Model::new(timing, failures);
            let plan = model.plan(&cluster.chaos).unwrap();
            let told = plan.describe();
            assert_eq!(Plan::from_toml(&plan.to_toml()).unwrap(), plan, "{model}");
            assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan, "{model}");
            let lies = if failures == Failures::Byzantine {
                4
            } else {
                0
            };
            assert_eq!(plan.faults().len(), 40 + lies, "{model}: {told}");
            let crashes = plan.disturbances().iter();
            let crashes = crashes.filter(|d| matches!(d.deed(), Deed::Crash { .. }));
            let crashes = crashes.count();
            let want = match failures {
                Failures::CrashStop => 2..=2,
                Failures::CrashRecovery => 4..=8,
                _ => 0..=0,
            };
            assert!(want.contains(&crashes), "{model}: {told}");
            let parts = plan.disturbances().len() - crashes;
            assert_eq!(parts > 0, timing == partial(5_000), "{model}: {told}");
        }
    }
}

#[test]
fn one_seed_is_one_plan_and_another_is_another() {
    for failures in FAILURES {
        let model = Model::new(partial(1_000), failures);
        let plan = |seed| model.plan(&Cluster::new(seed, 5).chaos).unwrap();
        assert_eq!(plan(1), plan(1));
        let bare = |seed| plan(seed).seed(Seed::new(0)).to_toml();
        let all: BTreeSet<String> = (0..20).map(bare).collect();
        assert_eq!(all.len(), 20, "{failures}");
    }
    // Also of each draw alone: when they crash, where all do, and who lies.
    let alone = |failures, faulty| -> BTreeSet<String> {
        let model = Model::new(SYNCHRONOUS, failures).faulty(faulty);
        let plan = |seed| model.plan(&Cluster::new(seed, 5).chaos).unwrap();
        let bare = |seed| plan(seed).seed(Seed::new(0)).describe();
        (0..40).map(bare).collect()
    };
    assert_eq!(alone(Failures::CrashStop, 5).len(), 40);
    assert_eq!(alone(Failures::CrashRecovery, 5).len(), 40);
    assert_eq!(alone(Failures::Byzantine, 1).len(), 5);
}

#[test]
fn clients_neither_fail_nor_count() {
    let chaos = Chaos::new(Seed::new(1));
    for node in ["a", "b", "c", "client"] {
        let _ = chaos.node(node);
    }
    chaos.network().link("client", "a").unwrap();
    let model = Model::new(SYNCHRONOUS, Failures::CrashStop).among(["c", "b", "a", "a"]);
    let all = model.clone().faulty(3).faulty_nodes(&chaos).unwrap();
    assert_eq!(all, ["a", "b", "c"].map(Into::into));
    assert_eq!(model.faulty_nodes(&chaos).unwrap().len(), 1);
    // Of those that lie, without being asked: whom a link leads to.
    let liars = Model::new(SYNCHRONOUS, Failures::Byzantine).faulty(1);
    assert_eq!(liars.faulty_nodes(&chaos).unwrap(), ["a".into()]);
}

#[test]
fn what_is_no_model_of_a_chaos_is_refused_by_field_value_and_remedy() {
    let ten = Duration::from_secs(10);
    let with = |timing| Model::new(timing, Failures::CrashStop);
    let synchronous = |delta| with(Timing::Synchronous { delta });
    let year = Duration::from_secs(366 * 24 * 3600);
    for (model, want) in [
        (
            synchronous(ms(1) / 2),
            "model: `delta` is `500us`: use 1ms to 365days",
        ),
        (synchronous(year), "model: `delta` is `1year 18h`"),
        (synchronous(Duration::MAX), "model: `delta` is"),
        (with(partial(3)), "model: `gst` is `3ms`: use 4ms"),
        (
            with(Timing::Asynchronous { typical: ms(0) }),
            "model: `typical` is `0s`",
        ),
        (
            synchronous(ten).within(ms(99)),
            "model: `horizon` is `99ms`: use 100ms",
        ),
        (
            synchronous(ten).faulty(6),
            "model: `faulty` is `6`: there are 5 nodes; 2 faulty ones can be tolerated",
        ),
        (
            synchronous(ten).among(["n1", "m2"]),
            "model: `among` is `m2`: only nodes that `Chaos::node` was asked for can crash",
        ),
        (
            Model::new(ASYNCHRONOUS, Failures::Byzantine).among(["n10"]),
            "model: `among` is `n10`: did you mean `n1`? no link leads there",
        ),
    ] {
        let error = model.plan(&Cluster::new(1, 5).chaos).unwrap_err();
        assert!(error.to_string().starts_with(want), "{want}: {error}");
    }
}

#[test]
fn a_chaos_that_a_model_says_nothing_of_is_refused() {
    let model = Model::new(SYNCHRONOUS, Failures::CrashStop);
    let chaos = Chaos::new(Seed::new(1));
    chaos.network().nodes(["a", "b"]).unwrap();
    let _ = chaos.site("a");
    let _ = chaos.site("nobody->nowhere");
    let says = |model: &Model| model.plan(&chaos).unwrap_err().to_string();
    assert!(says(&model).contains("`links` is `none`"));
    chaos.network().link("a", "b").unwrap();
    assert!(
        says(&model).contains("`nodes` is `none`"),
        "{}",
        says(&model)
    );
    assert!(model.clone().faulty(0).plan(&chaos).is_ok());
    // The way back has a latency of its own.
    let slow = Profile::new().latency(Distribution::fixed(DELTA));
    chaos.network().profile(["b"], ["a"], &slow).unwrap();
    assert!(says(&model).contains("`links` is `a->b`: it has a profile"));
}

#[test]
fn more_crashes_than_a_plan_holds_are_refused() {
    let chaos = Chaos::new(Seed::new(1));
    for n in 0..1_500 {
        let _ = chaos.node(&format!("n{n}"));
    }
    chaos.network().link("n0", "n1").unwrap();
    let model = Model::new(SYNCHRONOUS, Failures::CrashStop);
    assert!(model.plan(&chaos).is_ok());
    let error = model.faulty(1_025).plan(&chaos).unwrap_err().to_string();
    assert!(error.contains("more than the 1024 events"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_cannot_lie_is_refused_by_name() {
    let chaos = Chaos::new(Seed::new(1));
    chaos.network().nodes(["a", "b"]).unwrap();
    let service = service_fn(|n: u64| async move { Ok::<_, std::convert::Infallible>(n) });
    let link = chaos.network().link("a", "b").unwrap();
    let _stack = link.layer().layer(service);
    let model = Model::new(SYNCHRONOUS, Failures::Byzantine).faulty(1);
    let plan = model.plan(&chaos).unwrap();
    let error = chaos.arm(&plan, TimeLimit::None).unwrap_err();
    assert!(matches!(error, ArmError::Unable { .. }));
    assert_eq!(
        error.to_string(),
        "plan: fault `model.lie` asks site `a->b` for what its layer cannot do: build it with `.altering_replies(..)`"
    );
}
