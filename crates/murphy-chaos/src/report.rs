//! The report: what an [`Outcome`] says to people.

use std::fmt;

use humantime::format_duration;
use murphy_fault::Grade;

use crate::outcome::{Failure, Outcome, Phase, Stage, Verdict};

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, seed, runs, ..
        } = self;
        let word = match self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed => "FAILED",
            Verdict::Undecided => "UNDECIDED",
        };
        let millis = std::time::Duration::from_millis(self.took.as_millis() as u64);
        let took = format_duration(millis);
        writeln!(
            f,
            "murphy: `{name}` {word}: {runs} runs in {took}, MURPHY_SEED={seed}"
        )?;
        if self.grade != Grade::Paused {
            let grade = match self.grade {
                Grade::Keyed => "keyed: the same faults strike the same operations",
                _ => {
                    "positional: calls without a key, and storms, may strike other operations another time"
                }
            };
            writeln!(f, "  in real time, grade {grade}")?;
        }
        let phases: Vec<String> = self.phases.iter().map(ToString::to_string).collect();
        if !phases.is_empty() {
            writeln!(f, "  {}", phases.join("; "))?;
        }
        for failure in &self.failures {
            write!(f, "\n{failure}")?;
        }
        for failure in &self.unconfirmed {
            write!(f, "\nUNCONFIRMED {failure}")?;
        }
        for gap in &self.gaps {
            writeln!(f, "\nNOT GREEN: {gap}")?;
        }
        for why in &self.undecided {
            writeln!(f, "\nUNDECIDED: {why}")?;
        }
        let coverage = self.coverage.to_string();
        if !coverage.is_empty() {
            write!(f, "\nsurvived / injected:\n{coverage}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.violation)?;
        let at = format_duration(self.violation.at);
        match self.injections.len() {
            0 => writeln!(f, "  without any fault, at {at}")?,
            n => writeln!(f, "  caused by {n} of {}, at {at}:", self.found_with)?,
        }
        for injection in &self.injections {
            writeln!(f, "    {injection}")?;
        }
        let minimal = if self.is_minimal {
            ""
        } else {
            ", not yet minimal"
        };
        writeln!(
            f,
            "  found in {}, shrunk by {} replays{minimal}, came again {} times of {}",
            self.stage, self.replays, self.confirmed, self.of
        )?;
        for (cause, runs) in &self.also {
            writeln!(f, "  also by {cause}, in {runs} runs")?;
        }
        writeln!(f, "  to repeat: MURPHY_REPLAY={} cargo test", self.code)
    }
}

/// `singles 384/384`, and how many of them failed.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            tried,
            of,
            failed,
        } = self;
        match of {
            Some(of) => write!(f, "{tried} of {of} {stage} tried")?,
            None => write!(f, "{tried} {stage}")?,
        }
        match failed {
            0 => Ok(()),
            n => write!(f, ", {n} failed"),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Corpus => "old failures",
            Self::FaultFree => "runs without faults",
            Self::Singles => "single faults",
            Self::Orders => "other orders",
            Self::Pairs => "pairs",
            Self::Storms => "storms",
            Self::Replay => "replays",
        })
    }
}
