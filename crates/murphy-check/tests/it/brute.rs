//! All orders, one after the other: what the search is held to. It shares nothing with it but the model.

use murphy_check::{Model, OperationOf, Outcome};

/// An operation, and whether it may be left out.
pub(crate) struct Step<'a, M: Model> {
    pub(crate) operation: &'a OperationOf<M>,
    pub(crate) may_be_left_out: bool,
    /// What is called later comes later.
    pub(crate) returned: Option<u64>,
}

/// What happened for certain, and what may have.
pub(crate) fn steps<M: Model>(history: &[OperationOf<M>]) -> Vec<Step<'_, M>> {
    let happened = |o: &&OperationOf<M>| !matches!(o.outcome(), Outcome::Failed);
    let step = |operation| Step {
        operation,
        may_be_left_out: OperationOf::<M>::returned(operation).is_none(),
        returned: operation.returned(),
    };
    history.iter().filter(happened).map(step).collect()
}

/// Whether some order explains them.
pub(crate) fn is_legal<M: Model>(model: &M, steps: &[Step<'_, M>]) -> bool {
    let mut left: Vec<&Step<'_, M>> = steps.iter().collect();
    can_end(model, (&model.initial(), 0), &mut left)
}

fn can_end<M: Model>(
    model: &M,
    (state, latest): (&M::State, u64),
    left: &mut Vec<&Step<'_, M>>,
) -> bool {
    if left.iter().all(|step| step.may_be_left_out) {
        return true;
    }
    for at in 0..left.len() {
        let next = left[at].operation;
        let precedes = |other: &&Step<'_, M>| {
            !other.may_be_left_out && other.returned.is_some_and(|r| r < next.called())
        };
        let is_late = left[at].returned.is_some_and(|r| r < latest);
        if is_late || left.iter().any(precedes) {
            continue;
        }
        let step = left.remove(at);
        for state in model.step(state, next.request(), next.reply()) {
            if can_end(model, (&state, latest.max(next.called())), left) {
                return true;
            }
        }
        left.insert(at, step);
    }
    false
}
