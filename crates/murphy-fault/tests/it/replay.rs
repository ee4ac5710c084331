//! A ledger is a plan: what was injected can be injected again, call by call.

use std::time::Duration;

use murphy_core::{Distribution, Seed};
use murphy_fault::{
    BadLedger, Burst, Chaos, Fault, Leg, Plan, Record, ScriptPoint, Select, TimeLimit, Transcript,
};
use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt};

use crate::support::{ALWAYS, Echo, SITE, chaos, fixed, ms, p, plan, refusal, within};

/// 300 calls with two occurrences of each key, some of them at the same time.
async fn workload(plan: &Plan, seed: u64) -> (Vec<Record>, murphy_fault::Ledger) {
    let chaos = Chaos::new(Seed::new(seed));
    let mut service = chaos
        .site(SITE)
        .layer()
        .keyed_by(|r: &u64| r % 150)
        .duplicating()
        .refusing(refusal)
        .altering_requests(|r: &mut u64, draw| *r ^= draw.bits())
        .altering_replies(|_: &mut u64, _| {})
        .layer(Echo::taking(ms(3)));
    let armed = chaos.arm(plan, TimeLimit::None).unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..300 {
        let call = service.ready().await.unwrap().call(n);
        calls.spawn(async move {
            let _ = within(ms(500), call).await;
        });
        if n % 7 == 0 {
            tokio::time::sleep(ms(2)).await;
        }
    }
    calls.join_all().await;
    tokio::time::sleep(ms(5000)).await;
    let ledger = armed.disarm();
    (ledger.records(), ledger)
}

fn everything() -> Plan {
    let slow = Distribution::log_normal(ms(20), 0.8).unwrap();
    plan([
        Fault::latency(slow.clone(), p(0.2)),
        Fault::slow_server(slow.clone(), p(0.05)),
        Fault::slow_reply(
            slow.clone(),
            Select::Burst(Burst::try_new(p(0.1), 4.0).unwrap()),
        ),
        Fault::lost_request(p(0.05)).during(ms(20), ms(80)),
        Fault::lost_reply(p(0.05)).giving_up(ms(300)),
        Fault::refused(Select::Every(std::num::NonZeroU64::new(17).unwrap())),
        Fault::refused_after_work(Select::First(3)),
        Fault::duplicate(slow, p(0.1)),
        Fault::reorder(Leg::Request, 2, ms(50), p(0.1)),
        Fault::reorder(Leg::Reply, 2, ms(50), p(0.1)),
        Fault::yielding(Leg::Request, 2, p(0.1)),
        Fault::yielding(Leg::Reply, 1, p(0.1)),
        Fault::altered_request(p(0.1)),
        Fault::altered_reply(p(0.1)).at_most(5),
    ])
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_ledger() {
    let (one, other) = (
        workload(&everything(), 7).await.0,
        workload(&everything(), 7).await.0,
    );
    assert!(one.len() > 150, "{}", one.len());
    assert_eq!(one, other);
    assert_ne!(one, workload(&everything(), 8).await.0);
}

#[tokio::test(start_paused = true)]
async fn an_exported_ledger_replays_to_an_identical_one() {
    let (records, ledger) = workload(&everything(), 7).await;
    let script = ledger.to_plan().unwrap();
    // Whatever way it travels: as it is, as JSON lines, as TOML, as JSON; and under another seed
    // of the chaos, because the plan carries its own.
    let mut lines = Vec::new();
    ledger.write_json_lines(&mut lines).unwrap();
    let from_lines = Transcript::read_json_lines(&*lines).unwrap();
    assert!(from_lines.whole);
    assert_eq!(from_lines.records, ledger.everything());
    for (name, plan) in [
        ("as it is", script.clone()),
        ("as JSON lines", from_lines.to_plan().unwrap()),
        ("as TOML", Plan::from_toml(&script.to_toml()).unwrap()),
        ("as JSON", Plan::from_json(&script.to_json()).unwrap()),
    ] {
        let (replayed, ledger) = workload(&plan, 999).await;
        assert_eq!(replayed.len(), records.len(), "{name}");
        for (a, b) in replayed.iter().zip(&records) {
            assert_eq!(a, b, "{name}");
        }
        assert!(ledger.unreached().is_empty(), "{name}");
        assert_eq!(ledger.digest(), murphy_fault::digest(&records), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_delay_comes_back_as_it_was() {
    let chaos = chaos();
    let mut service = chaos.site(SITE).layer().layer(Echo::default());
    let ever = Fault::latency(Distribution::fixed(Duration::MAX), ALWAYS);
    let armed = chaos.arm(&plan([ever]), TimeLimit::None).unwrap();
    drop(service.ready().await.unwrap().call(1));
    let ledger = armed.disarm();

    let mut text = Vec::new();
    ledger.write_json_lines(&mut text).unwrap();
    let read = Transcript::read_json_lines(&*text).unwrap();
    assert_eq!(read, ledger.transcript());
    assert_eq!(murphy_fault::digest(&read.records), ledger.digest());
    let replayed = chaos
        .arm(&read.to_plan().unwrap(), TimeLimit::None)
        .unwrap();
    drop(service.ready().await.unwrap().call(1));
    assert_eq!(replayed.ledger().records(), ledger.records());
}

#[tokio::test(start_paused = true)]
async fn what_a_replay_does_not_reach_is_named() {
    let (_, ledger) = workload(&everything(), 7).await;
    let script = ledger.to_plan().unwrap();
    let chaos = chaos();
    let service = chaos
        .site(SITE)
        .layer()
        .keyed_by(|r: &u64| *r)
        .duplicating()
        .refusing(refusal);
    let service = service
        .altering_requests(|_: &mut u64, _| {})
        .altering_replies(|_: &mut u64, _| {});
    let service = service.layer(Echo::default());
    let armed = chaos.arm(&script, TimeLimit::None).unwrap();
    let _ = within(ms(500), service.oneshot(3)).await;
    let left = armed.ledger().unreached();
    assert!(left.len() >= ledger.records().len() - 12);
    assert!(left.iter().all(|u| u.site == SITE));
}

#[tokio::test(start_paused = true)]
async fn a_full_ledger_counts_what_it_does_not_keep_and_is_no_plan() {
    let chaos = chaos();
    let mut service = chaos.site(SITE).layer().layer(Echo::default());
    let few = plan([Fault::slow_reply(fixed(0), ALWAYS)]).limits(|l| l.ledger = 3);
    let armed = chaos.arm(&few, TimeLimit::None).unwrap();
    for n in 0..10 {
        service.ready().await.unwrap().call(n).await.unwrap();
    }
    assert_eq!(
        (armed.ledger().records().len(), armed.ledger().overflowed()),
        (3, 7)
    );
    let e = armed.ledger().to_plan().unwrap_err();
    assert!(
        matches!(e, BadLedger::Overflowed { lost: 7 }) && e.to_string().contains("limits.ledger"),
        "{e}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_ledger_is_refused_by_line() {
    let (_, ledger) = workload(&everything(), 7).await;
    let mut lines = Vec::new();
    ledger.write_json_lines(&mut lines).unwrap();
    let text = String::from_utf8(lines).unwrap();
    let broken = |line: usize, change: &dyn Fn(&str) -> String| {
        let all: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(n, l)| {
                if n + 1 == line {
                    change(l)
                } else {
                    l.to_owned()
                }
            })
            .collect();
        Transcript::read_json_lines(all.join("\n").as_bytes())
            .unwrap_err()
            .to_string()
    };
    for (change, says) in [
        (
            &(|l: &str| l[..l.len() / 2].to_owned()) as &dyn Fn(&str) -> String,
            "line 5",
        ),
        (
            &|l: &str| l.replace("\"site\"", "\"sight\""),
            "unknown field `sight`",
        ),
        (
            &|l: &str| l.replace("\"leg\":\"re", "\"leg\":\"side"),
            "unknown variant",
        ),
        (&|_: &str| "null".to_owned(), "line 5"),
        (&|_: &str| String::new(), "records"),
    ] {
        let e = broken(5, change);
        assert!(e.contains(says), "{e}");
    }
    let e = broken(1, &|l| l.replace("\"ledger\":1", "\"ledger\":2"));
    assert!(e.contains("version 2") && e.contains("version 1"), "{e}");
    assert!(broken(1, &|_| String::new()).contains("line 1"));
    // Cut off in the middle: readable, and not whole.
    let cut: Vec<&str> = text.lines().take(9).collect();
    let cut = Transcript::read_json_lines(cut.join("\n").as_bytes()).unwrap();
    assert!(!cut.whole && cut.records.len() == 8);
}

#[test]
fn a_bad_plan_is_refused_by_field_value_and_remedy() {
    let fault = |body: &str| format!("version = 1\n[[fault]]\nsite = \"a->b\"\n{body}\n");
    let loss = |body: &str| fault(&format!("kind = \"loss\"\nleg = \"reply\"\n{body}"));
    for (text, field, says) in [
        (
            loss("probability = 1.3"),
            "fault[0].probability",
            "did you mean 1.3%?",
        ),
        (
            loss("probability = nan"),
            "fault[0].probability",
            "0.0 to 1.0",
        ),
        (
            loss("probability = \"often\""),
            "fault[0].probability",
            "`5%`",
        ),
        (
            loss("probabilty = 0.1"),
            "fault[0].probabilty",
            "did you mean `probability`?",
        ),
        (loss(""), "fault[0]", "exactly one of"),
        (
            loss("probability = 0.1\nevery = 2"),
            "fault[0]",
            "exactly one of",
        ),
        (loss("every = 0"), "fault[0].every", "nonzero"),
        (
            fault("kind = \"yield\"\nleg = \"reply\"\nturns = 0\nprobability = 0.1"),
            "fault[0].turns",
            "1 to 1024",
        ),
        (
            loss("probability = 0.1\nturns = 3"),
            "fault[0].turns",
            "has no `turns`",
        ),
        (
            loss("probability = 0.1\npasses = 3"),
            "fault[0].passes",
            "has no `passes`",
        ),
        (
            fault("kind = \"los\"\nleg = \"reply\"\nprobability = 0.1"),
            "fault[0].kind",
            "did you mean `loss`?",
        ),
        (
            fault("kind = \"loss\"\nprobability = 0.1"),
            "fault[0].leg",
            "names its leg",
        ),
        (
            fault("kind = \"latency\"\nprobability = 0.1"),
            "fault[0].delay",
            "say how long",
        ),
        (
            fault("kind = \"latency\"\nprobability = 0.1\ndelay = \"40\""),
            "fault[0].delay",
            "with its unit",
        ),
        (
            fault(
                "kind = \"latency\"\nprobability = 0.1\ndelay = { uniform = { min = \"2s\", max = \"1s\" } }",
            ),
            "fault[0].delay.uniform.max",
            "swap",
        ),
        (
            fault(
                "kind = \"latency\"\nprobability = 0.1\ndelay = { log_normal = { median = \"2s\", sigma = nan } }",
            ),
            "fault[0].delay.log_normal.sigma",
            "finite",
        ),
        (
            fault("kind = \"latency\"\nprobability = 0.1\ndelay = {}"),
            "fault[0].delay",
            "name one",
        ),
        (
            loss("burst = { loss = 0.9, mean_length = 2.0 }"),
            "fault[0].burst.loss",
            "lower the loss",
        ),
        (
            loss("probability = 0.1\nwindow = { from = \"5s\", until = \"2s\" }"),
            "fault[0].window.until",
            "swap",
        ),
        (
            loss("probability = 0.1\ncalls = [5, 2]"),
            "fault[0].calls",
            "first",
        ),
        (
            loss("script = [{ occurrence = 1 }]"),
            "fault[0].script[0]",
            "call = 17",
        ),
        (
            fault(
                "kind = \"latency\"\nprobability = 0.1\ndelay = { lognormal = { median = \"1s\", sigma = 1 } }",
            ),
            "fault[0].delay.lognormal",
            "did you mean `log_normal`?",
        ),
        (
            loss("probability = true"),
            "fault[0].probability",
            "a number, or a text",
        ),
        (
            loss("probability = 1\nwindow = { from = 2 }"),
            "fault[0].window.from",
            "a duration with its unit",
        ),
        (
            loss("script = [{ key = \"0xzz\" }]"),
            "fault[0].script[0].key",
            "a key: a number",
        ),
        (
            "version = 1\nseed = \"0xzz\"".to_owned(),
            "seed",
            "below 2^64",
        ),
        (
            "version = 1\n[limits]\nratio = 2".to_owned(),
            "limits.ratio",
            "0.0 to 1.0",
        ),
        (
            "version = 1\n[halt]\nlatency = { share = 0.5, after = 3 }".to_owned(),
            "halt.latency.over",
            "2s",
        ),
        ("seed = 1".to_owned(), "version", "version = 1"),
    ] {
        let e = Plan::from_toml(&text).unwrap_err().to_string();
        assert!(
            e.contains(&format!("`{field}`")) && e.contains(says),
            "{text}\n=> {e}"
        );
    }
    assert!(
        Plan::from_toml("version = 2")
            .unwrap_err()
            .to_string()
            .contains("reads version 1")
    );
    assert!(
        Plan::from_toml("version = ")
            .unwrap_err()
            .to_string()
            .contains("not TOML")
    );
    assert!(
        Plan::from_json("{")
            .unwrap_err()
            .to_string()
            .contains("not JSON")
    );
    assert!(
        Plan::from_file("/no/such/plan.toml")
            .unwrap_err()
            .to_string()
            .contains("/no/such/plan.toml")
    );
}

#[test]
fn a_script_names_keys_as_code_does() {
    let text = "version = 1\n[[fault]]\nsite = \"a->b\"\nkind = \"loss\"\nleg = \"reply\"\n\
        script = [{ key = \"order-17\" }, { key = 42 }, { key = \"0x2b\", occurrence = 3 }, { call = 4 }]";
    let plan = Plan::from_toml(text).unwrap();
    let Select::Script(script) = plan.faults()[0].1.select() else {
        panic!("no script")
    };
    let want = [
        ScriptPoint::keyed("order-17", 0),
        ScriptPoint::keyed(42u64, 0),
        ScriptPoint::keyed(0x2bu64, 3),
        ScriptPoint::call(4),
    ];
    assert_eq!(*script, murphy_fault::Script::new(want));
}

#[tokio::test(start_paused = true)]
async fn a_ledgers_file_is_a_plans_file() {
    let (_, ledger) = workload(&everything(), 7).await;
    let path = std::env::temp_dir().join(format!("murphy-{}.jsonl", std::process::id()));
    ledger
        .write_json_lines(std::fs::File::create(&path).unwrap())
        .unwrap();
    let plan = Plan::from_file(&path).unwrap();
    std::fs::write(&path, "no ledger").unwrap();
    let bad = Plan::from_file(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(plan, ledger.to_plan().unwrap());
    assert!(bad.contains("ledger, line 1"), "{bad}");
}

#[test]
fn a_plan_comes_back_from_toml_and_json_as_it_was() {
    let every = everything()
        .seed(Seed::new(u64::MAX))
        .limits(|l| {
            l.ratio = p(0.25);
            l.exclude = vec!["health".into()];
        })
        .halt_on_errors(p(0.5), 10)
        .halt_on_latency(Duration::from_secs(2), p(0.5), 10)
        .with(
            "b->c",
            Fault::lost_reply(ALWAYS)
                .named("x")
                .only("charge")
                .except("refund")
                .calls(3..9)
                .active_in(p(0.5)),
        )
        .with(
            "b->c",
            Fault::latency(Distribution::trace([ms(1), ms(5)]).unwrap(), p(0.1))
                .during(ms(5), Duration::MAX),
        )
        .with(
            "b->c",
            Fault::slow_reply(
                Distribution::empirical([(0.5, ms(1)), (0.99, ms(5))])
                    .unwrap()
                    .at_most(ms(4)),
                p(0.1),
            ),
        );
    assert_eq!(Plan::from_toml(&every.to_toml()).unwrap(), every);
    assert_eq!(Plan::from_json(&every.to_json()).unwrap(), every);
}

proptest! {
    #[test]
    fn no_text_makes_a_plan_or_a_ledger_panic(text in ".{0,200}") {
        let _ = Plan::from_toml(&text);
        let _ = Plan::from_json(&text);
        let _ = Transcript::read_json_lines(text.as_bytes());
    }

    #[test]
    fn no_constructor_panics(a in any::<u64>(), b in any::<u64>(), x in any::<f64>(), name in ".{0,20}") {
        let d = Duration::from_nanos(a);
        let _ = Burst::try_new(murphy_core::Probability::try_new(x).unwrap_or(ALWAYS), x);
        let faults = [
            Fault::reorder(Leg::Reply, a as u32, d, Select::First(b)).named(name.clone()),
            Fault::lost_request(Select::nth([a, b])).giving_up(d).at_most(b).calls(a..b),
            Fault::duplicate(Distribution::fixed(Duration::MAX), ALWAYS).during(Duration::from_nanos(b), d),
        ];
        let plan = faults.into_iter().fold(Plan::new(), |plan, fault| plan.with(name.clone(), fault));
        let _ = (plan.describe(), plan.to_toml(), plan.to_json());
        let chaos = Chaos::new(Seed::new(a));
        let _ = chaos.site(&name).layer();
        let _ = chaos.arm(&plan, TimeLimit::None);
        let _ = murphy_fault::LatencyLayer::new(&name, Distribution::fixed(d), ALWAYS);
    }
}
