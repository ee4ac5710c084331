//! JUnit XML: what CI systems read.
//!
//! A part of the exploration in which nothing failed is a case that passed. A broken promise is a case that failed, and so
//! is what is not green; a reason for being undecided is a case in error. Cases have the names of promises, so that
//! a system that compares runs knows them again.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::outcome::{Outcome, Stage};

/// The longest name of a case.
const LONGEST_NAME: usize = 300;
/// The longest text of one.
const LONGEST_TEXT: usize = 64 << 10;

impl Outcome {
    /// As JUnit XML: a suite, with the exploration's name.
    ///
    /// Broken promises and what is not green are failures; reasons for being undecided are errors; parts in which nothing
    /// failed have passed. Texts are cut to 64 Ki characters, and what no XML may contain is left out of them.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let mut suite = TestSuite::new(cut(&self.name, LONGEST_NAME));
        suite.set_time(self.took);
        suite.add_property(Property::new("seed", self.seed.to_string()));
        suite.add_property(Property::new("runs", self.runs.to_string()));
        suite.add_test_cases(self.cases());
        let mut report = Report::new("murphy");
        report.set_time(self.took);
        report.add_test_suite(suite);
        // Writing to memory does not fail, and what XML cannot hold was taken out.
        report.to_string().unwrap_or_default()
    }

    fn cases(&self) -> Vec<TestCase> {
        let broken = |stage: Stage| self.failures.iter().any(|failure| failure.stage == stage);
        let clean = self
            .phases
            .iter()
            .filter(|p| p.failed == 0 && !broken(p.stage));
        let mut cases: Vec<TestCase> = clean
            .map(|phase| {
                let mut case = self.case(&phase.stage.to_string(), TestCaseStatus::success());
                case.set_system_out(phase.to_string());
                case
            })
            .collect();
        for failure in &self.failures {
            let status = bad(
                NonSuccessKind::Failure,
                &failure.violation.promise.to_string(),
                &failure.violation.to_string(),
                &failure.to_string(),
            );
            cases.push(self.case(&failure.violation.name, status));
        }
        for gap in &self.gaps {
            let status = bad(NonSuccessKind::Failure, "not green", gap, gap);
            cases.push(self.case(gap, status));
        }
        for why in &self.undecided {
            let status = bad(NonSuccessKind::Error, "undecided", why, why);
            cases.push(self.case(&format!("undecided: {why}"), status));
        }
        if cases.is_empty() {
            let mut status = TestCaseStatus::skipped();
            status.set_message(cut(&self.notes.join("; "), LONGEST_TEXT));
            cases.push(self.case("nothing ran", status));
        }
        cases
    }

    fn case(&self, name: &str, status: TestCaseStatus) -> TestCase {
        let mut case = TestCase::new(cut(name, LONGEST_NAME), status);
        case.set_classname(cut(&self.name, LONGEST_NAME));
        case
    }
}

fn bad(kind: NonSuccessKind, of: &str, message: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(of)
        .set_message(cut(message, LONGEST_NAME))
        .set_description(cut(text, LONGEST_TEXT));
    status
}

/// At most so many characters. The library leaves out control characters, and these two are in no XML either.
fn cut(text: &str, most: usize) -> String {
    let is_text = |c: &char| !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().filter(is_text).take(most).collect()
}
