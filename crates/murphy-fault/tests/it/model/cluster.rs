//! Nodes with all links between them, and an election by majority that they run.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murphy_core::{Lane, Point, Seed, Stream};
use murphy_fault::{Boot, Chaos, Durable, Model, Node, TimeLimit};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};

use crate::support::ms;

/// Who votes for whom, in which term.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ballot {
    pub(crate) term: u64,
    pub(crate) vote: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Ask {
    term: u64,
    candidate: usize,
}

type Voter = BoxCloneSyncService<Ask, bool, BoxError>;

/// How an election waits: for votes, and at least and at most before it tries again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) votes: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
}

/// Who was elected, in which term, and when after arming.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Elected {
    pub(crate) term: u64,
    pub(crate) leader: usize,
    pub(crate) at: Duration,
}

pub(crate) struct Cluster {
    pub(crate) chaos: Chaos,
    pub(crate) nodes: Vec<Node>,
}

impl Cluster {
    pub(crate) fn new(seed: u64, size: usize) -> Self {
        let chaos = Chaos::new(Seed::new(seed));
        let nodes: Vec<Node> = (0..size).map(|n| chaos.node(&format!("n{n}"))).collect();
        for from in &nodes {
            for to in nodes.iter().filter(|to| to.name() != from.name()) {
                chaos.network().link(from.name(), to.name()).unwrap();
            }
        }
        Self { chaos, nodes }
    }

    pub(crate) fn ballot(&self, node: usize) -> Durable<Ballot> {
        self.nodes[node].durable("ballot").unwrap()
    }

    /// Elections without end under a model, for so long: who was elected.
    pub(crate) async fn elect(&self, model: &Model, pace: Pace, until: Duration) -> Vec<Elected> {
        let armed = self
            .chaos
            .arm(&model.plan(&self.chaos).unwrap(), TimeLimit::None)
            .unwrap();
        let started = Instant::now();
        let elected = Arc::new(Mutex::new(Vec::new()));
        let mut programs = JoinSet::new();
        let begun: Vec<AbortHandle> = (0..self.nodes.len())
            .map(|me| {
                let candidate = self.candidate(me, pace, started, Arc::clone(&elected));
                programs.spawn(candidate)
            })
            .collect();
        sleep_until(started + until).await;
        begun.iter().for_each(AbortHandle::abort);
        while programs.join_next().await.is_some() {}
        drop(armed);
        std::mem::take(&mut *elected.lock().unwrap())
    }

    fn candidate(
        &self,
        me: usize,
        pace: Pace,
        started: Instant,
        elected: Arc<Mutex<Vec<Elected>>>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let ballot = self.ballot(me);
        let waits = Stream::new(self.chaos.seed(), &me.to_string(), "wait", Lane::Jitter);
        let peers: Vec<Voter> = (0..self.nodes.len())
            .filter(|peer| *peer != me)
            .map(|peer| self.voter(me, peer))
            .collect();
        self.nodes[me].serve(move |_: Boot| {
            let (ballot, peers, elected) = (ballot.clone(), peers.clone(), Arc::clone(&elected));
            async move {
                for round in 0.. {
                    let passed = started.elapsed().as_nanos() as u64;
                    let draw = waits.at(Point::keyed(passed.into(), round)).unit();
                    sleep(ms(
                        pace.least + ((pace.most - pace.least) as f64 * draw) as u64
                    ))
                    .await;
                    let term = ballot.get().unwrap_or_default().term + 1;
                    let own = Ballot {
                        term,
                        vote: Some(me),
                    };
                    if ballot.store(own).is_err() {
                        return;
                    }
                    let asked = Ask {
                        term,
                        candidate: me,
                    };
                    let votes = 1 + count(&peers, asked, ms(pace.votes)).await;
                    let current = ballot.get().unwrap_or_default().term == term;
                    if current && 2 * votes > peers.len() + 1 {
                        elected.lock().unwrap().push(Elected {
                            term,
                            leader: me,
                            at: started.elapsed(),
                        });
                    }
                }
            }
        })
    }

    /// The vote of one node, as another hears it.
    fn voter(&self, from: usize, to: usize) -> Voter {
        let ballot = self.ballot(to);
        let (near, far) = (&self.nodes[from], &self.nodes[to]);
        let link = self.chaos.network().link(near.name(), far.name()).unwrap();
        let service = ServiceBuilder::new()
            .layer(link.layer())
            .layer(far.layer())
            .service(service_fn(move |ask: Ask| {
                let granted = vote(&ballot, ask);
                async move { Ok::<bool, BoxError>(granted) }
            }));
        BoxCloneSyncService::new(service)
    }
}

/// One vote a term, on disk before it is told.
fn vote(ballot: &Durable<Ballot>, ask: Ask) -> bool {
    let mut mine = ballot.get().unwrap_or_default();
    if ask.term > mine.term {
        mine = Ballot {
            term: ask.term,
            vote: None,
        };
    }
    let free = mine.vote.is_none_or(|vote| vote == ask.candidate);
    let granted = ask.term == mine.term && free;
    if granted {
        mine.vote = Some(ask.candidate);
    }
    ballot.store(mine).is_ok() && granted
}

/// The votes that come in within a time.
async fn count(peers: &[Voter], ask: Ask, within: Duration) -> usize {
    let mut asked = JoinSet::new();
    for peer in peers {
        asked.spawn(timeout(within, peer.clone().oneshot(ask)));
    }
    let mut votes = 0;
    while let Some(answer) = asked.join_next().await {
        votes += usize::from(matches!(answer, Ok(Ok(Ok(true)))));
    }
    votes
}

/// At most one leader a term.
pub(crate) fn is_safe(elected: &[Elected]) -> bool {
    let mut leaders = BTreeMap::new();
    elected
        .iter()
        .all(|e| *leaders.entry(e.term).or_insert(e.leader) == e.leader)
}
