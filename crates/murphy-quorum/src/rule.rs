//! [`Rule`]: when a question is decided, and by which reply.

mod byzantine;
mod matching;
mod newest;

pub use self::byzantine::{Dissemination, Masking};
pub use self::matching::Matching;
pub use self::newest::Newest;
use crate::{Cause, Decision, Set, System, Tally, Verdict, Why};

/// When a question is decided, and whose reply is the answer. A pure function of what was heard.
pub trait Rule<R> {
    /// Who is asked.
    fn members(&self) -> Set;

    /// What is known after this.
    fn judge(&self, tally: &Tally<R>) -> Verdict;
}

/// A system decides by numbers: any reply of its quorum will do, and the first member's is it.
impl<R, S: System> Rule<R> for S {
    fn members(&self) -> Set {
        System::members(self)
    }

    #[inline]
    fn judge(&self, tally: &Tally<R>) -> Verdict {
        let yes = tally.yes();
        if self.is_quorum(yes) {
            return decided(yes, yes);
        }
        if self.is_quorum(yes.or(tally.outstanding())) {
            return Verdict::Pending;
        }
        impossible(self, tally, Cause::TooFew)
    }
}

/// By these; the reply is that of the first of those who replied alike.
fn decided(by: Set, alike: Set) -> Verdict {
    let reply = alike.bits().trailing_zeros() as usize;
    Verdict::Decided(Decision { by, reply })
}

#[cold]
fn impossible<R>(system: &dyn System, tally: &Tally<R>, cause: Cause) -> Verdict {
    Verdict::Impossible(Why {
        cause,
        need: system.need(),
        reachable: tally.yes().or(tally.outstanding()),
        no: tally.no(),
        unknown: tally.unknown(),
        faulty: tally.equivocated(),
    })
}
