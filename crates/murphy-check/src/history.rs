//! [`History`]: records what clients asked and were told, in the order of events.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Operation, Outcome};

/// Records operations; clones are one recorder.
///
/// Events are ordered by a counter, never by a clock: under a paused clock a thousand events share a
/// millisecond. A process has one operation at a time; after one whose outcome is unknown it may go on.
///
/// Record the call *before* the request leaves and the end *after* the reply is there: then what is recorded contains
/// what happened. Whoever records later or earlier makes legal histories illegal.
///
/// # Limits
///
/// It holds [`MOST`](Self::MOST) operations unless made smaller; then [`call`](Self::call) refuses. A lock is taken for each
/// event.
///
/// # Examples
///
/// ```
/// use murphy_check::model::register::{Register, Reply, Request};
/// use murphy_check::{Checker, History};
///
/// let history = History::new();
/// let write = history.call(1, Request::Write(7))?;
/// let read = history.call(2, Request::Read)?;
/// history.done(read, Reply::Value(Some(7)))?;
/// history.lost_reply(write)?; // it was written, as the read shows
/// assert!(Checker::new().check(&Register::new(), &history.operations()).is_legal());
/// # Ok::<(), murphy_check::Misuse>(())
/// ```
pub struct History<I, O> {
    recorder: u64,
    state: Arc<Mutex<State<I, O>>>,
}

/// An operation that was called, and is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "an operation that never ends is one whose outcome is unknown"]
pub struct Ticket {
    recorder: u64,
    at: usize,
}

/// A history that cannot have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The process has an operation whose end was not recorded.
    #[error("process {process} is still at operation {operation}: end it, or use another process")]
    Busy {
        /// Which process.
        process: u64,
        /// The operation it is at, counted from 0.
        operation: usize,
    },
    /// The operation has ended already.
    #[error("operation {operation} of process {process} has ended already: it ends once")]
    EndedTwice {
        /// Which process.
        process: u64,
        /// Which operation, counted from 0.
        operation: usize,
    },
    /// The ticket is another recorder's, or of before it was cleared.
    #[error("operation {operation} was not called here: end it where it was called")]
    NotCalled {
        /// Its number there.
        operation: usize,
    },
    /// No room for another operation.
    #[error("{most} operations are recorded, the most: check and clear, or record fewer")]
    Full {
        /// The bound.
        most: usize,
    },
}

struct State<I, O> {
    most: usize,
    events: u64,
    // Since it was last cleared, `first` on: an old ticket is known by its number.
    first: usize,
    operations: Vec<Recorded<I, O>>,
    // Process and operation, sorted by process.
    busy: Vec<(u64, usize)>,
}

struct Recorded<I, O> {
    process: u64,
    request: I,
    called: u64,
    end: Option<(u64, Outcome<O>)>,
}

static RECORDERS: AtomicU64 = AtomicU64::new(0);

impl<I, O> History<I, O> {
    /// How many operations one holds unless told otherwise: 2²⁰.
    pub const MOST: usize = 1 << 20;

    /// An empty history, of [`MOST`](Self::MOST) operations at most.
    pub fn new() -> Self {
        Self::bounded(Self::MOST)
    }

    /// An empty history, of `most` operations at most; with 0 it refuses all.
    pub fn bounded(most: usize) -> Self {
        let state = State {
            most,
            events: 0,
            first: 0,
            operations: Vec::new(),
            busy: Vec::new(),
        };
        Self {
            recorder: RECORDERS.fetch_add(1, Ordering::Relaxed),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// `process` is about to ask.
    ///
    /// # Errors
    ///
    /// [`Misuse::Busy`], and [`Misuse::Full`].
    pub fn call(&self, process: u64, request: I) -> Result<Ticket, Misuse> {
        let mut state = self.state();
        if state.operations.len() >= state.most {
            return Err(Misuse::Full { most: state.most });
        }
        let at = state.first + state.operations.len();
        match state.busy.binary_search_by_key(&process, |&(p, _)| p) {
            Ok(busy) => {
                let operation = state.busy[busy].1;
                return Err(Misuse::Busy { process, operation });
            }
            Err(place) => state.busy.insert(place, (process, at)),
        }
        let called = state.event();
        state.operations.push(Recorded {
            process,
            request,
            called,
            end: None,
        });
        let recorder = self.recorder;
        Ok(Ticket { recorder, at })
    }

    /// It was answered.
    ///
    /// # Errors
    ///
    /// [`Misuse::EndedTwice`], [`Misuse::NotCalled`].
    pub fn done(&self, operation: Ticket, reply: O) -> Result<(), Misuse> {
        self.end(operation, Outcome::Done(reply))
    }

    /// The request was lost on its way, or refused: it never took effect, *for certain*. A timeout is no such
    /// thing; the ledger of a fault layer is.
    ///
    /// # Errors
    ///
    /// [`Misuse::EndedTwice`], [`Misuse::NotCalled`].
    #[doc(alias = "fail")]
    pub fn lost_request(&self, operation: Ticket) -> Result<(), Misuse> {
        self.end(operation, Outcome::Failed)
    }

    /// The reply was lost, or nobody knows what was: it may have taken effect, or may yet.
    ///
    /// Each unknown write can double the work of a check: where it is known which leg was lost, say so.
    ///
    /// # Errors
    ///
    /// [`Misuse::EndedTwice`], [`Misuse::NotCalled`].
    #[doc(alias = "info")]
    #[doc(alias = "timeout")]
    pub fn lost_reply(&self, operation: Ticket) -> Result<(), Misuse> {
        self.end(operation, Outcome::Unknown)
    }

    /// It ended like that.
    ///
    /// # Errors
    ///
    /// [`Misuse::EndedTwice`], [`Misuse::NotCalled`].
    pub fn end(&self, operation: Ticket, outcome: Outcome<O>) -> Result<(), Misuse> {
        let mut state = self.state();
        let Ticket { recorder, at } = operation;
        let unknown = Misuse::NotCalled { operation: at };
        if recorder != self.recorder {
            return Err(unknown);
        }
        let place = at.checked_sub(state.first).ok_or(unknown.clone())?;
        let recorded = state.operations.get(place).ok_or(unknown)?;
        let process = recorded.process;
        if recorded.end.is_some() {
            let operation = at;
            return Err(Misuse::EndedTwice { process, operation });
        }
        if let Ok(busy) = state.busy.binary_search_by_key(&process, |&(p, _)| p) {
            state.busy.remove(busy);
        }
        let ended = state.event();
        state.operations[place].end = Some((ended, outcome));
        Ok(())
    }

    /// How many operations were called.
    pub fn len(&self) -> usize {
        self.state().operations.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all of it. Tickets of before are [`Misuse::NotCalled`]; the count of events goes on.
    pub fn clear(&self) {
        let mut state = self.state();
        state.first += state.operations.len();
        state.operations.clear();
        state.busy.clear();
    }

    fn state(&self) -> MutexGuard<'_, State<I, O>> {
        // Nothing of ours panics half way: what is there is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Clone, O: Clone> History<I, O> {
    /// What was recorded so far, in the order of calls. What has not ended yet is [`Outcome::Unknown`].
    pub fn operations(&self) -> Vec<Operation<I, O>> {
        let state = self.state();
        let operation = |r: &Recorded<I, O>| {
            Operation::try_new(r.process, r.request.clone(), r.called, r.end.clone())
                .expect("events are counted upwards")
        };
        state.operations.iter().map(operation).collect()
    }
}

impl<I, O> State<I, O> {
    fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }
}

impl<I, O> Clone for History<I, O> {
    fn clone(&self) -> Self {
        Self {
            recorder: self.recorder,
            state: Arc::clone(&self.state),
        }
    }
}

impl<I, O> Default for History<I, O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I, O> fmt::Debug for History<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("History")
            .field("operations", &state.operations.len())
            .field("in_flight", &state.busy.len())
            .field("most", &state.most)
            .finish()
    }
}
