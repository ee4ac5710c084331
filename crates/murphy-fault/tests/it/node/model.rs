//! Any sequence of what can be done to a node does what a small model says.

use std::collections::BTreeSet;
use std::task::Poll;

use murphy_fault::{Crashed, Down, Node, NodeState, Paused, Run};
use proptest::prelude::*;
use tokio_test::task::Spawn;

use super::{Probe, Probing, node};

#[derive(Clone, Copy, Debug)]
enum Act {
    Pause,
    DropPause(usize),
    KeepPause(usize),
    Resume,
    Crash,
    DropDown(usize),
    Restart,
    Begin,
    Poke(usize),
    Finish(usize),
    DropWork(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let at = 0..4usize;
    prop_oneof![
        3 => Just(Act::Pause),
        2 => at.clone().prop_map(Act::DropPause),
        1 => at.clone().prop_map(Act::KeepPause),
        1 => Just(Act::Resume),
        1 => Just(Act::Crash),
        2 => at.clone().prop_map(Act::DropDown),
        1 => Just(Act::Restart),
        4 => Just(Act::Begin),
        4 => at.clone().prop_map(Act::Poke),
        2 => at.clone().prop_map(Act::Finish),
        1 => at.prop_map(Act::DropWork),
    ]
}

/// What the node should be: no locks, no wakers, no threads.
#[derive(Debug, Default)]
struct Model {
    pauses: BTreeSet<usize>,
    pause_kept: bool,
    downs: BTreeSet<usize>,
    incarnation: u64,
}

impl Model {
    fn state(&self) -> NodeState {
        if !self.downs.is_empty() {
            NodeState::Down
        } else if self.pause_kept || !self.pauses.is_empty() {
            NodeState::Paused
        } else {
            NodeState::Running
        }
    }

    fn unpause(&mut self) {
        self.pauses.clear();
        self.pause_kept = false;
    }
}

/// A piece of work, and what the model thinks of it.
struct Work {
    run: Spawn<Run<Probing>>,
    probe: Probe,
    born: u64,
    alive: bool,
    /// A wake-up waits to be served.
    due: bool,
    finished: bool,
    polls: u64,
    over: bool,
}

#[derive(Default)]
struct World {
    model: Model,
    pauses: Vec<(usize, Paused)>,
    downs: Vec<(usize, Down)>,
    works: Vec<Work>,
    guards: usize,
}

impl World {
    fn act(&mut self, node: &Node, act: Act) {
        self.guards += 1;
        let id = self.guards;
        match act {
            Act::Pause => {
                self.model.pauses.insert(id);
                self.pauses.push((id, node.pause().unwrap()));
            }
            Act::DropPause(n) => {
                if n < self.pauses.len() {
                    let (id, guard) = self.pauses.remove(n);
                    self.model.pauses.remove(&id);
                    drop(guard);
                }
            }
            Act::KeepPause(n) => {
                if n < self.pauses.len() {
                    let (id, guard) = self.pauses.remove(n);
                    self.model.pause_kept |= self.model.pauses.remove(&id);
                    guard.keep();
                }
            }
            Act::Resume => {
                self.model.unpause();
                node.resume().unwrap();
            }
            Act::Crash => {
                self.model.downs.insert(id);
                self.kill();
                self.downs.push((id, node.crash().unwrap()));
            }
            Act::DropDown(n) => {
                if n < self.downs.len() {
                    let (id, guard) = self.downs.remove(n);
                    let last = self.model.downs.remove(&id) && self.model.downs.is_empty();
                    self.model.incarnation += u64::from(last);
                    drop(guard);
                }
            }
            Act::Restart => {
                if self.model.downs.is_empty() {
                    self.kill();
                }
                self.model.downs.clear();
                self.model.incarnation += 1;
                assert_eq!(node.restart(), Ok(self.model.incarnation));
            }
            Act::Begin => self.begin(node),
            Act::Poke(n) => self.poke(n, false),
            Act::Finish(n) => self.poke(n, true),
            Act::DropWork(n) => {
                if n < self.works.len() {
                    let work = self.works.remove(n);
                    let probe = work.probe.clone();
                    drop(work);
                    assert_eq!(probe.drops(), 1);
                }
            }
        }
    }

    fn kill(&mut self) {
        self.model.unpause();
        for work in &mut self.works {
            work.alive = false;
        }
    }

    fn begin(&mut self, node: &Node) {
        let probe = Probe::default();
        let alive = self.model.state() != NodeState::Down;
        self.works.push(Work {
            run: tokio_test::task::spawn(node.run(probe.future())),
            probe,
            born: self.model.incarnation,
            alive,
            due: true,
            finished: false,
            polls: 0,
            over: false,
        });
        let last = self.works.len() - 1;
        self.works[last].poll_and_check(&self.model);
    }

    fn poke(&mut self, n: usize, finish: bool) {
        if let Some(work) = self.works.get_mut(n) {
            work.due |= !work.over;
            work.finished |= finish;
            if finish {
                work.probe.finish();
            } else {
                work.probe.poke();
            }
        }
    }

    /// Serves the wake-ups as an executor does, and compares.
    fn check(&mut self, node: &Node) {
        for work in &mut self.works {
            if work.run.is_woken() && !work.over {
                work.poll_and_check(&self.model);
            }
            work.compare(&self.model);
        }
        let living = self.works.iter().filter(|w| w.alive && !w.over).count();
        assert_eq!(node.living(), living);
        assert_eq!(node.state(), self.model.state());
        assert_eq!(node.incarnation(), self.model.incarnation);
    }
}

impl Work {
    fn poll_and_check(&mut self, model: &Model) {
        let polled: Poll<Result<u64, Crashed>> = self.run.poll();
        if !self.alive {
            let crashed = match polled {
                Poll::Ready(Err(crashed)) => crashed,
                other => panic!("it is dead, and says {other:?}"),
            };
            assert_eq!(crashed.incarnation(), self.born);
            assert_eq!(crashed.began(), self.polls > 0);
            self.over = true;
        } else if model.state() == NodeState::Running {
            self.polls += 1;
            self.due = false;
            self.over = polled.is_ready();
            assert_eq!(polled.is_ready(), self.finished, "done when told");
        } else {
            assert!(polled.is_pending(), "it stands still");
        }
    }

    fn compare(&self, model: &Model) {
        assert_eq!(self.probe.polls(), self.polls);
        let gone = !self.alive || self.over;
        assert_eq!(self.probe.drops(), u64::from(gone));
        if self.alive && model.state() == NodeState::Running {
            assert!(!self.due, "a wake-up was lost");
        }
        if !self.alive {
            assert!(self.over, "whoever waited was told");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_sequence_of_acts_does_what_the_model_says(acts in prop::collection::vec(act(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_chaos, node, armed) = node();
            let mut world = World::default();
            for act in acts {
                world.act(&node, act);
                world.check(&node);
            }
            // The end of the run heals whatever is left.
            drop(armed);
            if world.model.state() == NodeState::Down {
                world.model.incarnation += 1;
            }
            world.model.downs.clear();
            world.model.unpause();
            world.check(&node);
        });
    }
}
