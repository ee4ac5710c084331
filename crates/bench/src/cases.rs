//! What is measured: rows of a table, and in each row us and whoever else has something of the kind.

mod fault;
mod fence;
mod lease;
mod network;
mod policy;
mod quorum;
mod retry;
mod timeout;

use std::env;
use std::process::ExitCode;

use crate::drive::Run;
use crate::process::ROWS;

/// One subject in one row.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Which question: `fault.disarmed`.
    pub row: &'static str,
    /// Who answers it: `murphy`, a peer, or `bare`.
    pub subject: &'static str,
    /// What exactly is measured.
    pub note: &'static str,
    /// The row whose `bare` is taken off.
    pub over: &'static str,
    make: fn() -> Run,
}

/// What a call costs without any layer.
pub const BARE: &str = "bare";

impl Case {
    /// Builds it. The first calls may cost more than later ones.
    #[must_use]
    pub fn build(&self) -> Run {
        (self.make)()
    }

    /// `fault.disarmed/murphy`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.row, self.subject)
    }

    /// The same as a name that every file system takes.
    #[must_use]
    pub fn slug(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        self.name().chars().map(plain).collect()
    }
}

/// The cases of `overhead`, in the order of its table: those that [`ROWS`] names, and what they are compared with.
#[must_use]
pub fn all() -> Vec<Case> {
    let all = [
        fault::CASES,
        timeout::CASES,
        retry::CASES,
        policy::CASES,
        quorum::CASES,
        fence::CASES,
        lease::CASES,
    ];
    let rows = env::var(ROWS).unwrap_or_default();
    let is_named = |case: &&Case| case.row.starts_with(&rows) || case.subject == BARE;
    let all = all.into_iter().flatten();
    all.filter(is_named).copied().collect()
}

/// The cases of `network`, in the order of its table.
#[must_use]
pub fn network() -> Vec<Case> {
    network::CASES.to_vec()
}

/// Makes so many calls of one case and measures nothing: for a profiler.
#[must_use]
pub fn only(cases: &[Case], case: &str, calls: &str) -> ExitCode {
    let found = cases.iter().find(|c| c.name() == case);
    let (Some(found), Ok(calls)) = (found, calls.parse()) else {
        eprintln!("`--only {case} {calls}`: want a case of `--list`, and a number");
        return ExitCode::FAILURE;
    };
    found.build()(calls);
    ExitCode::SUCCESS
}

/// Rows of cases: `row over bare { subject: note, build; .. }`.
macro_rules! cases {
    ($($row:literal over $over:literal { $($subject:literal: $note:literal => $make:expr;)* })*) => {
        pub(super) const CASES: &[$crate::cases::Case] = &[$($($crate::cases::Case {
            row: $row,
            subject: $subject,
            note: $note,
            over: $over,
            make: || $make,
        },)*)*];
    };
}
use cases;
