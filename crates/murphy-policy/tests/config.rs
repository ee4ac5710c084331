//! Policies from a file: read, refused, exchanged.
#![cfg(feature = "serde")]

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
        ("breaker = { failure_rate = 50.0 }", "did you mean 0.5"),
    ] {
        let error = read(text).unwrap().stack().unwrap_err();
        assert!(error.to_string().contains(says), "{text}: {error}");
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
