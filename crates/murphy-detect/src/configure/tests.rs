use murphy_core::Distribution;
use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const MS: Duration = Duration::from_millis(1);

fn wish(detection: Duration, recurrence: Duration, duration: Duration) -> Wish {
    Wish::try_new(detection, recurrence, duration).unwrap()
}

fn percent(p: f64) -> Probability {
    Probability::try_new(p / 100.0).unwrap()
}

/// Chen's example: a crash within 30 s, a mistake a month that lasts a minute.
fn chens() -> Wish {
    wish(SECOND * 30, DAY * 30, SECOND * 60)
}

#[test]
fn chens_example_with_a_known_delay() {
    let delay = Distribution::exponential(MS * 20);
    let configured = known(chens(), percent(1.0), &delay).unwrap();
    assert!(
        (configured.interval().as_secs_f64() - 9.976).abs() < 5e-4,
        "{configured:?}"
    );
    assert_eq!(configured.interval() + configured.shift(), SECOND * 30);
    let mean = configured.shift() - configured.margin();
    assert!((mean.as_secs_f64() - 0.02).abs() < 1e-4, "{mean:?}");
}

#[test]
fn chens_example_with_mean_and_variance() {
    let spread = Spread::new(MS * 20, Duration::from_secs_f64(0.02_f64.sqrt()));
    let configured = estimated(chens(), percent(1.0), spread).unwrap();
    assert!(
        (configured.interval().as_secs_f64() - 9.7095).abs() < 5e-4,
        "{configured:?}"
    );
    assert_eq!(configured.shift() - configured.margin(), MS * 20);
}

#[test]
fn a_closure_is_a_delay() {
    let delay = |t: Duration| (-t.as_secs_f64() / 0.02).exp();
    let configured = known(chens(), percent(1.0), &delay).unwrap();
    assert_eq!(configured.interval().as_millis(), 9_976);
}

#[test]
fn without_any_loss_or_delay_a_beat_a_detection_time_is_enough() {
    let configured = known(chens(), percent(0.0), &Distribution::fixed(Duration::ZERO)).unwrap();
    assert!(configured.interval() > SECOND * 14, "{configured:?}");
}

#[test]
fn what_is_impossible_says_what_would_be_possible() {
    let hasty = wish(SECOND, DAY, SECOND);
    let delay = Distribution::exponential(SECOND / 2);
    let loss = percent(90.0);
    let error = known(hasty, loss, &delay).unwrap_err();
    let (detection, recurrence) = (error.detection().unwrap(), error.recurrence().unwrap());
    assert!(detection > SECOND && recurrence < DAY);
    let possible =
        |detection, recurrence| known(wish(detection, recurrence, SECOND), loss, &delay).is_ok();
    assert!(
        possible(detection, DAY) && possible(SECOND, recurrence),
        "{error}"
    );
    // Not more than must be.
    assert!(
        !possible(detection * 99 / 100, DAY) && !possible(SECOND, recurrence * 101 / 100),
        "{error}"
    );
    let said = error.to_string();
    assert!(
        said.contains("relax `detection` to ") && said.contains("or `recurrence` to "),
        "{said}"
    );
}

#[test]
fn a_network_that_carries_nothing_cannot_be_helped() {
    let error = known(chens(), percent(100.0), &Distribution::fixed(MS)).unwrap_err();
    assert_eq!((error.detection(), error.recurrence()), (None, None));
    assert!(
        error
            .to_string()
            .ends_with("no beat comes in time, whatever is relaxed"),
        "{error}"
    );
}

#[test]
fn a_crash_is_not_found_sooner_than_a_beat_travels() {
    let spread = Spread::new(SECOND * 40, SECOND);
    let error = estimated(chens(), percent(1.0), spread).unwrap_err();
    assert!(error.detection().unwrap() > SECOND * 40, "{error}");
    assert_eq!(error.recurrence(), None);
}

#[test]
fn a_wish_for_nothing_is_refused() {
    let error = Wish::try_new(SECOND, Duration::ZERO, SECOND).unwrap_err();
    assert_eq!(error.field, "recurrence");
    assert!(Wish::try_new(Duration::MAX, SECOND, SECOND).is_err());
}

/// The formula of the paper, as it stands there.
fn promised(detection: f64, interval: f64, loss: f64, mean: f64) -> f64 {
    let longer = |t: f64| (-t / mean).exp();
    let in_time = (1.0 - loss) * (1.0 - longer(detection));
    let beats = (detection / interval).ceil() as i32;
    let fails =
        (1..beats).map(|j| loss + (1.0 - loss) * longer(detection - f64::from(j) * interval));
    interval / (in_time * fails.product::<f64>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_configured_keeps_the_wish_and_a_longer_interval_does_not(
        detection in 0.5..100.0_f64,
        recurrence in 1e2..1e8_f64,
        duration in 0.5..100.0_f64,
        loss in 0.001..0.3_f64,
        mean in 0.001..0.5_f64,
    ) {
        let seconds = Duration::from_secs_f64;
        let wish = wish(seconds(detection), seconds(recurrence), seconds(duration));
        let delay = Distribution::exponential(seconds(mean));
        let loss = Probability::try_new(loss).unwrap();
        if let Ok(configured) = known(wish, loss, &delay) {
            let interval = configured.interval().as_secs_f64();
            // The interval is whole nanoseconds.
            prop_assert!(promised(detection, interval, loss.get(), mean) >= recurrence * (1.0 - 1e-6));
            let in_time = (1.0 - loss.get()) * (1.0 - (-detection / mean).exp());
            let longest = in_time * duration;
            prop_assert!(interval <= longest * (1.0 + 1e-9));
            for more in 1..2000 {
                let longer = interval * (1.0 + f64::from(more) * 1e-3);
                prop_assert!(
                    longer > longest || promised(detection, longer, loss.get(), mean) < recurrence,
                    "{longer} is longer than {interval}"
                );
            }
            let spread = Spread::new(seconds(mean), seconds(mean));
            if let Ok(estimated) = estimated(wish, loss, spread) {
                prop_assert!(estimated.interval() <= configured.interval());
            }
        }
    }

    #[test]
    fn whatever_a_closure_says_there_is_an_answer(tail in any::<f64>(), detection in 1u64..1 << 40, loss in 0.0..=1.0_f64) {
        let wish = wish(Duration::from_nanos(detection), DAY, SECOND);
        let answer = known(wish, Probability::try_new(loss).unwrap(), &|_: Duration| tail);
        if let Ok(configured) = answer {
            prop_assert!(!configured.interval().is_zero());
            prop_assert!(configured.interval() <= wish.detection().max(SECOND));
        }
    }
}
