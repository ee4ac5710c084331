//! Policies from a file: read, refused, exchanged.
#![cfg(feature = "serde")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use murphy_policy::config::{BadConfig, Config};
use murphy_policy::reload::ReloadLayer;
use murphy_policy::{BoxError, Rule};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};

fn read(text: &str) -> Result<Config, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn nothing_said_is_what_is_recommended() {
    let config = read("").unwrap();
    assert_eq!(config, Config::default());
    let report = config.stack().unwrap().report().to_string();
    assert_eq!(
        report,
        "Deadline > Retry > off > Timeout\n\
         attempts and waits: up to 9.15s of 10s\n\
         requests a call: at most 3, in the long run 1.20 and 10 more once; through 3 such layers 1.73"
    );
}

#[test]
fn what_is_written_is_what_was_meant() {
    let text = toml::to_string(&Config::default()).unwrap();
    assert_eq!(read(&text).unwrap(), Config::default(), "{text}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    for (text, says) in [
        ("atempts = 3", "unknown field `atempts`"),
        ("deadline = \"soon\"", "`soon` is no duration"),
        ("deadline = 5", "invalid type"),
        ("attempts = -1", "invalid value"),
        (
            "backoff = { kind = \"fibonacci\" }",
            "unknown variant `fibonacci`",
        ),
        ("breaker = { failures = 3 }", "unknown field `failures`"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    for (text, says) in [
        ("attempts = 0", "`attempts = 0`: use 1 or more"),
        ("budget = { ratio = 20.0 }", "did you mean 0.2 (20%)?"),
        ("budget = { ratio = nan }", "`budget.ratio = NaN`"),
        (
            "backoff = { multiplier = 0.5 }",
            "`backoff.multiplier = 0.5`",
        ),
        ("breaker = { consecutive = 0 }", "breaker.consecutive"),
        ("deadline = \"0s\"", "`deadline = 0s`: every call"),
        (
            "attempt_timeout = \"0s\"",
            "`attempt_timeout = 0s`: every attempt would end before it began; use 1ms or more",
        ),
        (
            "breaker = { open_for = \"0s\" }",
            "`breaker.open_for = 0s`: it would be asked again at once; use 1ms or more",
        ),
        (
            "budget = { reserve = 101 }",
            "`budget.cap = 100`: less than `budget.reserve = 101`: use 101 or more",
        ),
        (
            "backoff = { base = \"21s\" }",
            "`backoff.base = 21s`: more than `backoff.cap = 20s`",
        ),
        (
            "backoff = { kind = \"constant\", multiplier = 3.0 }",
            "`backoff.multiplier = 3`: no such factor has this kind",
        ),
        (
            "backoff = { kind = \"none\", multiplier = 2.0 }",
            "`backoff.multiplier = 2`",
        ),
        (
            "backoff = { kind = \"linear\", multiplier = 2.0 }",
            "`backoff.multiplier = 2`",
        ),
        (
            "backoff = { kind = \"decorrelated\", multiplier = 2.0 }",
            "`backoff.multiplier = 2`",
        ),
        (
            "backoff = { kind = \"smooth\", multiplier = 2.0 }",
            "`backoff.multiplier = 2`",
        ),
        ("breaker = { failure_rate = 50.0 }", "did you mean 0.5"),
    ] {
        let error = read(text).unwrap().stack().unwrap_err();
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
    // The cap is not theirs.
    for text in [
        "attempts = 1\nbackoff = { kind = \"constant\", base = \"21s\" }",
        "attempts = 1\nbackoff = { kind = \"none\", base = \"21s\" }",
        "budget = { reserve = 100 }",
        "backoff = { kind = \"equal_jitter\", multiplier = 3.0, cap = \"50ms\" }",
    ] {
        let stack = read(text).unwrap().stack();
        assert!(stack.is_ok(), "{text}: {:?}", stack.err());
    }
    let error = read("attempts = 30").unwrap().stack().unwrap_err();
    let BadConfig::Unsound(unsound) = error else {
        panic!("{error}");
    };
    assert!(unsound.breaks(Rule::FitsDeadline));
}

#[tokio::test(start_paused = true)]
async fn layers_are_exchanged_under_calls() {
    let config = |text: &str| read(text).unwrap().stack();
    let quick = "deadline = \"1s\"\nattempts = 1\nattempt_timeout = \"1s\"";
    let (layer, handle) = ReloadLayer::new(config(quick).unwrap());
    let slow = service_fn(async |(): ()| {
        sleep(Duration::from_secs(2)).await;
        Ok::<_, BoxError>(())
    });
    let mut service = layer.layer(slow);
    let before = service.ready().await.unwrap().call(());
    // A file that is wrong changes nothing.
    assert!(config("attempts = 0").is_err());
    handle.swap(config("attempt_timeout = \"3s\"").unwrap());
    let began = Instant::now();
    let after = service.ready().await.unwrap().call(());
    assert!(
        before.await.is_err(),
        "a call that is under way keeps its layers"
    );
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    after.await.unwrap();
    assert_eq!(handle.version(), 1);
    // A breaker that comes later, in services that are there already.
    handle.swap(config("breaker = { consecutive = 1 }\nattempts = 1").unwrap());
    service.ready().await.unwrap().call(()).await.unwrap();
}

/// A breaker whose trials fail is asked ever less often, as the field's docs say.
#[tokio::test(start_paused = true)]
async fn openings_grow_from_what_the_file_says() {
    let text = "attempts = 1\nbreaker = { consecutive = 1, open_for = \"2s\" }";
    let stack = read(text).unwrap().stack().unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let service = stack.layer(service_fn(move |()| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Err::<(), _>(BoxError::from("broken")) }
    }));
    // With a tenth on top: 2 to 2.2 s, 4 to 4.4 s, 8 to 8.8 s.
    for (seconds, want) in [(0, 1), (1, 1), (2, 2), (3, 2), (2, 3), (7, 3), (2, 4)] {
        sleep(Duration::from_secs(seconds)).await;
        service.clone().oneshot(()).await.unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), want);
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        if let Ok(config) = read(&text) {
            _ = config.stack();
        }
    }

    #[test]
    fn no_values_panic(
        attempts in any::<u32>(),
        ratio in any::<f64>(),
        reserve in any::<u32>(),
        secs in 0..u64::from(u32::MAX),
    ) {
        let mut config = Config::default();
        config.attempts = attempts;
        config.budget.ratio = ratio;
        config.budget.reserve = reserve;
        config.deadline = Duration::from_secs(secs);
        _ = config.stack();
    }
}
