//! Histories at random: what a thing could have answered, and now and then what it could not.

use murphy_check::{Model, Operation, OperationOf, Outcome};

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.draw() % n as u64) as usize
    }

    pub(crate) fn percent(&mut self, p: usize) -> bool {
        self.below(100) < p
    }

    pub(crate) fn of<T: Clone>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())].clone()
    }
}

/// What histories are made of.
pub(crate) struct Words<M: Model> {
    pub(crate) requests: Vec<M::Request>,
    pub(crate) replies: Vec<M::Reply>,
    /// How many of a hundred replies are drawn, and not what the model would say.
    pub(crate) lies: usize,
}

/// Up to `most` operations of up to four processes, on one thing. One in seven has an unknown outcome, one in
/// fourteen failed.
pub(crate) fn history<M: Model>(
    model: &M,
    words: &Words<M>,
    most: usize,
    random: &mut Random,
) -> Vec<OperationOf<M>> {
    let n = 1 + random.below(most);
    let processes = 1 + random.below(4);
    let mut state = model.initial();
    let mut running: Vec<Option<(M::Request, u64, Option<M::Reply>)>> = vec![None; processes];
    let (mut called, mut event, mut done) = (0, 0, Vec::new());
    while called < n || running.iter().any(Option::is_some) {
        let process = random.below(processes);
        let slot = &mut running[process];
        event += 1;
        match slot.take() {
            None if called < n => {
                let request = random.of(&words.requests);
                *slot = Some((request, event, None));
                called += 1;
            }
            None => {}
            // It takes effect some time before it returns.
            Some((request, at, None)) => {
                let reply = answer(model, words, &mut state, &request, random);
                *slot = Some((request, at, Some(reply)));
            }
            Some((request, at, Some(reply))) => {
                let outcome = match random.below(14) {
                    0 | 1 => Outcome::Unknown,
                    2 => Outcome::Failed,
                    _ => Outcome::Done(reply),
                };
                let end = Some((event, outcome));
                let operation = Operation::try_new(process as u64, request, at, end);
                done.push(operation.expect("in order"));
            }
        }
    }
    done.sort_by_key(Operation::called);
    done
}

fn answer<M: Model>(
    model: &M,
    words: &Words<M>,
    state: &mut M::State,
    request: &M::Request,
    random: &mut Random,
) -> M::Reply {
    let possible = |reply: &&M::Reply| {
        let next = model.step(state, request, Some(*reply));
        next.into_iter().next().is_some()
    };
    let honest: Vec<M::Reply> = words.replies.iter().filter(possible).cloned().collect();
    if honest.is_empty() || random.percent(words.lies) {
        return random.of(&words.replies);
    }
    let reply = random.of(&honest);
    let next = model.step(state, request, Some(&reply));
    *state = next.into_iter().next().expect("it was possible");
    reply
}
