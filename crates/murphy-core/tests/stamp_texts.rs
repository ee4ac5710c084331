//! Version vectors are a lattice with a bound; stamps have exactly one text, and hostile ones none.

use murphy_core::clock::Wall;
use murphy_core::order::{
    HybridStamp, LamportStamp, LogicalClock, NodeId, Refused, Vector, VersionVector,
};
use proptest::prelude::*;

fn node(name: &str) -> NodeId {
    name.parse().expect("a name")
}

fn vector() -> impl Strategy<Value = VersionVector> {
    proptest::collection::btree_map("[a-d]", 1..4u64, 0..4).prop_map(|counts| {
        let entries = counts.iter().map(|(node, count)| format!("{node}={count}"));
        let text = entries.collect::<Vec<_>>().join(",");
        let text = if text.is_empty() { "0" } else { &text };
        text.parse().expect("a vector")
    })
}

/// A vector of so many nodes.
fn wide(nodes: usize) -> String {
    let entries = (0..nodes).map(|n| format!("n{n:03}=1"));
    entries.collect::<Vec<_>>().join(",")
}

proptest! {
    #[test]
    fn merging_is_a_join(a in vector(), b in vector(), c in vector()) {
        let join = |a: &VersionVector, b: &VersionVector| a.merged(b).expect("few nodes");
        let ab = join(&a, &b);
        prop_assert_eq!(&ab, &join(&b, &a), "commutative");
        prop_assert_eq!(join(&ab, &c), join(&a, &join(&b, &c)), "associative");
        prop_assert_eq!(&join(&a, &a), &a, "idempotent");
        prop_assert!(a <= ab && b <= ab, "an upper bound");
        prop_assert!(!(a <= c && b <= c) || ab <= c, "the least one");
        let upper = join(&ab, &c);
        prop_assert!(a <= upper && b <= upper && ab <= upper);
        prop_assert_eq!(a <= b, join(&a, &b) == b, "the order is that of the join");
    }

    #[test]
    fn each_stamp_has_one_text(
        count in any::<u64>(), wall in any::<i64>(), c in any::<u32>(), name in "[a-zA-Z0-9._-]{1,36}", v in vector(),
    ) {
        let (id, wall) = (node(&name), Wall::from_nanos(wall));
        let (lamport, hybrid) = (LamportStamp::new(count, id), HybridStamp::new(wall, c, id));
        prop_assert_eq!(lamport.to_string().parse(), Ok(lamport));
        prop_assert_eq!(hybrid.to_string().parse(), Ok(hybrid));
        prop_assert_eq!(v.to_string().parse(), Ok(v));
    }

    #[test]
    fn what_is_read_is_printed_as_it_was(text in prop_oneof![
        any::<String>(),
        "-?[0-9]{0,21}(\\.[0-9]{0,11})?@[a-z@]{0,3}",
        "([ab]{0,2}=[0-9]{0,3},?){0,4}",
    ]) {
        if let Ok(stamp) = text.parse::<LamportStamp>() {
            prop_assert_eq!(stamp.to_string(), text.as_str());
        }
        if let Ok(stamp) = text.parse::<HybridStamp>() {
            prop_assert_eq!(stamp.to_string(), text.as_str());
        }
        if let Ok(stamp) = text.parse::<VersionVector>() {
            prop_assert_eq!(stamp.to_string(), text.as_str());
        }
    }
}

#[test]
fn a_text_that_is_no_stamp_is_refused_with_a_remedy() {
    let long = "9".repeat(10_000);
    for text in [
        "",
        "17",
        "@a",
        "17@",
        "017@a",
        "+17@a",
        "-1@a",
        "17@a@b",
        "17@a b",
        " 17@a",
        "18446744073709551616@a",
        "17@näme",
        &long,
    ] {
        let e = text.parse::<LamportStamp>().expect_err(text).to_string();
        assert!(e.contains("`17@web`") && e.len() < 300, "{e}");
    }
    for text in [
        "",
        "1@a",
        "1.2",
        "-0.1@a",
        "01.2@a",
        "1.02@a",
        "1.4294967296@a",
        "9223372036854775808.0@a",
        "1.-2@a",
        ".@a",
        &long,
    ] {
        let e = text.parse::<HybridStamp>().expect_err(text).to_string();
        assert!(e.contains(".2@web`") && e.len() < 300, "{e}");
    }
    for text in [
        "", "a", "a=0", "a=", "=1", "b=1,a=1", "a=1,a=2", "a=1,", ",a=1", "a=01", "a=1=2", "00",
        &long,
    ] {
        let e = text.parse::<VersionVector>().expect_err(text).to_string();
        assert!(e.contains("`bank=2,web=1`") && e.len() < 300, "{e}");
    }
    for e in [
        long.parse::<LamportStamp>().err(),
        long.parse::<HybridStamp>().err(),
        long.parse::<VersionVector>().err(),
    ] {
        let e = e.expect("too long");
        assert!(e.remedy.starts_with("at most "), "before it is parsed: {e}");
    }
    let e = wide(VersionVector::MOST_NODES + 1).parse::<VersionVector>();
    assert!(
        e.expect_err("one too many")
            .to_string()
            .contains("at most 128 nodes")
    );
}

#[test]
fn a_vector_has_a_bound_and_keeps_a_place_for_itself() {
    let most = VersionVector::MOST_NODES;
    let clock = Vector::new(node("own"));
    let full: VersionVector = wide(most).parse().expect("as many as allowed");
    let refused = Refused::TooManyNodes {
        nodes: most + 1,
        most,
    };
    assert_eq!(clock.observe(&full), Err(refused));
    assert_eq!(clock.tick().to_string(), "own=1", "not moved");
    let beside: VersionVector = wide(most - 1).parse().expect("few enough");
    assert!(clock.observe(&beside).is_ok());
    assert_eq!(clock.tick().count(node("own")), 3);
    assert_eq!(clock.observe(&full), Err(refused));
    let other = "z=1".parse().expect("a vector");
    assert_eq!(clock.observe(&other), Err(refused));
    assert_eq!(full.clone().tick(node("own")), Err(refused));
    assert!(full.merged(&full).is_ok());
    assert_eq!(
        full.merged(&"own=1".parse().expect("a vector")),
        Err(refused)
    );
    assert!(Vector::starting_after(node("own"), full).is_err());
}

#[test]
fn a_vector_clock_survives_its_restart_and_absurd_counts() {
    let clock = Vector::new(node("a"));
    clock.tick();
    let last = clock.clone().tick();
    let restarted = Vector::starting_after(node("a"), last.clone()).expect("room");
    assert!(restarted.tick() > last);
    let absurd: VersionVector = "a=9223372036854775808".parse().expect("a vector");
    assert!(matches!(
        restarted.observe(&absurd),
        Err(Refused::TooHigh { .. })
    ));
    assert_eq!(restarted.tick().to_string(), "a=4");
}
