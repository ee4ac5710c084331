//! Files that mean harm.
#![cfg(feature = "serde")]

use murphy_policy::config::Config;

#[test]
fn no_file_makes_a_stack_panic_and_what_cannot_be_is_refused() {
    let make = |text: &str| -> Result<String, String> {
        let config: Config = toml::from_str(text).map_err(|e| e.to_string())?;
        let stack = config.stack().map_err(|e| e.to_string())?;
        let again = toml::to_string(&config).map_err(|e| e.to_string())?;
        assert_eq!(
            toml::from_str::<Config>(&again).map_err(|e| e.to_string()),
            Ok(config)
        );
        Ok(stack.report().to_string())
    };
    for text in [
        "attempts = 0",
        "attempts = -1",
        "attempts = 4294967296",
        "attempts = 4294967295",
        "attempts = 1e3",
        "attempts = 1\nattempts = 1",
        "deadline = 5",
        "deadline = \"\"",
        "deadline = \"-5s\"",
        "deadline = \"18446744073709551616s\"",
        "deadline = \"99999999999999999999y\"",
        "deadline = \"0s\"",
        "budget = { ratio = nan }",
        "budget = { ratio = inf }",
        "budget = { ratio = -0.1 }",
        "budget = { ratio = 20 }",
        "budget = { reserve = -1 }",
        "breaker = { consecutive = 0 }",
        "breaker = { failure_rate = nan }",
        "breaker = { failure_rate = 50.0 }",
        "backoff = { kind = \"exponential\", multiplier = nan }",
        "backoff = { kind = \"exponential\", multiplier = 0.0 }",
        "backoff = { kind = \"no_such\" }",
        "backoff = { base = \"1s\", cap = \"1s\", unknown = 1 }",
        "unknown = 1",
    ] {
        assert!(make(text).is_err(), "{text}: {:?}", make(text));
    }
    for text in [
        "",
        "deadline = \"500000000000y\"",
        "longest_hint = \"500000000000y\"",
        "budget = { ratio = 10.0, reserve = 4294967295, cap = 4294967295 }",
        "budget = { ratio = -0.0, reserve = 0, cap = 0 }",
        "breaker = { open_for = \"500000000000y\" }",
        "attempts = 1\nattempt_timeout = \"10s\"",
    ] {
        make(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}
