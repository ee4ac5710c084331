//! Delta debugging: the smallest part of a list that still fails.
//!
//! Zeller and Hildebrandt's ddmin (TSE 2002), with a bound on its questions and an answer "I do
//! not know", which counts as "does not fail". The result is 1-minimal if the bound was not met:
//! none of what is left can be left out. A smaller list elsewhere may exist.

/// What became of a minimisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Minimal<T> {
    pub(crate) items: Vec<T>,
    /// How often the oracle was asked.
    pub(crate) asked: usize,
    /// Whether none of the items can be left out; false if the bound was met before.
    pub(crate) is_minimal: bool,
}

/// Reduces `items`, which fail, to a part in which each item is needed. `fails` is asked at most
/// `most` times, never twice the same, and neither for the whole list nor for the empty one.
pub(crate) fn ddmin<T: Clone>(
    items: Vec<T>,
    most: usize,
    mut fails: impl FnMut(&[T]) -> bool,
) -> Minimal<T> {
    let (mut items, mut asked, mut parts) = (items, 0, 2);
    while items.len() >= 2 {
        parts = parts.min(items.len());
        match smaller(&items, parts, most, &mut asked, &mut fails) {
            Found::Part(part) => (items, parts) = (part, 2),
            Found::Rest(rest) => (items, parts) = (rest, (parts - 1).max(2)),
            Found::Nothing if parts == items.len() => break,
            Found::Nothing => parts *= 2,
            Found::Spent => {
                return Minimal {
                    items,
                    asked,
                    is_minimal: false,
                };
            }
        }
    }
    Minimal {
        items,
        asked,
        is_minimal: true,
    }
}

enum Found<T> {
    Part(Vec<T>),
    Rest(Vec<T>),
    Nothing,
    Spent,
}

fn smaller<T: Clone>(
    items: &[T],
    parts: usize,
    most: usize,
    asked: &mut usize,
    fails: &mut impl FnMut(&[T]) -> bool,
) -> Found<T> {
    let cut = |i: usize| i * items.len() / parts..(i + 1) * items.len() / parts;
    for i in 0..parts {
        if *asked == most {
            return Found::Spent;
        }
        *asked += 1;
        let part = &items[cut(i)];
        if fails(part) {
            return Found::Part(part.to_vec());
        }
    }
    // Of two parts, the rest of one is the other.
    for i in (0..parts).filter(|_| parts > 2) {
        if *asked == most {
            return Found::Spent;
        }
        *asked += 1;
        let range = cut(i);
        let rest = [&items[..range.start], &items[range.end..]].concat();
        if fails(&rest) {
            return Found::Rest(rest);
        }
    }
    Found::Nothing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_matters_is_what_is_left() {
        for (name, all, needed) in [
            ("one of one", 1, vec![0]),
            ("the first", 20, vec![0]),
            ("the last", 20, vec![19]),
            ("two far apart", 20, vec![1, 18]),
            ("three", 33, vec![4, 5, 31]),
            ("all of them", 5, vec![0, 1, 2, 3, 4]),
        ] {
            let fails = |part: &[u32]| needed.iter().all(|n| part.contains(n));
            let found = ddmin((0..all).collect(), 1000, fails);
            assert_eq!((found.items, found.is_minimal), (needed, true), "{name}");
        }
    }

    #[test]
    fn a_bound_that_is_met_is_said() {
        let found = ddmin((0..100).collect(), 3, |part: &[u32]| part.contains(&77));
        assert_eq!((found.asked, found.is_minimal), (3, false));
        assert!(found.items.contains(&77));
    }

    proptest! {
        /// Also where more can mean less: none of what is left can be left out.
        #[test]
        fn the_result_fails_and_is_1_minimal(
            all in 1usize..24,
            causes in prop::collection::vec(prop::collection::btree_set(0usize..24, 1..4), 1..4),
            cures in prop::collection::vec(0usize..24, 0..3),
        ) {
            let items: Vec<usize> = (0..all).collect();
            let fails = |part: &[usize]| {
                causes.iter().any(|c| c.iter().all(|i| part.contains(i)))
                    && !(part.len() < all && cures.iter().any(|c| part.contains(c)))
            };
            prop_assume!(fails(&items));
            let found = ddmin(items, 10_000, fails);
            prop_assert!(fails(&found.items));
            prop_assert!(found.is_minimal);
            for i in 0..found.items.len() {
                let mut less = found.items.clone();
                less.remove(i);
                prop_assert!(less.is_empty() || !fails(&less), "{:?} without {i}", found.items);
            }
        }
    }
}
