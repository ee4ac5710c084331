//! Which operation is tried next: those that nothing unordered precedes, by call, and before them what is due.

use super::Search;
use super::links::END;
use super::states::NONE;
use crate::model::Model;
use crate::problem::NEVER;

impl<M: Model> Search<'_, M> {
    /// What has to be taken next, if it can be; else something after which it can.
    pub(super) fn hinted(&mut self, model: &M, steps: &mut u64) -> u32 {
        let due = self.returns.first();
        if self.is_loose || due == END {
            return END;
        }
        let class = self.problem.ops[due as usize].class;
        if self.step(model, class) != NONE {
            return due;
        }
        let mut op = self.first();
        while op != END {
            *steps += 1;
            let to = self.step(model, self.problem.ops[op as usize].class);
            if to != NONE && to != self.set {
                let classes = &self.problem.classes;
                if self.states.step(model, classes, (to, class)) != NONE {
                    return op;
                }
            }
            op = self.after(op);
        }
        END
    }

    /// What is tried first here; [`END`]: nothing.
    pub(super) fn first(&self) -> u32 {
        self.callable(self.calls.first())
            .unwrap_or_else(|| self.callable(self.maybes.first()).unwrap_or(END))
    }

    /// What is tried after that.
    pub(super) fn after(&self, op: u32) -> u32 {
        if !self.problem.ops[op as usize].is_required {
            return self.callable(self.maybes.after(op)).unwrap_or(END);
        }
        self.callable(self.calls.after(op))
            .unwrap_or_else(|| self.callable(self.maybes.first()).unwrap_or(END))
    }

    fn callable(&self, op: u32) -> Option<u32> {
        (op != END && self.problem.ops[op as usize].called <= self.bound()).then_some(op)
    }

    /// What is called later has to wait for what returned before.
    pub(super) fn bound(&self) -> u64 {
        match self.returns.first() {
            END => NEVER,
            op => self.problem.ops[op as usize].returned,
        }
    }

    pub(super) fn twin_is_first(&self, op: u32, bound: u64) -> bool {
        let twin = self.twins[op as usize];
        twin != u32::MAX
            && !self.is_loose
            && self.problem.ops[twin as usize].called <= bound
            && !self.taken.has(twin)
    }
}
