//! [`VersionVector`]: how many events of each node are known.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::error::believable;
use super::text::{DIGITS, Reader};
use super::{BadStamp, NodeId, Refused};

/// How many events of each node are known: exactly what happened before.
///
/// One vector is less than another if the other knows all that it knows, and more. Neither is less
/// than the other if each knows what the other does not: they are [`concurrent`](Self::concurrent).
/// So two stamps of a [`Vector`](super::Vector) clock are in order if, and only if, their events
/// are. A node that is absent is one of which nothing is known: zero.
///
/// At most [`MOST_NODES`](Self::MOST_NODES) of them. As text `bank=2,web=1`, in the order of the names;
/// `0` when nothing is known.
///
/// Source: Parker et al., *Detection of Mutual Inconsistency in Distributed Systems*, IEEE TSE
/// 9(3), 1983; as clocks: Fidge 1988, Mattern 1989.
///
/// # Examples
///
/// ```
/// use murphy_core::order::VersionVector;
///
/// let ours: VersionVector = "bank=2,web=1".parse()?;
/// let earlier: VersionVector = "bank=1".parse()?;
/// let elsewhere: VersionVector = "bank=1,shop=1".parse()?;
/// assert!(earlier < ours);
/// assert!(ours.concurrent(&elsewhere));
/// assert_eq!(ours.merged(&elsewhere)?.to_string(), "bank=2,shop=1,web=1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "vector clock")]
#[doc(alias = "version clock")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VersionVector {
    /// No zeros in it, so that what is equal looks equal.
    counts: BTreeMap<NodeId, u64>,
}

impl VersionVector {
    /// As many nodes as one vector may know: 128. The longest text is 7 423 bytes.
    pub const MOST_NODES: usize = 128;

    const LONGEST: usize = Self::MOST_NODES * (NodeId::LONGEST + DIGITS + 2) - 1;

    /// Nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counts: BTreeMap::new(),
        }
    }

    /// How many events of this node are known.
    #[must_use]
    pub fn count(&self, node: NodeId) -> u64 {
        self.counts.get(&node).copied().unwrap_or(0)
    }

    /// The nodes of which anything is known, by name, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, u64)> + '_ {
        self.counts.iter().map(|(&node, &count)| (node, count))
    }

    /// One more event of this node.
    ///
    /// # Errors
    ///
    /// [`Refused::TooManyNodes`] if the node would be one too many. Nothing has changed then.
    pub fn tick(&mut self, node: NodeId) -> Result<(), Refused> {
        let nodes = self.counts.len() + usize::from(!self.counts.contains_key(&node));
        bounded(nodes)?;
        let count = self.counts.entry(node).or_default();
        *count = count.saturating_add(1);
        Ok(())
    }

    /// What either of the two knows, their join: the least vector that neither is past.
    ///
    /// # Errors
    ///
    /// [`Refused::TooManyNodes`] if they know too many together, [`Refused::TooHigh`] if a count of
    /// `other`'s is past 2⁶³ − 1.
    #[doc(alias = "merge")]
    pub fn merged(&self, other: &Self) -> Result<Self, Refused> {
        let new = other
            .counts
            .keys()
            .filter(|node| !self.counts.contains_key(node));
        bounded(self.counts.len() + new.count())?;
        let mut merged = self.clone();
        for (&node, &count) in &other.counts {
            let own = merged.counts.entry(node).or_default();
            // What was believed once is still: only more is in question.
            *own = if count > *own {
                believable(count)?
            } else {
                *own
            };
        }
        Ok(merged)
    }

    /// Whether each knows of an event that the other does not know of.
    #[doc(alias = "conflict")]
    #[must_use]
    pub fn concurrent(&self, other: &Self) -> bool {
        self.partial_cmp(other).is_none()
    }

    /// Whether all that is known here is known to `other`.
    fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|(node, count)| count <= other.count(node))
    }
}

/// [`None`] if the two are concurrent.
impl PartialOrd for VersionVector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.is_within(other), other.is_within(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        }
    }
}

impl fmt::Display for VersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.counts.is_empty() {
            return f.write_str("0");
        }
        for (n, (node, count)) in self.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{node}={count}")?;
        }
        Ok(())
    }
}

impl FromStr for VersionVector {
    type Err = BadStamp;

    fn from_str(text: &str) -> Result<Self, BadStamp> {
        let reader = Reader {
            kind: "version vector",
            text,
            remedy: "write nodes and counts from 1 on, in the order of the names: `bank=2,web=1`, or `0`",
        };
        let reader = reader.at_most(Self::LONGEST)?;
        let mut counts = BTreeMap::new();
        if text == "0" {
            return Ok(Self { counts });
        }
        for entry in text.split(',') {
            if counts.len() == Self::MOST_NODES {
                return Err(reader.bad("at most 128 nodes"));
            }
            let (node, count) = reader.split(entry, '=')?;
            let (node, count) = (reader.node(node)?, reader.count(count)?);
            let is_next = counts.last_key_value().is_none_or(|(&last, _)| last < node);
            if count == 0 || !is_next {
                return Err(reader.bad(reader.remedy));
            }
            counts.insert(node, count);
        }
        Ok(Self { counts })
    }
}

fn bounded(nodes: usize) -> Result<(), Refused> {
    let most = VersionVector::MOST_NODES;
    match nodes <= most {
        true => Ok(()),
        false => Err(Refused::TooManyNodes { nodes, most }),
    }
}
