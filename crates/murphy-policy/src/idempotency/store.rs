//! [`Store`]: who remembers what is running and what is done.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::{Fingerprint, Outcome};
use crate::surface::BoxError;

/// Remembers, for each key, what is running and how it ended.
///
/// The only thing that it has to promise is that [`begin`](Self::begin) is atomic: of several that
/// begin a key at once, one is [`Begun::First`].
///
/// ```text
/// Absent ── begin ──▶ Running ── finish ──▶ Done ── ttl ──▶ Absent
///    ▲                   └── release, or its lease ends ──┐
///    └────────────────────────────────────────────────────┘
/// ```
pub trait Store: Clone + Send + Sync + 'static {
    /// Begins the operation `key`, or says how far it is. What begins holds the key for `lease`,
    /// and no longer.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: whether it began is not known.
    fn begin(
        &self,
        key: &Arc<str>,
        fingerprint: Fingerprint,
        lease: Duration,
    ) -> impl Future<Output = Result<Begun, StoreError>> + Send;

    /// The operation is over: repeats get `outcome`, until the store forgets it. `false` if the
    /// ticket's lease ended before that: nothing was changed.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: the key may stay taken until its lease ends.
    fn finish(
        &self,
        ticket: &Ticket,
        outcome: Outcome,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The operation did nothing: the next is the first again. `false` as for
    /// [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// As for [`finish`](Self::finish).
    fn release(&self, ticket: &Ticket) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Returns when what runs under this ticket may not, any more; at once if that is so already.
    fn watch(&self, ticket: &Ticket) -> impl Future<Output = ()> + Send;
}

/// Who runs an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The operation.
    pub key: Arc<str>,
    /// What it was asked for with.
    pub fingerprint: Fingerprint,
    /// Which of those that began under this key, over time, it is: one whose lease is over cannot
    /// finish what another began.
    pub fence: u128,
}

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It begins: whoever asked runs it.
    First(Ticket),
    /// Another runs it.
    Running(Ticket),
    /// It is done.
    Done(Outcome),
    /// The key belongs to another request.
    Mismatch,
    /// There is no room for one more.
    Full,
}

/// The store could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("the store of idempotency keys failed: {0}")]
pub struct StoreError(#[source] BoxError);

impl StoreError {
    /// For this reason.
    pub fn new(why: impl Into<BoxError>) -> Self {
        Self(why.into())
    }
}
