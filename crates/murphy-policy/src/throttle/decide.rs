//! How likely a rejection is, as a function of two counts.

/// `max(0, (requests − K·accepts) / (requests + 1))`, and none below `floor` requests: with one
/// request and no accept yet the formula alone would reject every other call of a fresh client.
pub(super) fn chance(requests: u64, accepts: u64, k: f64, floor: u64) -> f64 {
    if requests < floor {
        return 0.0;
    }
    let requests = requests as f64;
    ((requests - k * accepts as f64) / (requests + 1.0)).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_formula() {
        for (requests, accepts, k, want) in [
            (0, 0, 2.0, 0.0),
            (1, 0, 2.0, 0.5),
            (100, 50, 2.0, 0.0),
            (100, 49, 2.0, 0.0198),
            (100, 25, 2.0, 0.4950),
            (100, 0, 2.0, 0.9901),
            (100, 50, 1.1, 0.4455),
            (100, 90, 1.1, 0.0099),
        ] {
            let p = chance(requests, accepts, k, 0);
            assert!((p - want).abs() < 5e-5, "({requests}, {accepts}, {k}): {p}");
        }
    }

    #[test]
    fn a_fresh_client_rejects_nothing() {
        assert_eq!(chance(9, 0, 2.0, 10), 0.0);
        assert!(chance(10, 0, 2.0, 10) > 0.9);
    }

    proptest! {
        #[test]
        fn it_is_a_probability_below_one(
            requests in any::<u32>(), accepts in any::<u32>(), k in 1.0..100.0_f64,
        ) {
            let p = chance(requests.into(), accepts.into(), k, 0);
            prop_assert!((0.0..1.0).contains(&p));
        }
    }
}
