//! Cuts and holds beside the faults of a plan.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use murphy_fault::{Chaos, Fault, Finding, Grade, Ledger, Network, Plan, TimeLimit};
use tower::{BoxError, Layer, ServiceExt, service_fn};

use super::{IMPATIENT, armed, events, lines};
use crate::support::{ALWAYS, Echo, SITE, arm, chaos, fixed, ms, p, refusal, within};

const BACK: &str = "payments->api";

fn world() -> (Chaos, Network) {
    let chaos = chaos();
    let network = chaos.network();
    network.nodes(["api", "payments", "bank"]).unwrap();
    (chaos, network)
}

/// One call under `fault` and a cut of requests, or of replies: the times that the service ran,
/// whether the caller heard, and the ledger.
async fn cut_call(fault: Fault, requests: bool) -> (u64, bool, Vec<String>) {
    let (chaos, network) = world();
    let echo = Echo::default();
    let layer = chaos.site(SITE).layer().duplicating().refusing(refusal);
    let service = layer.layer(echo.clone());
    let armed = arm(&chaos, [fault]);
    let _cut = match requests {
        true => network.partition_oneway(["api"], ["payments"]).unwrap(),
        false => network.partition_oneway(["payments"], ["api"]).unwrap(),
    };
    let heard = within(ms(1000), service.oneshot(7)).await.is_some();
    tokio::time::sleep(ms(1000)).await;
    let lines = armed.ledger().records().into_iter();
    let lines = lines.map(|r| format!("{} {:?} {:?}", r.fault, r.finding, r.outcome));
    (echo.ended(), heard, lines.collect())
}

#[tokio::test(start_paused = true)]
async fn a_cut_wins_over_the_plan() {
    const CUT: &str = "link.partition Injected NeverRan";
    const UNHEARD: &str = "link.partition.reply Injected Ran";
    for (name, fault, cuts_requests, runs, want) in [
        (
            "refusal",
            Fault::refused(ALWAYS),
            true,
            0,
            vec![CUT, "refused Masked Nothing"],
        ),
        (
            "delay",
            Fault::latency(fixed(5), ALWAYS),
            true,
            0,
            vec![CUT, "latency Masked Nothing"],
        ),
        (
            "copy",
            Fault::duplicate(fixed(5), ALWAYS),
            true,
            0,
            vec![CUT, "duplicate Masked Nothing"],
        ),
        (
            "loss",
            Fault::lost_request(ALWAYS),
            true,
            0,
            vec![CUT, "lost-request Masked Nothing"],
        ),
        (
            "lost reply",
            Fault::lost_reply(ALWAYS),
            true,
            0,
            vec![CUT, "lost-reply Masked Nothing"],
        ),
        (
            "late refusal",
            Fault::refused_after_work(ALWAYS),
            false,
            1,
            vec!["refused-after-work Injected Ran", UNHEARD],
        ),
        (
            "slow reply",
            Fault::slow_reply(fixed(5), ALWAYS),
            false,
            1,
            vec!["slow-reply Injected Ran", UNHEARD],
        ),
        (
            "slow server",
            Fault::slow_server(fixed(5), ALWAYS),
            false,
            1,
            vec!["slow-server Injected Ran", UNHEARD],
        ),
        (
            "lost reply",
            Fault::lost_reply(ALWAYS),
            false,
            1,
            vec!["lost-reply Injected Ran"],
        ),
        (
            "copy",
            Fault::duplicate(fixed(5), ALWAYS),
            false,
            2,
            vec!["duplicate Injected Ran", UNHEARD],
        ),
    ] {
        let (ran, heard, lines) = cut_call(fault, cuts_requests).await;
        assert_eq!((ran, heard), (runs, false), "{name}");
        assert_eq!(lines, want, "{name}");
    }
    // What is refused before the work has no reply leg.
    let (ran, heard, lines) = cut_call(Fault::refused(ALWAYS), false).await;
    assert_eq!((ran, heard), (0, true));
    assert_eq!(lines, ["refused Injected Refused"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_is_a_reply_and_is_held_like_one() {
    let (chaos, network) = world();
    let echo = Echo::default();
    let service = chaos
        .site(SITE)
        .layer()
        .refusing(refusal)
        .layer(echo.clone());
    let armed = arm(&chaos, [Fault::refused_after_work(ALWAYS)]);
    let held = network.hold(["payments"], ["api"]).unwrap();
    let reply = tokio::spawn(service.oneshot(7));
    tokio::time::sleep(ms(50)).await;
    assert_eq!((echo.ended(), reply.is_finished()), (1, false));
    held.release();
    assert!(reply.await.unwrap().is_err());
    assert_eq!(
        lines(&armed.ledger()),
        [
            "api->payments refused-after-work Refused",
            "api->payments link.hold.reply Refused"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn copies_are_held_and_let_go_behind_their_originals() {
    let (chaos, network) = world();
    let echo = Echo::default();
    let service = chaos.site(SITE).layer().duplicating().layer(echo.clone());
    let armed = arm(&chaos, [Fault::duplicate(fixed(0), ALWAYS)]);
    let held = network.hold(["api"], ["payments"]).unwrap();
    let callers: Vec<_> = (0..3)
        .map(|n| tokio::spawn(service.clone().oneshot(n)))
        .collect();
    tokio::time::sleep(ms(50)).await;
    assert_eq!(echo.began(), 0);
    held.release();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    tokio::time::sleep(ms(50)).await;
    assert_eq!(echo.seen(), [0, 0, 1, 1, 2, 2]);
    for record in armed.ledger().records() {
        let want = if record.fault == "duplicate" {
            "Ran"
        } else {
            "Delivered"
        };
        assert_eq!(format!("{:?}", record.outcome), want, "{}", record.fault);
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_copy_departs_into_a_cut_that_its_original_escaped() {
    let (chaos, network) = world();
    let echo = Echo::default();
    let service = chaos.site(SITE).layer().duplicating().layer(echo.clone());
    let armed = arm(&chaos, [Fault::duplicate(fixed(0), ALWAYS)]);
    let held = network.hold(["api"], ["payments"]).unwrap();
    let reply = tokio::spawn(within(ms(1000), service.oneshot(7)));
    tokio::time::sleep(ms(50)).await;
    let _cut = network.partition_oneway(["api"], ["payments"]).unwrap();
    held.release();
    assert!(reply.await.unwrap().is_none());
    assert_eq!(echo.began(), 0);
    let records = armed.ledger().records();
    assert!(
        records
            .iter()
            .all(|r| format!("{:?}", r.outcome) == "NeverRan"),
        "{records:?}"
    );
}

/// Ten for each time that it was asked before.
fn tired() -> (impl Fn(u64) -> TiredReply + Clone, Arc<AtomicU64>) {
    let ran = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&ran);
    let serve = move |n: u64| -> TiredReply {
        let n = n + 10 * count.fetch_add(1, SeqCst);
        Box::pin(async move { Ok(n) })
    };
    (serve, ran)
}

type TiredReply = std::pin::Pin<Box<dyn Future<Output = Result<u64, BoxError>> + Send>>;

#[tokio::test(start_paused = true)]
async fn the_reply_of_a_copy_departs_as_well() {
    for (name, cut, held, want) in [
        (
            "on a whole link the last reply is kept",
            false,
            false,
            (17, 100),
        ),
        ("one that departs into a cut is none", true, false, (7, 100)),
        ("one that is held is later", false, true, (17, 200)),
    ] {
        let (chaos, network) = world();
        let (serve, ran) = tired();
        let service = chaos
            .site(SITE)
            .layer()
            .duplicating()
            .layer(service_fn(serve));
        let armed = arm(
            &chaos,
            [Fault::duplicate(fixed(100), ALWAYS).keeping_last()],
        );
        let start = tokio::time::Instant::now();
        let reply = tokio::spawn(service.oneshot(7));
        tokio::time::sleep(ms(50)).await;
        let cut = cut.then(|| network.partition_oneway(["payments"], ["api"]).unwrap());
        let held = held.then(|| network.hold(["payments"], ["api"]).unwrap());
        tokio::time::sleep(ms(150)).await;
        drop((cut, held));
        let reply = reply.await.unwrap().unwrap();
        assert_eq!(ran.load(SeqCst), 2, "{name}");
        assert_eq!(reply, want.0, "{name}");
        let _ = (start, want.1);
        let ends = super::ends(&armed.ledger());
        assert_eq!(
            ends.len(),
            1 + usize::from(name != "on a whole link the last reply is kept"),
            "{name}: {ends:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_whose_reply_is_held_does_not_outlive_its_caller_for_it() {
    let (chaos, network) = world();
    let (serve, ran) = tired();
    let service = chaos
        .site(SITE)
        .layer()
        .duplicating()
        .layer(service_fn(serve));
    let _armed = arm(&chaos, [Fault::duplicate(fixed(10), ALWAYS).keeping_last()]);
    let reply = tokio::spawn(within(ms(30), service.oneshot(7)));
    tokio::time::sleep(ms(5)).await;
    let _held = network.hold(["payments"], ["api"]).unwrap();
    assert!(reply.await.unwrap().is_none());
    tokio::time::sleep(ms(5)).await;
    assert_eq!(ran.load(SeqCst), 2);
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert_eq!(tasks, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_worked_on_though_its_request_was_held_and_its_caller_left() {
    let (chaos, network) = world();
    let echo = Echo::default();
    let service = chaos.site(SITE).layer().layer(echo.clone());
    let armed = arm(&chaos, [Fault::lost_reply(ALWAYS)]);
    let held = network.hold(["api"], ["payments"]).unwrap();
    assert!(within(ms(10), service.oneshot(7)).await.is_none());
    held.release();
    tokio::time::sleep(ms(10)).await;
    assert_eq!(echo.ended(), 1);
    let want = [
        "api->payments link.hold Ran",
        "api->payments lost-reply Ran",
    ];
    assert_eq!(lines(&armed.ledger()), want);
}

#[tokio::test(start_paused = true)]
async fn any_call_can_pass_a_link() {
    let (chaos, network, armed) = armed(&["api", "db"]);
    let site = network.link("api", "db").unwrap();
    let ran = AtomicU64::new(0);
    let query = || {
        ran.fetch_add(1, SeqCst);
        async { 3 }
    };
    let cut = network.partition_oneway(["api"], ["db"]).unwrap();
    assert!(
        within(IMPATIENT, site.run("q", query).inline().into_future())
            .await
            .is_none()
    );
    assert_eq!(ran.load(SeqCst), 0);
    cut.heal();
    let held = network.hold(["db"], ["api"]).unwrap();
    {
        let rows = within(IMPATIENT, site.run("q", query).inline().into_future()).await;
        assert!(rows.is_none());
    }
    held.release();
    assert_eq!(site.run("q", query).inline().await, 3);
    let want = [
        "api->db link.partition NeverRan",
        "api->db link.hold.reply Ran",
    ];
    assert_eq!(lines(&armed.ledger()), want);
    let _ = chaos;
}

/// A hundred keyed calls at each of two sites, with or without a cut of the one.
async fn workload(plan: &Plan, disturbed: bool) -> Ledger {
    let (chaos, network) = world();
    let sites = [SITE, BACK, "api->bank"];
    let services = sites.map(|site| {
        let layer = chaos.site(site).layer().keyed_by(|n: &u64| *n);
        layer.layer(Echo::default())
    });
    let armed = chaos.arm(plan, TimeLimit::None).unwrap();
    let mut cut = None;
    for n in 0..100 {
        if disturbed && n == 20 {
            cut = Some(network.partition(["payments"], ["api", "bank"]).unwrap());
        }
        if disturbed && n == 40 {
            cut = Some(network.partition_oneway(["payments"], ["api"]).unwrap());
        }
        if n == 60 {
            cut = None;
        }
        for service in &services {
            let _ = within(ms(20), service.clone().oneshot(n)).await;
        }
    }
    drop(cut);
    armed.ledger()
}

fn busy() -> Plan {
    [SITE, BACK, "api->bank"]
        .iter()
        .fold(Plan::new(), |plan, site| {
            plan.with(*site, Fault::latency(fixed(5), p(0.3)))
                .with(*site, Fault::lost_reply(p(0.2)))
        })
}

/// Which calls the plan struck, wherever `site` says.
fn struck(ledger: &Ledger, site: impl Fn(&str) -> bool) -> BTreeSet<(String, String, u64)> {
    let ours = |fault: &str| fault.starts_with("link.");
    let records = ledger.records().into_iter();
    let records = records.filter(|r| site(&r.site) && !ours(&r.fault));
    records.map(|r| (r.site, r.fault, r.ordinal)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_partition_moves_no_fate() {
    let plan = busy();
    let (quiet, disturbed) = (workload(&plan, false).await, workload(&plan, true).await);
    let all = struck(&quiet, |_| true);
    assert!(all.len() > 60);
    assert_eq!(all, struck(&disturbed, |_| true));
    // On a cut link they are masked; elsewhere nothing is different.
    let elsewhere = |ledger: &Ledger| {
        let records = ledger
            .records()
            .into_iter()
            .filter(|r| r.site == "api->bank");
        records
            .map(|r| (r.fault, r.key, r.outcome))
            .collect::<Vec<_>>()
    };
    assert_eq!(elsewhere(&quiet), elsewhere(&disturbed));
    let masked = disturbed
        .records()
        .iter()
        .filter(|r| r.finding == Finding::Masked)
        .count();
    assert!(masked > 10);
    assert_eq!(disturbed.grade(), Grade::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_run_with_cuts_replays_its_plan() {
    let first = workload(&busy(), true).await;
    assert!(
        first
            .records()
            .iter()
            .any(|r| r.fault == "link.partition.reply")
    );
    let script = first.to_plan().unwrap();
    // Under the same disturbances: the same ledger.
    let again = workload(&script, true).await;
    assert_eq!(again.records(), first.records());
    assert_eq!(events(&again), events(&first));
    // Without them: the plan's own faults, at the same calls.
    let quiet = workload(&script, false).await;
    assert_eq!(struck(&quiet, |_| true), struck(&first, |_| true));
    let mut text = Vec::new();
    first.write_json_lines(&mut text).unwrap();
    let read = murphy_fault::Transcript::read_json_lines(&*text).unwrap();
    assert_eq!(read.to_plan().unwrap(), script);
    assert_eq!(read.events.len(), 4);
}

#[test]
fn a_disturbed_site_repeats_by_its_ordinals() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (chaos, network) = world();
        let service = |site: &str| {
            let layer = chaos.site(site).layer().keyed_by(|n: &u64| *n);
            layer.layer(Echo::default())
        };
        let (here, there) = (service(SITE), service("api->bank"));
        let armed = chaos.arm(&Plan::new(), TimeLimit::None).unwrap();
        let grade = || armed.ledger().grade();
        here.clone().oneshot(1).await.unwrap();
        let _cut = network.isolate("payments").unwrap();
        there.oneshot(1).await.unwrap();
        assert_eq!(grade(), Grade::Keyed);
        assert!(within(ms(5), here.oneshot(2)).await.is_none());
        // When it was cut, no key says.
        assert_eq!(grade(), Grade::Positional);
    });
}

#[tokio::test(start_paused = true)]
async fn the_network_has_its_names_for_itself() {
    let (chaos, _) = world();
    let _ = chaos.site(SITE);
    let plan = Plan::new().with(SITE, Fault::lost_request(ALWAYS).named("link.partition"));
    let error = chaos.arm(&plan, TimeLimit::None).unwrap_err().to_string();
    assert!(
        error.contains("link.partition") && error.contains("network's"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn limits_are_for_faults_and_not_for_cuts() {
    let (chaos, network) = world();
    let service = chaos.site(SITE).layer().layer(Echo::default());
    let plan = Plan::new()
        .limits(|l| l.in_flight = 1)
        .with(SITE, Fault::slow_server(fixed(10), ALWAYS));
    let armed = chaos.arm(&plan, TimeLimit::None).unwrap();
    let _held = network.hold(["payments"], ["api"]).unwrap();
    let waiting: Vec<_> = (0..5)
        .map(|n| tokio::spawn(service.clone().oneshot(n)))
        .collect();
    tokio::time::sleep(ms(50)).await;
    let ends = super::ends(&armed.ledger());
    assert_eq!(
        (
            ends["link.hold.reply UnderWay"],
            ends["slow-server UnderWay"]
        ),
        (5, 1)
    );
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn explained_calls_are_cut_like_others() {
    let (chaos, network) = world();
    chaos.explain(true);
    let echo = Echo::default();
    let service = chaos.site(SITE).layer().layer(echo.clone());
    let armed = arm(
        &chaos,
        [Fault::lost_request(p(0.0)), Fault::lost_reply(p(0.0))],
    );
    let _cut = network.partition_oneway(["payments"], ["api"]).unwrap();
    assert!(within(ms(50), service.oneshot(7)).await.is_none());
    assert_eq!(echo.ended(), 1);
    let all = armed.ledger().everything();
    let missed = all.iter().filter(|r| r.finding == Finding::Missed).count();
    assert_eq!((missed, all.len()), (2, 3));
}
