//! Knobs that are numbers.

use murphy_core::BadKnob;

/// `value`, if it is a number from `low` to `high`.
pub(crate) fn within(field: &'static str, value: f64, low: f64, high: f64) -> Result<f64, BadKnob> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(BadKnob::new(field, value, format!("use {low} to {high}")))
    }
}
