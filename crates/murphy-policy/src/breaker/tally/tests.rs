use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn rules(consecutive: Option<u32>, failures: Option<f64>, slow: Option<f64>) -> Rules {
    let share = |share| Share::try_new("share", share).unwrap();
    Rules {
        consecutive,
        failures: failures.map(share),
        slow: slow.map(|of| (Duration::ZERO, share(of))),
        window: Window::Calls(10),
        least: 4,
    }
}

/// `.` went well, `x` failed, `s` was slow, `X` both.
fn feed(tally: &Tally, calls: &str) -> Option<Cause> {
    let now = Instant::now();
    let outcome = |c| Outcome {
        failed: "xX".contains(c),
        slow: "sX".contains(c),
    };
    calls
        .chars()
        .map(|c| tally.add(outcome(c), || now))
        .fold(None, Option::or)
}

#[test]
fn each_rule_opens_at_its_number() {
    let failed = |failed, of| Some(Cause::Failures { failed, of });
    let slow = |slow, of| Some(Cause::Slow { slow, of });
    let half = Some(0.5);
    for (name, rules, calls, want) in [
        (
            "three in a row",
            rules(Some(3), None, None),
            "xx.xxx",
            Some(Cause::Consecutive(3)),
        ),
        (
            "never three in a row",
            rules(Some(3), None, None),
            "xx.xx.xx.",
            None,
        ),
        (
            "slow is no failure",
            rules(Some(3), None, None),
            "ssss",
            None,
        ),
        (
            "half of four",
            rules(None, half, None),
            ".x.x",
            failed(2, 4),
        ),
        ("too few to judge", rules(None, half, None), "xxx", None),
        (
            "a success can be the one that was missing",
            rules(None, half, None),
            "xxx.",
            failed(3, 4),
        ),
        (
            "the oldest are forgotten",
            rules(None, half, None),
            "......xxxx......xxxx",
            None,
        ),
        (
            "half of ten",
            rules(None, half, None),
            ".....xxxxx",
            failed(5, 10),
        ),
        ("slow calls", rules(None, None, half), "s.s.", slow(2, 4)),
        (
            "a slow failure is one of each",
            rules(None, Some(0.9), half),
            "X.X.",
            slow(2, 4),
        ),
        (
            "failures are named first",
            rules(None, half, half),
            "X.X.",
            failed(2, 4),
        ),
        ("no rule", rules(None, None, None), "xxxxxxxxxx", None),
    ] {
        assert_eq!(feed(&Tally::new(&rules), calls), want, "{name}");
    }
}

#[test]
fn what_is_cleared_is_forgotten() {
    for window in [Window::Calls(10), Window::Time(Duration::from_secs(1))] {
        let tally = Tally::new(&Rules {
            window,
            ..rules(Some(3), Some(0.5), None)
        });
        assert_eq!(feed(&tally, "xx"), None);
        tally.clear();
        assert_eq!(feed(&tally, "xx."), None);
    }
}

proptest! {
    #[test]
    fn a_share_is_judged_as_a_list_is(
        window in 1_u32..40, least in 0_u32..40, percent in 1_u64..=100,
        calls in prop::collection::vec(any::<bool>(), 0..120),
    ) {
        let rules = Rules {
            failures: Some(Share::try_new("share", percent as f64 / 100.0).unwrap()),
            window: Window::Calls(window),
            least,
            ..rules(None, None, None)
        };
        let (tally, now) = (Tally::new(&rules), Instant::now());
        for n in 0..calls.len() {
            let last = &calls[(n + 1).saturating_sub(window as usize)..=n];
            let failed = last.iter().filter(|failed| **failed).count() as u64;
            let of = last.len() as u64;
            let enough = of >= u64::from(least.min(window));
            let open = enough && failed > 0 && failed * 100 >= percent * of;
            let outcome = Outcome { failed: calls[n], slow: false };
            let cause = tally.add(outcome, || now);
            prop_assert_eq!(cause, open.then_some(Cause::Failures { failed, of }));
        }
    }
}
