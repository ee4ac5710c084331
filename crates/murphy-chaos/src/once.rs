//! One run: a fresh runtime with a paused clock, a plan, a world, and what came of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use murphy_check::Picture;
use murphy_fault::{ArmError, Chaos, Grade, Ledger, Plan, Select, TimeLimit, Transcript};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::catalogue::Passed;
use crate::exchange::Exchange;
use crate::injection::Injection;
use crate::kind::Kind;
use crate::order::{Order, Trouble};
use crate::panics::{Note, Noting, quietly, words};
use crate::promise::{Promise, Violation};
use crate::real::{self, RealTime};
use crate::scene::{Mark, Scene};
use crate::script;
use crate::watch::Watch;
use crate::world::World;

/// The test, as the runner sees it.
pub(crate) type Check<'a> =
    dyn Fn(World) -> Pin<Box<dyn Future<Output = Result<(), String>> + 'a>> + Send + Sync + 'a;

/// The longest text of a broken promise, in characters.
const LONGEST_DETAIL: usize = 16 << 10;

/// What all runs of an exploration share.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) sites: Vec<Arc<str>>,
    pub(crate) nodes: Vec<Arc<str>>,
    /// Keys that a site has room for. A run begins with an empty table for each.
    pub(crate) keys: usize,
    /// When faults end by themselves.
    pub(crate) storm: Duration,
    /// When a run ends by itself.
    pub(crate) horizon: Duration,
    /// Whether a panic in a task that nobody awaits is no failure.
    pub(crate) tolerant: bool,
    /// Whether its clock is the machine's.
    pub(crate) real: Option<RealTime>,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    pub(crate) violation: Option<Violation>,
    /// How the promise was broken, if a history shows it.
    pub(crate) picture: Option<Picture>,
    /// What clients asked and were told, where the run is kept.
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) undecided: Option<String>,
    pub(crate) marks: BTreeMap<String, Mark>,
    pub(crate) took: Duration,
    /// Whether real time ended it: it must not be repeated.
    pub(crate) cut: bool,
    /// What the test itself panicked with.
    pub(crate) panicked: Option<String>,
    /// Faults that struck, and upsets that came.
    pub(crate) injected: Vec<Injection>,
    /// Calls that a script names and nobody made.
    pub(crate) unreached: usize,
    /// Faults asked for where the layer cannot.
    pub(crate) unable: u64,
    /// How far it repeats itself; none where nothing was run.
    pub(crate) grade: Option<Grade>,
    /// Calls, where they were watched.
    pub(crate) passed: Vec<Passed>,
    /// Where it was asked for.
    pub(crate) transcript: Option<Transcript>,
    /// Those that are there at the end.
    pub(crate) sites: Vec<Arc<str>>,
    pub(crate) nodes: Vec<Arc<str>>,
    /// Nodes that something may run on.
    pub(crate) placed: Vec<Arc<str>>,
    /// Sites that are steps.
    pub(crate) steps: Vec<Arc<str>>,
    /// What sites cannot do, where they were asked.
    pub(crate) cannot: Vec<(Arc<str>, Kind)>,
}

/// Makes the run. What the test does on this thread is in this run and in no other.
pub(crate) fn once(order: &Order, setting: &Setting, check: &Check<'_>, watch: &Watch) -> Ended {
    let noting = Noting::begin();
    let runtime = match real::runtime(setting.real) {
        Ok(runtime) => runtime,
        Err(e) => return undecided(format!("no runtime: {e}")),
    };
    let local = LocalSet::new();
    let chaos = Chaos::new(order.seed);
    let mut ended = runtime.block_on(local.run_until(play(order, setting, check, watch, &chaos)));
    // Before what is left is torn down: its panics are nobody's.
    let notes = noting.take();
    drop_all(runtime, local, setting.real.is_some());
    if ended.violation.is_none() && (ended.panicked.is_some() || !setting.tolerant) {
        // Somebody may have put another hook in place of ours: then the test's own panic is all there is.
        let own = ended.panicked.clone().map(|message| Note {
            message,
            file: "the test".into(),
            line: 0,
        });
        let note = notes.into_iter().next().or(own);
        ended.violation = note.map(|note| panicked(&note, ended.took));
    }
    ended
}

/// Tasks that are left are dropped where their panics are caught: none may end the exploration.
fn drop_all(runtime: Runtime, local: LocalSet, is_real: bool) {
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _inside = runtime.enter();
        drop(local);
    }));
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| match is_real {
        // Whoever blocks a thread of its own is not waited for.
        true => runtime.shutdown_background(),
        false => drop(runtime),
    }));
}

fn undecided(why: String) -> Ended {
    Ended {
        undecided: Some(why),
        ..Ended::default()
    }
}

fn panicked(note: &Note, at: Duration) -> Violation {
    let words = first_line(&note.message);
    let message: String = note.message.chars().take(LONGEST_DETAIL).collect();
    Violation {
        promise: Promise::Safety,
        name: format!("panic in {}: {words}", note.file),
        detail: format!("{}:{}: {message}", note.file, note.line),
        at,
    }
}

/// The name is the first line of it, so that it stays a name.
fn failed(error: &str, at: Duration) -> Violation {
    let name = first_line(error);
    let detail = match name.len() == error.len() {
        true => String::new(),
        false => error.chars().take(LONGEST_DETAIL).collect(),
    };
    Violation {
        promise: Promise::Safety,
        name: format!("the test returned an error: {name}"),
        detail,
        at,
    }
}

/// At most 200 characters of it.
fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

async fn play(
    order: &Order,
    setting: &Setting,
    check: &Check<'_>,
    watch: &Watch,
    chaos: &Chaos,
) -> Ended {
    let plan = order.plan(setting);
    order.prepare(chaos, setting, &plan);
    chaos.explain(order.watched);
    let scene = Arc::new(Scene::new(chaos.clone(), order.seed));
    if order.kept {
        scene.exchanges.keep();
    }
    let armed = match chaos.arm(&plan, setting.storm) {
        Ok(armed) => armed,
        Err(e) => return undecided(format!("the plan cannot be armed: {e}")),
    };
    let ledger = armed.ledger();
    let entered = scene.enter();
    let world = World {
        scene: Arc::clone(&scene),
    };
    // The closure may panic too, before there is a future.
    let body = AssertUnwindSafe(async { check(world).await }).catch_unwind();
    let mut body = Box::pin(body);
    let horizon = Box::pin(tokio::time::sleep(setting.horizon));
    let cut = Box::pin(watch.is_cut());
    let ends = select(Box::pin(scene.stopped()), select(horizon, cut));
    let (came, cut) = match select(&mut body, ends).await {
        Either::Left((came, _)) => (Some(came), false),
        Either::Right((Either::Left(_), _)) => (Some(Ok(Ok(()))), false),
        Either::Right((Either::Right((by, _)), _)) => (None, matches!(by, Either::Right(_))),
    };
    // What it holds may panic as it goes: it was cut short in the middle.
    quietly(|| drop(body));
    let took = scene.elapsed();
    let mut ended = read(order, &ledger);
    ended.took = took;
    ended.placed = scene.placed();
    ended.steps = scene.steps();
    ended.picture = scene.picture();
    ended.exchanges = scene.exchanges.take();
    (ended.violation, ended.undecided, ended.marks) = scene.take();
    let horizon = || humantime::format_duration(setting.horizon);
    let broken = |promise, name: &str, detail| Violation {
        promise,
        name: name.to_owned(),
        detail,
        at: took,
    };
    if ended.violation.is_none() {
        ended.violation = match came {
            Some(Ok(Ok(()))) => None,
            Some(Ok(Err(error))) => Some(failed(&error, took)),
            Some(Err(panic)) => {
                ended.panicked = Some(words(&*panic));
                None
            }
            None if cut => None,
            None => Some(broken(
                Promise::Liveness,
                "the run ends",
                format!("it still waits after {}", horizon()),
            )),
        };
    }
    ended.cut = cut;
    drop(armed);
    ended.sites = chaos.sites();
    ended.nodes = chaos.network().names();
    ended.nodes.sort();
    if order.asked {
        ended.cannot = cannot(chaos, &ended.sites);
    }
    drop(entered);
    #[cfg(feature = "http")]
    quietly(|| scene.served.close());
    ended
}

/// What the ledger has to say, before anything is torn down.
fn read(order: &Order, ledger: &Ledger) -> Ended {
    let mut ended = Ended {
        grade: Some(ledger.grade()),
        ..Ended::default()
    };
    if order.watched {
        let records = ledger.everything();
        ended.passed = script::passed(&records);
        ended.injected = script::struck(&records);
    } else {
        ended.injected = script::struck(&ledger.injected());
    }
    let began = ledger.events().iter().map(|event| event.at).max();
    let came = order.upsets().filter(
        |upset| matches!(upset, Injection::Upset { at, .. } if began.is_some_and(|b| b >= *at)),
    );
    ended.injected.extend(came.cloned());
    if let Trouble::Script(_) = order.trouble {
        ended.unreached = ledger.unreached().len();
        if ended.injected.is_empty() {
            let unable: u64 = ledger.summaries().iter().map(|s| s.unable).sum();
            ended.unable = unable + script::spared(&ledger.injected()) as u64;
        }
    }
    if order.kept {
        ended.transcript = Some(ledger.transcript());
    }
    ended
}

/// What sites cannot do: arming says so.
fn cannot(chaos: &Chaos, sites: &[Arc<str>]) -> Vec<(Arc<str>, Kind)> {
    let mut found = Vec::new();
    for site in sites {
        for kind in Kind::FAULTS {
            let plan = Plan::new().with(Arc::clone(site), kind.scripted(Select::nth([])));
            if matches!(
                chaos.arm(&plan, TimeLimit::None),
                Err(ArmError::Unable { .. })
            ) {
                found.push((Arc::clone(site), kind));
            }
        }
    }
    found
}
