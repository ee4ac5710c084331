//! [`Replies`]: by position, in place for those who are few.

use crate::Set;

/// So many have room in place.
const FEW: usize = 16;

/// What members replied, by position. Up to sixteen members take no allocation.
#[derive(Clone, Debug)]
pub(super) enum Replies<R> {
    Few([Option<R>; FEW]),
    Many(Vec<Option<R>>),
}

impl<R> Replies<R> {
    #[inline]
    pub(super) fn none(members: Set) -> Self {
        if members.minus(Set::first(FEW)).is_empty() {
            return Self::Few([const { None }; FEW]);
        }
        Self::Many((0..Set::MOST).map(|_| None).collect())
    }

    /// Of a position that there is.
    #[inline]
    pub(super) fn keep(&mut self, member: usize, reply: R) {
        let place = match self {
            Self::Few(few) => few.get_mut(member),
            Self::Many(many) => many.get_mut(member),
        };
        if let Some(place) = place {
            *place = Some(reply);
        }
    }

    pub(super) fn get(&self, member: usize) -> Option<&R> {
        match self {
            Self::Few(few) => few.get(member)?.as_ref(),
            Self::Many(many) => many.get(member)?.as_ref(),
        }
    }

    pub(super) fn take(&mut self, member: usize) -> Option<R> {
        match self {
            Self::Few(few) => few.get_mut(member)?.take(),
            Self::Many(many) => many.get_mut(member)?.take(),
        }
    }
}
