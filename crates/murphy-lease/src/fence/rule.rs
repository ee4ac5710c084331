//! [`Fence`]: what a resource remembers, and whom it admits.

use crate::{FencingToken, LockName, Rank};

/// What a resource remembers of its holders: the highest token that it has seen, and the last operation under it.
///
/// It has to live as long as the resource, and change in one transaction with it.
///
/// | the token's rank | its nonce | |
/// |---|---|---|
/// | above the highest | | admitted, and the highest from now on |
/// | the highest | the same | admitted, unless the operation's number did not rise |
/// | the highest | another | refused: [`Conflict`](Refused::Conflict) |
/// | below | | refused: [`Stale`](Refused::Stale) |
///
/// The first token decides which lock guards the resource; those of others are refused, for their ranks mean nothing here.
///
/// # Operations
///
/// A holder's own writes can be repeated or overtaken on their way. One that numbers them, from any number on and upwards,
/// has each admitted once at most, and none after a later one. A write without a number is admitted whenever its token
/// is, and leaves the count as it is.
///
/// | the number is | | what that says of the operation |
/// |---|---|---|
/// | higher than the last, or the first | admitted | it was not done before: here it is done once |
/// | the last | [`Repeated`](Refused::Repeated), `last` equal | it *was admitted*. Where admission and write are one transaction (a [`FencedStore`](super::FencedStore), a [`SqlFence`](super::SqlFence)) it was done. Behind [`FenceGuardLayer::serialize`](super::FenceGuardLayer::serialize) it may have been: its handler was called |
/// | lower | [`Repeated`](Refused::Repeated), `last` higher | nothing: it was done before the last, or never will be. Read, and decide anew |
///
/// # Examples
///
/// ```
/// use murphy_lease::fence::{Admitted, Fence, Refused};
/// use murphy_lease::FencingToken;
///
/// let older: FencingToken = "orders;era=0;seq=33;nonce=a".parse()?;
/// let newer: FencingToken = "orders;era=0;seq=34;nonce=b".parse()?;
/// let mut fence = Fence::new();
/// assert_eq!(fence.admit(&older, Some(1)), Ok(Admitted::Newer));
/// assert_eq!(fence.admit(&older, Some(1)), Err(Refused::Repeated { op: 1, last: 1 }));
/// assert_eq!(fence.admit(&newer, None), Ok(Admitted::Newer));
/// assert_eq!(fence.admit(&older, Some(2)), Err(Refused::Stale { current: newer.rank() }));
/// # Ok::<(), murphy_lease::BadToken>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    high: Option<High>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct High {
    token: FencingToken,
    op: Option<u64>,
}

/// Who was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admitted {
    /// A holder that the resource had not heard of: all before it are refused from now on.
    Newer,
    /// The one that it knows.
    Same,
}

/// Why a token was not admitted. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A later holder has been here.
    #[error("the token is stale: rank {current} was seen here; acquire the lock anew, above that")]
    Stale {
        /// Its rank.
        current: Rank,
    },
    /// Another holder of the same rank has been here: two stores, or one that forgot, granted it twice.
    #[error("another token of rank {current} was seen here; acquire the lock anew, above that")]
    Conflict {
        /// The rank of both.
        current: Rank,
    },
    /// Another lock guards this resource.
    #[error("the lock {guard} guards this resource, and the token is of another")]
    OtherLock {
        /// Which one does.
        guard: LockName,
    },
    /// That operation was admitted before, or a later one was.
    #[error("operation {op} comes after operation {last} of the same holder: use a higher number")]
    Repeated {
        /// Its number.
        op: u64,
        /// The last that was admitted. If it is the same, that operation was admitted: done, where admission and write are
        /// one transaction; begun, behind a [guard](super::FenceGuardLayer). See [`Fence`], Operations.
        last: u64,
    },
    /// It is higher than any grant can be by now: see [`Horizon`](super::Horizon).
    #[error("the token is from the future: at most rank {highest} can have been granted by now")]
    Future {
        /// The highest that would be believed.
        highest: Rank,
    },
    /// Its holder reads before it has sealed.
    #[error("the resource was not sealed with this token: seal it, and the value is in the reply")]
    NotSealed,
}

impl Fence {
    /// Of a resource that has seen no holder.
    #[must_use]
    pub const fn new() -> Self {
        Self { high: None }
    }

    /// A write with this token, or with `None` as `op` also a seal: on `Ok`, and only then, the fence has moved.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why not; the fence is as it was.
    pub fn admit(&mut self, token: &FencingToken, op: Option<u64>) -> Result<Admitted, Refused> {
        let admitted = self.check(token, op)?;
        match &mut self.high {
            Some(high) if admitted == Admitted::Same => high.op = op.or(high.op),
            high => {
                let token = token.clone();
                *high = Some(High { token, op });
            }
        }
        Ok(admitted)
    }

    /// Whether it would be admitted now.
    ///
    /// A check that is not one with the write protects nothing: this is for those who can tell a caller early.
    ///
    /// # Errors
    ///
    /// As of [`admit`](Self::admit).
    pub fn check(&self, token: &FencingToken, op: Option<u64>) -> Result<Admitted, Refused> {
        let Some(high) = &self.high else {
            return Ok(Admitted::Newer);
        };
        if token.lock() != high.token.lock() {
            let guard = high.token.lock().clone();
            return Err(Refused::OtherLock { guard });
        }
        let current = high.token.rank();
        if token.rank() > current {
            return Ok(Admitted::Newer);
        }
        if token.rank() < current {
            return Err(Refused::Stale { current });
        }
        if token.nonce() != high.token.nonce() {
            return Err(Refused::Conflict { current });
        }
        match (op, high.op) {
            (Some(op), Some(last)) if op <= last => Err(Refused::Repeated { op, last }),
            _ => Ok(Admitted::Same),
        }
    }

    /// Whether this very token is the highest that was seen: its holder has sealed, and none came after it.
    ///
    /// # Errors
    ///
    /// [`Refused`], among them [`NotSealed`](Refused::NotSealed) for one that would be admitted but was not seen yet.
    pub fn check_sealed(&self, token: &FencingToken) -> Result<(), Refused> {
        match self.check(token, None)? {
            Admitted::Same => Ok(()),
            Admitted::Newer => Err(Refused::NotSealed),
        }
    }

    /// The highest token that was seen. Whoever knows its nonce can pass for its holder: not for replies.
    #[must_use]
    pub fn token(&self) -> Option<&FencingToken> {
        self.high.as_ref().map(|high| &high.token)
    }

    /// The number of the last operation that was admitted under it, if any had one.
    #[must_use]
    pub fn op(&self) -> Option<u64> {
        self.high.as_ref().and_then(|high| high.op)
    }

    /// Operation `op` under `token` did nothing: its number counts as not seen, and the last is the one `before` it.
    /// Nothing happens if the fence has moved since.
    #[cfg(feature = "http")]
    pub(super) fn free(&mut self, token: &FencingToken, op: u64, before: Option<u64>) {
        if let Some(high) = &mut self.high
            && high.token == *token
            && high.op == Some(op)
        {
            high.op = before;
        }
    }

    /// As it was kept.
    pub(crate) const fn kept(token: FencingToken, op: Option<u64>) -> Self {
        let high = Some(High { token, op });
        Self { high }
    }
}

impl Refused {
    /// The rank to acquire above, where it is known.
    #[must_use]
    pub const fn current(&self) -> Option<Rank> {
        match self {
            Self::Stale { current } | Self::Conflict { current } => Some(*current),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Nonce;

    fn token(lock: &str, rank: Rank, nonce: u128) -> FencingToken {
        FencingToken::of(lock.parse().unwrap(), rank, Nonce::from_bits(nonce))
    }

    fn of(seq: u64, nonce: u128) -> FencingToken {
        token("orders", Rank::new(0, seq), nonce)
    }

    /// The rule once more, from all that was ever admitted.
    #[derive(Clone, Default)]
    struct Model(Vec<(FencingToken, Option<u64>)>);

    impl Model {
        fn admit(&mut self, token: &FencingToken, op: Option<u64>) -> bool {
            let overtaken =
                |(seen, done): &(FencingToken, Option<u64>)| match seen.partial_cmp(token) {
                    Some(std::cmp::Ordering::Less) => false,
                    Some(std::cmp::Ordering::Equal) => op.is_some() && *done >= op,
                    Some(std::cmp::Ordering::Greater) | None => true,
                };
            let admitted = !self.0.iter().any(overtaken);
            if admitted {
                self.0.push((token.clone(), op));
            }
            admitted
        }
    }

    fn agree(steps: &[(FencingToken, Option<u64>)]) {
        let (mut fence, mut model) = (Fence::new(), Model::default());
        for (token, op) in steps {
            let before = fence.clone();
            let checked = fence.check(token, *op);
            let admitted = fence.admit(token, *op);
            assert_eq!(checked, admitted);
            assert_eq!(admitted.is_ok(), model.admit(token, *op), "{steps:?}");
            match admitted {
                Ok(_) => assert_eq!(fence.token(), Some(token)),
                Err(_) => assert_eq!(fence, before, "a refusal changes nothing"),
            }
        }
    }

    #[test]
    fn all_short_histories_agree_with_all_that_was_ever_admitted() {
        let mut letters = Vec::new();
        for (seq, nonce) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            letters.extend([None, Some(1), Some(2)].map(|op| (of(seq, nonce), op)));
        }
        letters.push((token("other", Rank::new(0, 2), 1), None));
        let all = letters.len();
        for n in 0..all.pow(4) {
            let word: Vec<_> = (0..4)
                .map(|at| letters[n / all.pow(at) % all].clone())
                .collect();
            agree(&word);
        }
    }

    fn any_token() -> impl Strategy<Value = FencingToken> {
        (0..3_u32, 0..5_u64, 0..3_u128)
            .prop_map(|(era, seq, nonce)| token("orders", Rank::new(era, seq), nonce))
    }

    proptest! {
        #[test]
        fn long_histories_agree_too(
            steps in prop::collection::vec((any_token(), prop::option::of(0..6_u64)), 0..60),
        ) {
            agree(&steps);
        }

        #[test]
        fn a_lower_token_is_never_admitted_after_a_higher(
            steps in prop::collection::vec((any_token(), prop::option::of(any::<u64>())), 0..60),
        ) {
            let mut fence = Fence::new();
            let mut high = None;
            for (token, op) in steps {
                if fence.admit(&token, op).is_ok() {
                    prop_assert!(Some(token.rank()) >= high);
                    high = Some(token.rank());
                }
                // The equal one always is, and nothing changes by it.
                let (seen, before) = (fence.token().cloned(), fence.clone());
                if let Some(seen) = seen {
                    prop_assert_eq!(fence.admit(&seen, None), Ok(Admitted::Same));
                    prop_assert_eq!(&fence, &before);
                }
            }
        }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let mut fence = Fence::new();
        fence.admit(&of(7, 1), Some(3)).unwrap();
        let current = Rank::new(0, 7);
        let guard = "orders".parse().unwrap();
        for (token, op, want) in [
            (of(6, 1), None, Refused::Stale { current }),
            (of(7, 2), None, Refused::Conflict { current }),
            (of(7, 1), Some(3), Refused::Repeated { op: 3, last: 3 }),
            (of(7, 1), Some(1), Refused::Repeated { op: 1, last: 3 }),
            (
                token("other", Rank::MAX, 1),
                None,
                Refused::OtherLock { guard },
            ),
        ] {
            assert_eq!(fence.admit(&token, op), Err(want));
        }
        assert_eq!(fence.admit(&of(7, 1), Some(4)), Ok(Admitted::Same));
    }

    #[test]
    fn a_new_holder_counts_its_operations_anew() {
        let mut fence = Fence::new();
        fence.admit(&of(1, 1), Some(u64::MAX)).unwrap();
        assert_eq!(fence.admit(&of(2, 2), Some(0)), Ok(Admitted::Newer));
        assert_eq!(fence.op(), Some(0));
    }

    #[cfg(feature = "http")]
    #[test]
    fn only_the_last_number_of_the_same_holder_is_freed() {
        let mut fence = Fence::new();
        fence.admit(&of(1, 1), Some(5)).unwrap();
        fence.admit(&of(1, 1), Some(7)).unwrap();
        for (token, op) in [(of(2, 2), 7), (of(1, 2), 7), (of(1, 1), 6)] {
            fence.free(&token, op, None);
            assert_eq!(fence.op(), Some(7), "{token:?} {op}");
        }
        fence.free(&of(1, 1), 7, Some(5));
        assert_eq!(fence.op(), Some(5));
        assert_eq!(fence.admit(&of(1, 1), Some(7)), Ok(Admitted::Same));
    }

    #[test]
    fn who_has_not_sealed_does_not_read() {
        let mut fence = Fence::new();
        assert_eq!(fence.check_sealed(&of(1, 1)), Err(Refused::NotSealed));
        fence.admit(&of(1, 1), None).unwrap();
        assert_eq!(fence.check_sealed(&of(1, 1)), Ok(()));
        assert_eq!(fence.check_sealed(&of(2, 2)), Err(Refused::NotSealed));
        fence.admit(&of(2, 2), None).unwrap();
        let current = Rank::new(0, 2);
        assert_eq!(
            fence.check_sealed(&of(1, 1)),
            Err(Refused::Stale { current })
        );
    }
}
