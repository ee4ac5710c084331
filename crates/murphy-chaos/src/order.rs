//! [`Order`]: one run that is to be made, and the plan that it takes.

use std::sync::Arc;

use murphy_core::Seed;
use murphy_fault::{Chaos, Plan};

use crate::injection::{Injection, Upset};
use crate::once::Setting;
use crate::script;
use crate::storm::Storm;

/// What goes wrong in a run.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    Script(Vec<Injection>),
    /// By chance; and the upsets that are in the plan.
    Storm(Plan, Vec<Injection>),
}

/// One run that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) seed: Seed,
    pub(crate) trouble: Trouble,
    /// Whether to write every call down.
    pub(crate) watched: bool,
    /// Whether to hand the whole ledger over.
    pub(crate) kept: bool,
    /// Whether to ask the sites what they cannot do.
    pub(crate) asked: bool,
}

impl Order {
    pub(crate) fn script(seed: Seed, injections: &[Injection]) -> Self {
        Self {
            seed,
            trouble: Trouble::Script(injections.to_vec()),
            watched: false,
            kept: false,
            asked: false,
        }
    }

    pub(crate) fn storm(seed: Seed, storm: Storm) -> Self {
        Self {
            trouble: Trouble::Storm(storm.plan, storm.upsets),
            ..Self::script(seed, &[])
        }
    }

    pub(crate) fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    pub(crate) fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    pub(crate) fn asked(mut self) -> Self {
        self.asked = true;
        self
    }

    /// What is armed.
    pub(crate) fn plan(&self, setting: &Setting) -> Plan {
        let mut plan = match &self.trouble {
            Trouble::Script(injections) => script::plan(self.seed, injections),
            Trouble::Storm(plan, _) => plan.clone(),
        };
        let keys = setting.keys;
        plan = plan.limits(|limits| limits.keys = keys);
        if self.watched {
            for site in &setting.sites {
                plan = plan.with(Arc::clone(site), script::watch());
            }
        }
        plan
    }

    /// The upsets that are planned.
    pub(crate) fn upsets(&self) -> impl Iterator<Item = &Injection> {
        let all = match &self.trouble {
            Trouble::Script(injections) => injections,
            Trouble::Storm(_, upsets) => upsets,
        };
        all.iter().filter(|i| matches!(i, Injection::Upset { .. }))
    }

    /// All that must be there before it is armed: what is named exists.
    pub(crate) fn prepare(&self, chaos: &Chaos, setting: &Setting, plan: &Plan) {
        for node in &setting.nodes {
            let _ = chaos.node(node);
        }
        for upset in self.upsets() {
            let Injection::Upset { what, .. } = upset else {
                continue;
            };
            let (one, other) = match what {
                Upset::Pause(a) | Upset::Crash(a) | Upset::Isolate(a) | Upset::Step(a, _) => {
                    (a, None)
                }
                Upset::Cut(a, b) | Upset::CutOneway(a, b) => (a, Some(b)),
            };
            for node in [Some(one), other].into_iter().flatten() {
                let _ = chaos.node(node);
            }
        }
        for site in &setting.sites {
            let _ = chaos.site(site);
        }
        for (site, _) in plan.faults() {
            let _ = chaos.site(site);
        }
    }
}
