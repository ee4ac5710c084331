//! [`Explore::ablate`]: explores again without each policy, to see which faults it pays for.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ablation::{Ablation, Cause, NotAblated, Row, Worth};
use crate::explore::{Ends, Explore};
use crate::once::Check;
use crate::outcome::{Failure, Outcome};
use crate::search::Search;
use crate::world::World;

/// The most policies of one ablation: each is an exploration.
pub(crate) const MOST_POLICIES: usize = 64;
/// The most broken promises that are told apart without one policy.
const MOST_FAILURES: usize = 64;
/// The most names that were asked for in vain, and are kept.
const MOST_STRANGERS: usize = 8;

/// Which policies are in place in a run. A handle: clones are of the same run.
#[derive(Clone, Debug)]
pub struct Policies {
    names: Arc<[String]>,
    out: Option<usize>,
    asked: Arc<Mutex<Asked>>,
}

/// What the test asked for, in all runs that share it.
#[derive(Debug, Default)]
struct Asked {
    known: BTreeSet<usize>,
    strangers: BTreeSet<String>,
}

impl Policies {
    /// Whether this policy is in place: the test builds its stack with it or without.
    ///
    /// One that [`Explore::ablate`] was not told of is in place, and an error of the ablation.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let at = self.names.iter().position(|known| known == name);
        let mut asked = self.asked();
        match at {
            Some(at) => {
                asked.known.insert(at);
            }
            None if asked.strangers.len() < MOST_STRANGERS => {
                asked.strangers.insert(name.to_owned());
            }
            None => {}
        }
        at.is_none() || at != self.out
    }

    /// The policy that was taken out of this run, if any was.
    #[must_use]
    pub fn out(&self) -> Option<&str> {
        self.out.map(|at| self.names[at].as_str())
    }

    fn without(names: &Arc<[String]>, out: Option<usize>) -> Self {
        Self {
            names: Arc::clone(names),
            out,
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name that the test asked for, and nobody has given.
    fn stranger(&self) -> Option<NotAblated> {
        let asked = self.asked().strangers.first()?.clone();
        let known = self.names.to_vec();
        Some(NotAblated::Unknown { asked, known })
    }

    fn was_asked_for(&self, at: usize) -> bool {
        self.asked().known.contains(&at)
    }
}

impl Explore {
    /// Explores with all policies in place, and then without each of them, one at a time: which faults does it pay for?
    ///
    /// The closure builds its stack as it is told, asking [`Policies::has`]. Each exploration has the whole
    /// [budget](Self::budget), the same seed and the same menu, and its single faults are tried to the end, so that all
    /// kinds which break something are known. With all in place nothing may break.
    ///
    /// # What it does not say
    ///
    /// Two policies that stand in for each other each seem not to matter. One that never mattered within the budget may
    /// in two faults more. Load is no fault: what a breaker or a budget spares a peer, it does not see.
    ///
    /// # Errors
    ///
    /// [`NotAblated`]: there is nothing to take out, a name is given twice or asked for and not given, or the run with all
    /// in place is not green.
    ///
    /// # Panics
    ///
    /// If an environment variable cannot be read.
    ///
    /// # Examples
    ///
    /// ```
    /// use murphy_chaos::{Budget, Kind, Menu, always, explore};
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// let menu = Menu::only([Kind::LostRequest, Kind::LostReply]).calls_only();
    /// let explored = explore("doc-ablate").budget(Budget::runs(100)).menu(menu);
    /// let ablation = explored.ablate(["key", "log"], |w, policies| async move {
    ///     let (has_key, _writes_a_log) = (policies.has("key"), policies.has("log"));
    ///     let charged = Rc::new(Cell::new(0));
    ///     for _attempt in 0..2 {
    ///         let charge = async || charged.set(if has_key { 1 } else { charged.get() + 1 });
    ///         let call = w.site("api->pay").run(17u64, charge).inline();
    ///         if tokio::time::timeout(Duration::from_secs(1), call).await.is_ok() { break; }
    ///     }
    ///     always!(charged.get() <= 1, "an order is charged once");
    /// })?;
    /// println!("{ablation}");
    /// assert_eq!(ablation.paid_for("key"), ["lost-reply"]);
    /// assert!(ablation.never_mattered("log"));
    /// # Ok::<(), murphy_chaos::NotAblated>(())
    /// ```
    pub fn ablate<F, Fut>(
        mut self,
        policies: impl IntoIterator<Item = impl Into<String>>,
        test: F,
    ) -> Result<Ablation, NotAblated>
    where
        F: Fn(World, Policies) -> Fut + Send + Sync,
        Fut: Future,
        Fut::Output: Ends,
    {
        let names = names(policies)?;
        if let Err(problem) = self.from_env() {
            panic!("murphy: `{}`: {problem}", self.name);
        }
        if self.replay.is_some() {
            return Err(self.replayed(&names, &test));
        }
        let all = Policies::without(&names, None);
        let baseline = self.clone().run(|world| test(world, all.clone()));
        if let Some(stranger) = all.stranger() {
            return Err(stranger);
        }
        if !baseline.passed() {
            return Err(NotAblated::Baseline(Box::new(baseline)));
        }
        let mut rows = Vec::with_capacity(names.len());
        for at in 0..names.len() {
            let policies = Policies::without(&names, Some(at));
            let outcome = self.lacking(&names[at]).searched(&policies, &test);
            if let Some(stranger) = policies.stranger() {
                return Err(stranger);
            }
            let was_asked_for = policies.was_asked_for(at) || all.was_asked_for(at);
            rows.push(Row {
                policy: names[at].clone(),
                worth: worth(&outcome, was_asked_for),
                outcome,
            });
        }
        Ok(Ablation { baseline, rows })
    }

    /// This exploration, of the system that lacks a policy: what breaks it is no bug, so nothing is kept of it.
    fn lacking(&self, policy: &str) -> Self {
        let mut lacking = self.clone();
        lacking.seed = Some(self.chosen_seed());
        lacking.name = format!("{}-without-{policy}", self.name);
        lacking.limit = MOST_FAILURES;
        lacking.going_on = false;
        lacking.expected.clear();
        lacking.fresh = true;
        lacking
    }

    fn searched<F, Fut>(&self, policies: &Policies, test: &F) -> Outcome
    where
        F: Fn(World, Policies) -> Fut + Send + Sync,
        Fut: Future,
        Fut::Output: Ends,
    {
        let check: Box<Check<'_>> = Box::new(move |world| {
            let future = test(world, policies.clone());
            Box::pin(async move { future.await.ends() })
        });
        Search::new(self, &*check).run()
    }

    /// Only the run of a code, of the exploration that it names.
    fn replayed<F, Fut>(&self, names: &Arc<[String]>, test: &F) -> NotAblated
    where
        F: Fn(World, Policies) -> Fut + Send + Sync,
        Fut: Future,
        Fut::Output: Ends,
    {
        let code = self.replay.as_ref().map_or("", |code| code.name.as_str());
        let of = (0..names.len()).find(|at| self.lacking(&names[*at]).name == code);
        let explored = of.map_or_else(|| self.clone(), |at| self.lacking(&names[at]));
        let outcome = explored.searched(&Policies::without(names, of), test);
        NotAblated::Replayed(Box::new(outcome))
    }
}

fn names(
    policies: impl IntoIterator<Item = impl Into<String>>,
) -> Result<Arc<[String]>, NotAblated> {
    let mut names: Vec<String> = Vec::new();
    for name in policies {
        let name = name.into();
        if names.contains(&name) {
            return Err(NotAblated::Twice(name));
        }
        if names.len() == MOST_POLICIES {
            return Err(NotAblated::TooMany);
        }
        names.push(name);
    }
    if names.is_empty() {
        return Err(NotAblated::Nothing);
    }
    Ok(names.into())
}

fn worth(outcome: &Outcome, was_asked_for: bool) -> Worth {
    if !was_asked_for {
        return Worth::NeverAsked;
    }
    if !outcome.failures.is_empty() {
        let mut causes: Vec<Cause> = outcome.failures.iter().flat_map(causes).collect();
        causes.sort();
        causes.dedup();
        return Worth::Pays(causes);
    }
    match outcome.undecided.is_empty() {
        true => Worth::NeverMattered,
        false => Worth::Unknown(outcome.undecided.clone()),
    }
}

/// The cause that was shrunk, and other single ones of the same broken promise.
fn causes(failure: &Failure) -> Vec<Cause> {
    let shrunk = failure
        .injections
        .iter()
        .map(|i| (i.kind().to_owned(), i.place()));
    let promise = failure.violation.name.clone();
    let mut all = vec![Cause {
        faults: shrunk.collect(),
        promise: promise.clone(),
    }];
    let also = failure
        .also
        .keys()
        .filter_map(|told| told.split_once(" at "));
    all.extend(also.map(|(kind, place)| Cause {
        faults: vec![(kind.to_owned(), place.to_owned())],
        promise: promise.clone(),
    }));
    all
}
