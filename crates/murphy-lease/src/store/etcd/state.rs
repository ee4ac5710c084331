//! [`State`]: how a lock stands, as one transaction saw it.

use etcd_client::{
    Compare, CompareOp, GetOptions, KeyValue, SortOrder, SortTarget, TxnOp, TxnOpResponse,
    TxnResponse,
};

use super::super::error::StoreError;
use super::keys::{Keys, rank_of, rank_of_key};
use crate::{Nonce, Rank};

/// How a lock stood at a revision.
#[derive(Debug)]
pub(super) struct State {
    /// Who holds it, and who waits, in the order in which they came.
    pub(super) queue: Vec<KeyValue>,
    pub(super) era: Era,
    /// The highest ballot, and where it was put; none where ranks are revisions.
    pub(super) ballot: Option<(Rank, i64)>,
    pub(super) revision: i64,
}

/// The era that is recorded, and where it was put; 0 and 0 if none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Era {
    pub(super) number: u32,
    pub(super) revision: i64,
}

/// Reads all of it: the last three operations of a transaction.
pub(super) fn read(keys: &Keys) -> [TxnOp; 3] {
    read_with(keys, GetOptions::new())
}

/// The same from the member that is asked, as it knows it: what it says was so at some time.
pub(super) fn read_there(keys: &Keys) -> [TxnOp; 3] {
    read_with(keys, GetOptions::new().with_serializable())
}

fn read_with(keys: &Keys, options: GetOptions) -> [TxnOp; 3] {
    let by_age = options.clone().with_prefix();
    let by_age = by_age.with_sort(SortTarget::Create, SortOrder::Ascend);
    [
        TxnOp::get(keys.queue.clone(), Some(by_age)),
        TxnOp::get(keys.era.clone(), Some(options.clone())),
        TxnOp::get(keys.ballot.clone(), Some(options)),
    ]
}

pub(super) fn nobody_there(keys: &Keys) -> Compare {
    Compare::create_revision(keys.queue.clone(), CompareOp::Equal, 0).with_prefix()
}

pub(super) fn same_era(keys: &Keys, era: Era) -> Compare {
    Compare::mod_revision(keys.era.clone(), CompareOp::Equal, era.revision)
}

/// The ballot was put there last; 0: never.
pub(super) fn same_ballot(keys: &Keys, revision: i64) -> Compare {
    Compare::mod_revision(keys.ballot.clone(), CompareOp::Equal, revision)
}

impl State {
    /// From a transaction that ended with [`read`].
    pub(super) fn from(verb: &'static str, reply: &TxnResponse) -> Result<Self, StoreError> {
        let nonsense = |what: &dyn std::fmt::Debug| StoreError::nonsense(verb, what);
        let revision = revision(verb, reply)?;
        let mut ops = reply.op_responses();
        let mut get = || match ops.pop() {
            Some(TxnOpResponse::Get(mut got)) => Ok(got.take_kvs()),
            other => Err(nonsense(&other)),
        };
        let (ballot, era, queue) = (get()?, get()?, get()?);
        let rank = |key: &KeyValue| {
            let rank = rank_of(key.value(), key.mod_revision());
            rank.ok_or_else(|| nonsense(&key.value_str()))
        };
        let ballot = match ballot.first() {
            Some(key) => Some((rank(key)?, key.mod_revision())),
            None => None,
        };
        let era = match era.first() {
            Some(key) => Era {
                number: rank(key)?.era,
                revision: key.mod_revision(),
            },
            None => Era::default(),
        };
        if let Some(key) = queue.iter().find(|key| rank_of_key(key).is_none()) {
            return Err(nonsense(&key.value_str()));
        }
        Ok(Self {
            queue,
            era,
            ballot,
            revision,
        })
    }

    /// Not below any that was granted, in an era that is not below this one.
    pub(super) fn high(&self, era: u32) -> Rank {
        let lowest = Rank::new(era, 0);
        match self.ballot {
            Some((ballot, _)) => ballot.max(lowest),
            None => {
                let revision = u64::try_from(self.revision).unwrap_or(0);
                Rank::new(self.era.number, revision).max(lowest)
            }
        }
    }

    /// Who holds it.
    pub(super) fn holder(&self) -> Option<&KeyValue> {
        self.queue.first()
    }

    /// At which place the key of this nonce is; 0 holds.
    pub(super) fn place(&self, own: &str) -> Option<usize> {
        let mut queue = self.queue.iter();
        queue.position(|key| key.key() == own.as_bytes())
    }

    /// The key of this nonce, if it holds the lock at that rank.
    pub(super) fn holds(&self, keys: &Keys, nonce: Nonce, rank: Rank) -> Option<&KeyValue> {
        let own = keys.own(nonce);
        let holder = self.holder().filter(|key| key.key() == own.as_bytes());
        holder.filter(|key| rank_of_key(key) == Some(rank))
    }
}

pub(super) fn revision(verb: &'static str, reply: &TxnResponse) -> Result<i64, StoreError> {
    let header = reply.header();
    let header = header.ok_or_else(|| StoreError::nonsense(verb, "an answer without a header"))?;
    Ok(header.revision())
}
