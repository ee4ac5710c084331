//! What the statements say. Apart from them, for the benchmark says them too.

use super::sql::{Statements, is_table, number, rank_of};
use crate::Rank;
use proptest::prelude::*;

#[test]
fn a_table_is_one_or_two_plain_words() {
    for name in ["murphy_lease", "locks.lease2", "_"] {
        assert!(is_table(name), "{name}");
    }
    let long = "x".repeat(64);
    for name in [
        "", "a.", ".a", "a.b.c", "a b", "a;--", "A", "2a", "a\"", "ä", &long,
    ] {
        assert!(!is_table(name), "{name}");
    }
}

#[test]
fn nothing_is_left_to_be_filled_in() {
    let of = Statements::of("locks.lease");
    for text in [
        of.schema, of.acquire, of.renew, of.release, of.observe, of.listen,
    ] {
        assert!(!text.contains('{'), "{text}");
    }
}

proptest! {
    #[test]
    fn ranks_as_numbers_keep_their_order(a: (u32, u64), b: (u32, u64)) {
        let [a, b] = [a, b].map(|(era, seq)| Rank::new(era, seq));
        let bits = |rank| number(rank).parse::<u128>().unwrap();
        prop_assert_eq!(bits(a).cmp(&bits(b)), a.cmp(&b));
        prop_assert_eq!(rank_of(&number(a)), Some(a));
    }
}

#[test]
fn the_number_of_the_last_rank_is_in_the_statement() {
    assert!(Statements::of("t").acquire.contains(&number(Rank::MAX)));
    assert_eq!(rank_of("79228162514264337593543950336"), None);
    assert_eq!(rank_of("-1"), None);
}
