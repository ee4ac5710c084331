//! [`Operation`]: what one process asked, when, and what came of it.

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome<O> {
    /// It was answered, and took effect between its call and its return.
    Done(O),
    /// It never took effect, for certain: the request was lost, or refused. As if it had not been called.
    Failed,
    /// It may have taken effect, at any time from its call on, or may still: the reply was lost, or
    /// nobody knows what was.
    Unknown,
}

/// One operation of a history: a request, its outcome, and its place in the order of events.
///
/// `called` and `ended` are numbers of events, counted over the whole history. They are no times: only which is
/// the smaller matters. Of two operations the first *precedes* the second if it was answered
/// (`ended`) before the second was `called`; with the same number they overlap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation<I, O> {
    process: u64,
    request: I,
    outcome: Outcome<O>,
    called: u64,
    ended: Option<u64>,
}

/// An operation that ended before it was called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`ended = {ended}`: process {process} called at event {called}, and ends no earlier")]
pub struct BadOperation {
    /// Whose operation.
    pub process: u64,
    /// The event of the call.
    pub called: u64,
    /// The event of the end.
    pub ended: u64,
}

impl<I, O> Operation<I, O> {
    /// An operation that was called at one event, and whose outcome was known at another; `None`: it never was, or
    /// is not yet.
    ///
    /// # Errors
    ///
    /// [`BadOperation`] if it ended before it was called.
    pub fn try_new(
        process: u64,
        request: I,
        called: u64,
        end: Option<(u64, Outcome<O>)>,
    ) -> Result<Self, BadOperation> {
        let (ended, outcome) = match end {
            Some((ended, _)) if ended < called => {
                return Err(BadOperation {
                    process,
                    called,
                    ended,
                });
            }
            Some((ended, outcome)) => (Some(ended), outcome),
            None => (None, Outcome::Unknown),
        };
        Ok(Self {
            process,
            request,
            outcome,
            called,
            ended,
        })
    }

    /// Who called.
    pub const fn process(&self) -> u64 {
        self.process
    }

    /// What was asked.
    pub const fn request(&self) -> &I {
        &self.request
    }

    /// What came of it.
    pub const fn outcome(&self) -> &Outcome<O> {
        &self.outcome
    }

    /// What was answered, if it was.
    pub const fn reply(&self) -> Option<&O> {
        match &self.outcome {
            Outcome::Done(reply) => Some(reply),
            Outcome::Failed | Outcome::Unknown => None,
        }
    }

    /// The event of the call.
    pub const fn called(&self) -> u64 {
        self.called
    }

    /// The event at which the outcome was known. Of an unknown one: when its caller gave up, if it did.
    pub const fn ended(&self) -> Option<u64> {
        self.ended
    }

    /// The event by which it had taken effect: none, unless it was answered.
    pub const fn returned(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Done(_) => self.ended,
            Outcome::Failed | Outcome::Unknown => None,
        }
    }
}
