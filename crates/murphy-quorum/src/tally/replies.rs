//! [`Replies`]: by position, in place for those who are few.

use crate::Set;

/// So many have room in place.
const FEW: usize = 16;

/// What members replied, by position. Up to sixteen members take no allocation.
#[derive(Clone, Debug)]
pub(super) struct Replies<R> {
    few: [Option<R>; FEW],
    /// Those of the others, where there are any.
    many: Option<Box<[Option<R>]>>,
}

impl<R> Replies<R> {
    #[inline]
    pub(super) fn none(members: Set) -> Self {
        let is_few = members.minus(Set::first(FEW)).is_empty();
        Self {
            few: [const { None }; FEW],
            many: if is_few { None } else { Some(Self::room()) },
        }
    }

    #[cold]
    fn room() -> Box<[Option<R>]> {
        (FEW..Set::MOST).map(|_| None).collect()
    }

    /// Of a position that there is.
    #[inline]
    pub(super) fn keep(&mut self, member: usize, reply: R) {
        match self.few.get_mut(member) {
            Some(place) => *place = Some(reply),
            None => self.keep_far(member, reply),
        }
    }

    #[cold]
    fn keep_far(&mut self, member: usize, reply: R) {
        if let Some(place) = self.place(member) {
            *place = Some(reply);
        }
    }

    pub(super) fn get(&self, member: usize) -> Option<&R> {
        let place = match self.few.get(member) {
            Some(place) => place,
            None => self.many.as_ref()?.get(member - FEW)?,
        };
        place.as_ref()
    }

    pub(super) fn take(&mut self, member: usize) -> Option<R> {
        self.place(member)?.take()
    }

    fn place(&mut self, member: usize) -> Option<&mut Option<R>> {
        match self.few.get_mut(member) {
            Some(place) => Some(place),
            None => self.many.as_mut()?.get_mut(member - FEW),
        }
    }
}
