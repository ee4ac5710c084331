//! [`Rule`]: when a question is decided, and by which reply.

mod byzantine;
mod matching;
mod newest;

pub use self::byzantine::{Dissemination, Masking};
pub use self::matching::Matching;
pub use self::newest::Newest;
use crate::{Cause, Decision, Need, Set, System, Tally, Threshold, Verdict, Why};

/// Who is asked, and what it takes.
pub trait Panel {
    /// Who is asked.
    fn members(&self) -> Set;

    /// Whether it could be decided if just these said yes: who is asked first, where not all are.
    fn would_do(&self, yes: Set) -> bool;

    /// What it takes, for an error's words.
    fn need(&self) -> Need;
}

/// When a question is decided, and whose reply is the answer. A pure function of what was heard.
pub trait Rule<R>: Panel {
    /// What is known after this. With nobody outstanding, pending is impossible.
    fn judge(&self, tally: &Tally<R>) -> Verdict;

    /// If that is all there is to it: it is decided as soon as so many of its members have said yes, by them, and any reply
    /// will do. Then they are counted, and judged when somebody did not say yes. `None` unless a rule says so: each outcome is judged.
    #[inline]
    fn by_number(&self) -> Option<Threshold> {
        None
    }
}

impl<S: System> Panel for S {
    #[inline]
    fn members(&self) -> Set {
        System::members(self)
    }

    fn would_do(&self, yes: Set) -> bool {
        self.is_quorum(yes)
    }

    fn need(&self) -> Need {
        System::need(self)
    }
}

/// A system decides by numbers: any reply of its quorum will do, and the first member's is it.
impl<R, S: System> Rule<R> for S {
    #[inline]
    fn judge(&self, tally: &Tally<R>) -> Verdict {
        let yes = tally.yes();
        if self.is_quorum(yes) {
            return decided(yes, yes);
        }
        // While nobody is lost, all may yet say yes.
        if tally.lost().is_empty() {
            return Verdict::Pending;
        }
        reachable(self, tally)
    }

    #[inline]
    fn by_number(&self) -> Option<Threshold> {
        let is_all = |of: &Threshold| System::members(of) == System::members(self);
        self.as_threshold().filter(is_all)
    }
}

/// Whether those who are left could make it.
#[inline(never)]
fn reachable<R>(system: &impl System, tally: &Tally<R>) -> Verdict {
    if system.is_quorum(tally.yes().or(tally.outstanding())) {
        return Verdict::Pending;
    }
    impossible(system, tally, Cause::TooFew)
}

/// By these; the reply is that of the first of those who replied alike.
#[inline]
fn decided(by: Set, alike: Set) -> Verdict {
    Verdict::Decided(Decision::of(by, alike))
}

#[cold]
fn impossible<R>(system: &dyn System, tally: &Tally<R>, cause: Cause) -> Verdict {
    let why = Why::of(system.need(), &tally.standings());
    Verdict::Impossible(Why { cause, ..why })
}
