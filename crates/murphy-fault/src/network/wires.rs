//! [`Wires`]: which links carry what, now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::profile::Profiles;
use super::shape::{NodeId, Shape};

/// The most messages that one link holds back; what comes after them is lost.
pub(crate) const MOST_ON_HOLD: usize = 4096;

/// What a link does with a message that departs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Carries,
    Holds,
    Loses,
    /// It would hold it, and has no place left.
    Overflows,
}

/// Nodes, links, and what disturbs them. Shared by a network's handles and the runs of its sites.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    /// Rises with each change: who found a link clear at this epoch need not look again.
    epoch: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ids: BTreeMap<Arc<str>, NodeId>,
    pub(super) names: Vec<Arc<str>>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) last: u64,
    /// As it will be in the next run: each takes what it finds when it is armed.
    pub(super) profiles: Arc<Profiles>,
    /// Messages that wait, a queue a link. Empty queues are removed.
    lines: BTreeMap<(NodeId, NodeId), Line>,
}

/// One disturbance.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) id: u64,
    pub(super) holds: bool,
    pub(super) shape: Shape,
    /// Links that were mended one by one.
    pub(super) mended: BTreeSet<(NodeId, NodeId)>,
}

/// Messages on hold, the first in front.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<u64, Option<Waker>>,
    tickets: u64,
}

/// One message on hold. Dropped, it leaves the line.
#[derive(Debug)]
pub(crate) struct OnHold {
    wires: Arc<Wires>,
    link: (NodeId, NodeId),
    ticket: u64,
}

impl Trouble {
    pub(super) fn strikes(&self, link: (NodeId, NodeId)) -> bool {
        self.shape.strikes(link.0, link.1) && !self.mended.contains(&link)
    }
}

impl State {
    fn verdict(&self, link: (NodeId, NodeId)) -> Verdict {
        let mut verdict = Verdict::Carries;
        for trouble in self.troubles.iter().filter(|t| t.strikes(link)) {
            if !trouble.holds {
                return Verdict::Loses;
            }
            verdict = Verdict::Holds;
        }
        verdict
    }
}

impl Wires {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that stays the same as long as nothing changes.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    /// Changes something. Who waits is told by [`wake`](Self::wake), outside of all locks.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        // Under the lock, so that nobody notes an old verdict under the new number.
        self.epoch.fetch_add(1, Relaxed);
        changed
    }

    /// Wakes the first in each line that need not wait any longer.
    pub(crate) fn wake(&self) {
        let first: Vec<Waker> = {
            let state = &mut *self.lock();
            let mut first = Vec::new();
            let links: Vec<_> = state.lines.keys().copied().collect();
            for link in links {
                if state.verdict(link) != Verdict::Holds {
                    first.extend(state.lines.get_mut(&link).and_then(Line::first));
                }
            }
            first
        };
        first.into_iter().for_each(Waker::wake);
    }

    /// The numbers of two nodes, if both are known.
    pub(crate) fn ends(&self, from: &str, to: &str) -> Option<(NodeId, NodeId)> {
        let state = self.lock();
        Some((*state.ids.get(from)?, *state.ids.get(to)?))
    }

    /// What links are like, as said by now.
    pub(crate) fn profiles(&self) -> Arc<Profiles> {
        Arc::clone(&self.lock().profiles)
    }

    /// Whether both ways are open and nobody waits on them, and the epoch at which that is so.
    pub(crate) fn clear(&self, link: (NodeId, NodeId)) -> Option<u64> {
        let state = self.lock();
        let back = (link.1, link.0);
        let clear = [link, back]
            .iter()
            .all(|l| state.verdict(*l) == Verdict::Carries && !state.lines.contains_key(l));
        clear.then(|| self.epoch())
    }

    /// A message departs. If it has to wait, here is its place.
    ///
    /// A link that was released and still has messages to let go holds those who come meanwhile:
    /// nobody overtakes.
    pub(crate) fn depart(self: &Arc<Self>, link: (NodeId, NodeId)) -> Result<Verdict, OnHold> {
        let mut state = self.lock();
        match state.verdict(link) {
            Verdict::Carries if !state.lines.contains_key(&link) => return Ok(Verdict::Carries),
            Verdict::Carries | Verdict::Holds => {}
            lost => return Ok(lost),
        }
        let line = state.lines.entry(link).or_default();
        if line.waiting.len() >= MOST_ON_HOLD {
            return Ok(Verdict::Overflows);
        }
        let ticket = line.tickets;
        line.tickets += 1;
        line.waiting.insert(ticket, None);
        Err(OnHold {
            wires: Arc::clone(self),
            link,
            ticket,
        })
    }

    /// Ends one disturbance. Whether it was still on.
    pub(super) fn remove(&self, id: u64) -> bool {
        self.change(|state| {
            let before = state.troubles.len();
            state.troubles.retain(|t| t.id != id);
            state.troubles.len() < before
        })
    }

    /// Heals everything, and lets everything go that is then [woken](Self::wake).
    pub(crate) fn heal(&self) {
        self.change(|state| state.troubles.clear());
    }
}

impl Line {
    fn first(&mut self) -> Option<Waker> {
        self.waiting
            .first_entry()
            .and_then(|mut e| e.get_mut().take())
    }
}

impl OnHold {
    /// Ready when the message departs, in its turn: carried or lost.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Verdict> {
        let mut state = self.wires.lock();
        let verdict = state.verdict(self.link);
        let Some(line) = state.lines.get_mut(&self.link) else {
            return Poll::Ready(verdict);
        };
        let is_first = line.waiting.keys().next() == Some(&self.ticket);
        // ## Holds => Loses. A cut while messages were on hold: they depart into it.
        if verdict != Verdict::Holds && is_first {
            return Poll::Ready(verdict);
        }
        let old = line
            .waiting
            .get_mut(&self.ticket)
            .and_then(|waker| waker.replace(cx.waker().clone()));
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for OnHold {
    /// It has departed, or its sender left: the next in line is the first.
    fn drop(&mut self) {
        let (own, next) = {
            let mut state = self.wires.lock();
            let open = state.verdict(self.link) != Verdict::Holds;
            let Some(line) = state.lines.get_mut(&self.link) else {
                return;
            };
            let own = line.waiting.remove(&self.ticket);
            let next = if open { line.first() } else { None };
            if line.waiting.is_empty() {
                state.lines.remove(&self.link);
            }
            (own, next)
        };
        drop(own);
        if let Some(next) = next {
            next.wake();
        }
    }
}
