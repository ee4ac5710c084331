//! What a chaos has for a model to work on: its links and its nodes.

use std::sync::Arc;

use super::error::BadModel;
use super::{Failures, Model};
use crate::chaos::Chaos;
use crate::plan::nearest;

pub(super) struct Ground {
    pub(super) links: Vec<LinkSite>,
    /// All of the network, sorted.
    pub(super) nodes: Vec<Arc<str>>,
}

/// A site that is a link.
pub(super) struct LinkSite {
    pub(super) site: Arc<str>,
    /// Who answers on it.
    pub(super) to: Arc<str>,
}

impl Ground {
    pub(super) fn of(chaos: &Chaos) -> Result<Self, BadModel> {
        let wires = &chaos.inner.wires;
        let profiles = wires.profiles();
        let mut links = Vec::new();
        for site in chaos.sites() {
            let Some((from, to)) = site.split_once("->") else {
                continue;
            };
            let Some(ends) = wires.ends(from, to) else {
                continue;
            };
            let ways = [ends, (ends.1, ends.0)];
            if ways.iter().any(|way| profiles.of(*way).is_some()) {
                let remedy = "it has a profile, whose latency and loss the model would not bound: \
                              use a chaos whose network has none";
                return Err(BadModel::new("links", site.to_string(), remedy));
            }
            links.push(LinkSite {
                to: to.into(),
                site,
            });
        }
        if links.is_empty() {
            let remedy = "no site is a link between two nodes of the network: ask `Network::link` \
                          for some, and then for the plan";
            return Err(BadModel::new("links", "none".into(), remedy));
        }
        let mut nodes = chaos.network().names();
        nodes.sort_unstable();
        Ok(Self { links, nodes })
    }

    /// Whom the model is about.
    pub(super) fn members(&self, chaos: &Chaos, model: &Model) -> Result<Vec<Arc<str>>, BadModel> {
        let crashing = model.failures != Failures::Byzantine && model.faulty != Some(0);
        if crashing && chaos.nodes().is_empty() {
            let remedy =
                "none of them can crash: ask `Chaos::node` for those that may, or use `faulty(0)`";
            return Err(BadModel::new("nodes", "none".into(), remedy));
        }
        let may_fail = if crashing {
            chaos.nodes()
        } else {
            self.answering()
        };
        let Some(among) = &model.among else {
            return Ok(may_fail);
        };
        match among.iter().find(|name| !may_fail.contains(name)) {
            None => Ok(among.clone()),
            Some(stranger) => {
                let guess = nearest(stranger, may_fail.iter().map(|n| &**n));
                let guess = guess.map_or(String::new(), |g| format!("did you mean `{g}`? "));
                let which = if crashing {
                    "only nodes that `Chaos::node` was asked for can crash"
                } else {
                    "no link leads there"
                };
                let remedy = format!("{guess}{which}");
                Err(BadModel::new("among", stranger.to_string(), remedy))
            }
        }
    }

    /// The nodes that links lead to, sorted.
    fn answering(&self) -> Vec<Arc<str>> {
        let mut nodes: Vec<Arc<str>> = self.links.iter().map(|l| Arc::clone(&l.to)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}
