//! Budgets as others keep them: their constructors.

use std::time::Duration;

use super::in_flight::InFlight;
use super::peers::{Grpc, Standard};
use super::window::Window;
use super::{Account, Budget, units};
use crate::BadKnob;

impl Budget {
    /// As many extra attempts under way as `ratio` of the calls under way, 0.0 to 10.0, and `least`
    /// always: what Envoy's retry budget counts, by default 0.2 and 3.
    ///
    /// It follows what a service is given at this moment and remembers nothing: a long outage of
    /// quick failures costs it no more than a short one. It bounds how many are under way, and not how
    /// many there are: an attempt that ended frees its place, so that with `least` above 0 a lone caller's
    /// calls have all their attempts.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names the ratio.
    pub fn in_flight(ratio: f64, least: u32) -> Result<Self, BadKnob> {
        let ratio = units(ratio)?;
        Ok(Self::of(Account::InFlight(InFlight::new(ratio, least))))
    }

    /// 500 tokens; a retry costs 5, after a timeout 10. A retry that succeeds gives its cost back, a
    /// call that needs none one token: standard mode, version 2.0, of the AWS SDKs.
    #[must_use]
    pub fn aws_standard() -> Self {
        Self::of(Account::Standard(Standard::v2_0()))
    }

    /// 500 tokens; a retry costs 14, of what was throttled 5; else as
    /// [`aws_standard`](Self::aws_standard): version 2.1.
    #[must_use]
    pub fn aws_standard_2_1() -> Self {
        Self::of(Account::Standard(Standard::v2_1()))
    }

    /// `max` tokens, 1 to 1000, of which each failed attempt takes one and each that succeeds gives
    /// back `ratio`, in thousandths and above 0; retries while more than half are left: gRPC's
    /// `retryThrottling` (proposal A6). A peer's refusal to be asked again counts as a failure.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names `budget.max_tokens` or `budget.token_ratio`.
    pub fn grpc(max: u32, ratio: f64) -> Result<Self, BadKnob> {
        if !(1..=1000).contains(&max) {
            return Err(BadKnob::new("budget.max_tokens", max, "use 1 to 1000"));
        }
        // Read to three digits, as A6 has it; what rounds to nothing would never recover.
        let milli = ratio * 1e3;
        if !(1.0..=1e6).contains(&milli) {
            let remedy = "use 0.001 to 1000; gRPC's examples use 0.1";
            return Err(BadKnob::new("budget.token_ratio", ratio, remedy));
        }
        let grpc = Grpc::new(max * 1_000, (milli + 1e-6) as u32);
        Ok(Self::of(Account::Grpc(grpc)))
    }

    /// Within any `ttl`, 1 s to 60 s: `ratio` extra attempts per call, 0.0 to 1000, and `per_second`
    /// whether there are calls or not: Finagle's `RetryBudget`, by default 10 s, 10 and 0.2.
    ///
    /// To its number: a call pays in 1000, an attempt takes `1000 / ratio`, of which the fraction is cut,
    /// in favour of attempts (at 0.75 it takes 1333, at 600 it takes 1). Below 0.0000005 the ratio counts
    /// as that.
    ///
    /// Takes a lock and reads the clock at each call.
    ///
    /// # Errors
    ///
    /// [`BadKnob`] names `budget.ttl` or `budget.ratio`.
    pub fn finagle(ttl: Duration, per_second: u32, ratio: f64) -> Result<Self, BadKnob> {
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&ttl) {
            let value = format!("{ttl:?}");
            return Err(BadKnob::new("budget.ttl", value, "use 1 s to 60 s"));
        }
        if !(0.0..=1000.0).contains(&ratio) {
            return Err(BadKnob::new("budget.ratio", ratio, "use 0.0 to 1000.0"));
        }
        Ok(Self::of(Account::Window(Window::new(
            ttl, per_second, ratio,
        ))))
    }
}
