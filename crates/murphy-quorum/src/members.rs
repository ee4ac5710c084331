//! [`Members`]: who may vote, by name.

use std::fmt;

use crate::{BadQuorum, Set};

/// Who may vote, by name, in their order: at least one, at most 64, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members<N>(Vec<N>);

impl<N: PartialEq + fmt::Debug> Members<N> {
    /// # Errors
    ///
    /// [`BadQuorum`]: nobody, more than 64, or somebody who is listed twice.
    pub fn try_new(names: impl IntoIterator<Item = N>) -> Result<Self, BadQuorum> {
        let mut all: Vec<N> = Vec::new();
        for name in names {
            if let Some(first) = all.iter().position(|known| *known == name) {
                let (member, second) = (format!("{name:?}"), all.len());
                return Err(BadQuorum::Twice {
                    member,
                    first,
                    second,
                });
            }
            all.push(name);
            if all.len() > Set::MOST {
                let members = all.len();
                return Err(BadQuorum::TooMany { members });
            }
        }
        if all.is_empty() {
            return Err(BadQuorum::NoMembers);
        }
        Ok(Self(all))
    }

    /// Where this one is; nowhere, if it is no member.
    pub fn position<Q: ?Sized>(&self, name: &Q) -> Option<usize>
    where
        N: PartialEq<Q>,
    {
        self.0.iter().position(|known| known == name)
    }
}

impl<N> Members<N> {
    /// Who is there.
    #[must_use]
    pub fn name(&self, at: usize) -> Option<&N> {
        self.0.get(at)
    }

    /// How many.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names by themselves, in their order.
    #[must_use]
    pub fn into_names(self) -> Vec<N> {
        self.0
    }

    /// In their order.
    pub fn names(&self) -> impl Iterator<Item = &N> {
        self.0.iter()
    }
}
