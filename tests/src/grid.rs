//! Every verb of a network, as the set of directed links that it disturbs.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use murphy_fault::{Chaos, Cut, Held, Ledger, Network, NetworkError, Plan, TimeLimit};
use tokio::time::timeout;
use tower::{Service, ServiceExt};

use crate::{Arrivals, ms};

/// The nodes of the grid.
pub const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Longer than any call takes here, and shorter than a test.
const PATIENT: Duration = ms(20_000);
/// How much longer one waits who would have been answered by now.
const IMPATIENT: Duration = ms(30);

/// All directed links, by the numbers of their ends.
#[must_use]
pub fn links() -> Vec<(usize, usize)> {
    let all = (0..NODES.len()).flat_map(|a| (0..NODES.len()).map(move |b| (a, b)));
    all.filter(|(a, b)| a != b).collect()
}

/// The name of a link's site.
#[must_use]
pub fn site((from, to): (usize, usize)) -> String {
    format!("{}->{}", NODES[from], NODES[to])
}

/// What ends with a row.
#[derive(Debug)]
enum Guard {
    Cut(Cut),
    Held(Held),
}

/// One verb: its name, what it does, what it says, and whom each sender reaches then, a word a node.
struct Row {
    name: &'static str,
    does: fn(&Network) -> Result<Guard, NetworkError>,
    event: &'static str,
    reaches: [&'static str; 5],
}

/// The verbs, against matrices written by hand.
fn rows() -> [Row; 8] {
    let row = |name, does, event, reaches| Row {
        name,
        does,
        event,
        reaches,
    };
    [
        row(
            "partition",
            |n| n.partition(["a", "b"], ["c", "d", "e"]).map(Guard::Cut),
            "partition a, b | c, d, e",
            ["b", "a", "de", "ce", "cd"],
        ),
        row(
            "partition_groups",
            |n| {
                let groups = [vec!["a"], vec!["c", "b"], vec!["d", "e"]];
                n.partition_groups(groups).map(Guard::Cut)
            },
            "partition a | b, c | d, e",
            ["", "c", "b", "e", "d"],
        ),
        row(
            "partition_oneway",
            |n| n.partition_oneway(["a", "b"], ["c"]).map(Guard::Cut),
            "partition a, b -> c",
            ["bde", "ade", "abde", "abce", "abcd"],
        ),
        row(
            "isolate",
            |n| n.isolate("d").map(Guard::Cut),
            "partition d | everybody else",
            ["bce", "ace", "abe", "", "abc"],
        ),
        row(
            "bridge",
            |n| n.bridge("c", ["a", "b"], ["d", "e"]).map(Guard::Cut),
            "partition a, b | (c) | d, e",
            ["bc", "ac", "abde", "ce", "cd"],
        ),
        row(
            "majorities_ring",
            |n| n.majorities_ring().map(Guard::Cut),
            "partition a ring of 5",
            ["be", "ac", "bd", "ce", "ad"],
        ),
        row(
            "hold",
            |n| n.hold(["a"], ["b", "c"]).map(Guard::Held),
            "hold a -> b, c",
            ["de", "acde", "abde", "abce", "abcd"],
        ),
        row(
            "repair_link",
            |n| {
                let cut = n.isolate("a")?;
                n.repair_link("a", "b")?;
                n.repair_link("c", "a")?;
                Ok(Guard::Cut(cut))
            },
            "partition a | everybody else",
            ["b", "cde", "abde", "bce", "bcd"],
        ),
    ]
}

/// Does each verb in turn and calls over all links at once: who ran, who heard, what the ledger
/// says; then ends it, by its guard and by `repair` or `release`, and all is well.
///
/// `wire` makes the service of each link's site; `order` is a request with a number that the
/// services note.
///
/// # Panics
///
/// If a verb does something else than its matrix says.
pub async fn each_verb_holds<S, Req>(
    chaos: &Chaos,
    arrivals: &Arrivals,
    wire: impl Fn(&str) -> S,
    order: impl Fn(u64) -> Req,
) where
    S: Service<Req> + Clone,
    S::Error: Debug,
{
    let network = chaos.network();
    network.nodes(NODES).expect("names");
    let services: Vec<S> = links().into_iter().map(|link| wire(&site(link))).collect();
    let grid = Grid {
        services,
        arrivals,
        order,
    };
    for row in rows() {
        for by_hand in [false, true] {
            let name = row.name;
            let armed = chaos.arm(&Plan::new(), TimeLimit::None).expect(name);
            let guard = (row.does)(&network).expect(name);
            let reaches = |(a, b): (usize, usize)| row.reaches[a].contains(NODES[b]);
            let holds = matches!(guard, Guard::Held(_));
            let ledger = armed.ledger();
            grid.call_all(&ledger, reaches, holds, name).await;
            assert_eq!(ledger.events()[0].to_string(), row.event);
            let before = ledger.events().len();
            match guard {
                Guard::Cut(cut) if by_hand => {
                    network.repair();
                    drop(cut);
                }
                Guard::Held(held) if by_hand => {
                    network.release();
                    drop(held);
                }
                guard => drop(guard),
            }
            let verb = if holds { "release" } else { "heal" };
            let events = ledger.events();
            assert_eq!(events.len(), before + 1, "{name}");
            assert_eq!(events[before].verb.to_string(), verb, "{name}");
            let records = ledger.records().len();
            grid.call_all(&ledger, |_| true, false, name).await;
            assert_eq!(ledger.records().len(), records, "{name}");
        }
    }
}

struct Grid<'a, S, F> {
    services: Vec<S>,
    arrivals: &'a Arrivals,
    order: F,
}

impl<S, F> Grid<'_, S, F> {
    /// One call over each link, all at once.
    async fn call_all<Req>(
        &self,
        ledger: &Ledger,
        reaches: impl Fn((usize, usize)) -> bool,
        holds: bool,
        name: &str,
    ) where
        S: Service<Req> + Clone,
        S::Error: Debug,
        F: Fn(u64) -> Req,
    {
        let before = ledger.records().len();
        let reaches = |link: (usize, usize)| (reaches(link), reaches((link.1, link.0)));
        let calls = self.services.iter().zip(links()).zip(0..);
        let calls = calls.map(|((service, link), n)| {
            let call = service.clone().oneshot((self.order)(n));
            let answered = reaches(link) == (true, true);
            async move {
                if answered {
                    let reply = timeout(PATIENT, call).await.expect("a reply");
                    reply.expect("no real trouble");
                    return;
                }
                let site = site(link);
                let known = told(ledger, before, &site);
                let call = async { drop(call.await) };
                assert!(!first(call, known).await, "{name}: {site}");
            }
        });
        join_all(calls.collect()).await;
        let ran: BTreeSet<u64> = self.arrivals.take().into_iter().collect();
        let records = ledger.records();
        for (link, n) in links().into_iter().zip(0..) {
            let of_link = records[before..].iter().filter(|r| r.site == site(link));
            let lines: Vec<_> = of_link
                .map(|r| format!("{} {:?}", r.fault, r.outcome))
                .collect();
            let want = match (reaches(link), holds) {
                ((false, _), true) => Some("link.hold CallerLeft"),
                ((false, _), false) => Some("link.partition NeverRan"),
                ((true, false), true) => Some("link.hold.reply Ran"),
                ((true, false), false) => Some("link.partition.reply Ran"),
                ((true, true), _) => None,
            };
            let runs = reaches(link).0;
            assert_eq!(ran.contains(&n), runs, "{name}: {}", site(link));
            assert_eq!(lines, Vec::from_iter(want), "{name}: {}", site(link));
        }
    }
}

/// Waits until a ledger knows what became of a call, and a while longer.
async fn told(ledger: &Ledger, before: usize, site: &str) {
    let knows = || ledger.records()[before..].iter().any(|r| r.site == site);
    let wait = async {
        while !knows() {
            tokio::time::sleep(ms(5)).await;
        }
    };
    timeout(PATIENT, wait).await.expect("a record");
    tokio::time::sleep(IMPATIENT).await;
}

/// Whether the one is over before the other.
async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) -> bool {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => other.as_mut().poll(cx).map(|()| false),
    })
    .await
}

/// Waits for all of them, side by side.
async fn join_all<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut all: Vec<_> = futures.into_iter().map(|f| Some(Box::pin(f))).collect();
    poll_fn(|cx| {
        for slot in &mut all {
            if slot
                .as_mut()
                .is_some_and(|f| f.as_mut().poll(cx).is_ready())
            {
                *slot = None;
            }
        }
        match all.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}
