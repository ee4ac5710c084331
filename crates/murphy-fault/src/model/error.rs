//! [`BadModel`]: what makes no model of a chaos.

use std::time::Duration;

use humantime::format_duration;

/// A model that no plan can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model: `{field}` is `{value}`: {remedy}")]
pub struct BadModel {
    /// What is wrong: a parameter, or what the chaos should have.
    pub field: &'static str,
    /// What it is, cut after 64 characters.
    pub value: String,
    /// What would be right.
    pub remedy: String,
}

/// The longest time that a model speaks of.
const MOST: Duration = Duration::from_secs(365 * 24 * 3600);

impl BadModel {
    pub(super) fn new(field: &'static str, value: String, remedy: impl Into<String>) -> Self {
        Self {
            field,
            value: value.chars().take(64).collect(),
            remedy: remedy.into(),
        }
    }

    /// Refuses a duration that is out of its range.
    pub(super) fn unless_within(
        field: &'static str,
        value: Duration,
        least: Duration,
    ) -> Result<(), Self> {
        if (least..=MOST).contains(&value) {
            return Ok(());
        }
        let least = format_duration(least);
        let remedy = format!("use {least} to 365days");
        Err(Self::new(field, format_duration(value).to_string(), remedy))
    }
}
