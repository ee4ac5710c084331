//! [`BadKnob`]: a setting that cannot be.

use std::fmt;

/// A setting with a value that it cannot have.
///
/// Knobs are checked where they are set, so that nothing fails later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field} = {value}`: {remedy}")]
pub struct BadKnob {
    /// Which setting.
    pub field: &'static str,
    /// What it was given.
    pub value: String,
    /// What would have been right.
    pub remedy: String,
}

impl BadKnob {
    pub(crate) fn new(
        field: &'static str,
        value: impl fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            field,
            value: value.to_string(),
            remedy: remedy.into(),
        }
    }
}

/// `value`, if it is a number from `low` to `high`.
pub(crate) fn within(field: &'static str, value: f64, low: f64, high: f64) -> Result<f64, BadKnob> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(BadKnob::new(field, value, format!("use {low} to {high}")))
    }
}
