//! [`BadHistory`]: what is wrong with a file, and where.

/// A text that is no history that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BadHistory {
    /// Where, from 1.
    pub line: usize,
    /// What.
    pub problem: Problem,
}

/// What is wrong. Of what was found, the first few characters are quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// More than is read.
    #[error("{what}: {most} are the most")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// It is no EDN.
    #[error("`{found}` {says}")]
    Syntax {
        /// What was found.
        found: String,
        /// What is wrong with it.
        says: &'static str,
    },
    /// There is more after the list that holds the history.
    #[error("`{found}` comes after the end of the history: one list a file, or events one by one")]
    Trailing {
        /// What.
        found: String,
    },
    /// It is no event.
    #[error("`{found}` is no event: {wanted}")]
    NotAnEvent {
        /// What was found.
        found: String,
        /// What an event looks like.
        wanted: &'static str,
    },
    /// A field is missing or wrong.
    #[error("`{field} {found}`: {wanted}")]
    Field {
        /// Which.
        field: &'static str,
        /// What was found.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A process invokes what it has not ended.
    #[error("process {process} invokes while it is at what it invoked in line {since}")]
    Busy {
        /// Which process.
        process: u64,
        /// The line of the other invocation.
        since: usize,
    },
    /// A process ends what it has not invoked.
    #[error("process {process} ends `{found}`, and has invoked {invoked}")]
    NotInvoked {
        /// Which process.
        process: u64,
        /// What it ends.
        found: String,
        /// What it has invoked, or nothing.
        invoked: String,
    },
}

impl Problem {
    pub(crate) fn at(self, line: usize) -> BadHistory {
        let problem = self;
        BadHistory { line, problem }
    }

    pub(crate) fn syntax(found: impl AsRef<str>, says: &'static str) -> Self {
        let found = short(found.as_ref());
        Self::Syntax { found, says }
    }
}

/// The first characters, on one line.
pub(crate) fn short(text: &str) -> String {
    const MOST: usize = 40;
    let mut chars = text.trim_start().chars();
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = chars.by_ref().take(MOST).map(plain).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
